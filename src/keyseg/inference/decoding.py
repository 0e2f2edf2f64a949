"""From what the network says at every step to segments: propose, judge, weigh, re-assemble."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from keyseg.keypoints import (
    ActionKeypoints,
    BoundaryKeypoints,
    EvidenceWeights,
    assemble,
    decode_actions,
    decode_boundaries,
    weigh_evidence,
)
from keyseg.matching.memory import AnnotationMemory, MemoryConfig
from keyseg.timeline import Segmentation

FloatMap = npt.NDArray[np.float32]


class ProposalConfig(BaseModel):
    """How heatmaps become the over-complete keypoints that refinement judges."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    action_threshold: float = Field(0.1, ge=0, lt=1)
    boundary_threshold: float = Field(0.05, ge=0, lt=1, description="low: a missed boundary swallows a segment")
    radius: int = Field(2, ge=1, le=10_000, description="steps on each side over which a peak must be the highest")
    limit: int = Field(2000, ge=1, description="most keypoints of each kind in a video")


class Rules(BaseModel):
    """What turns keypoints into segments. memory: of the matching to the training videos' annotations."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    action_threshold: float = Field(0.1, ge=0, lt=1)
    boundary_threshold: float = Field(0.2, ge=0, lt=1)
    keep_threshold: float = Field(0.2, ge=0, le=1)
    peak_weight: float = Field(1.0, ge=0, allow_inf_nan=False)
    frame_weight: float = Field(2.0, ge=0, allow_inf_nan=False)
    context_weight: float = Field(0.0, ge=0, allow_inf_nan=False)
    memory: MemoryConfig = MemoryConfig()

    def weights(self) -> EvidenceWeights:
        """Weights of the evidence for a segment's class."""
        return EvidenceWeights(self.peak_weight, self.frame_weight, self.context_weight, self.memory.weight)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What refinement says of the proposals: keep probabilities of actions (Ka,) and boundaries (Kb,), class
    probabilities of actions (Ka, C), refined times of boundaries (Kb,) in steps."""

    keep_action: npt.NDArray[Any]
    keep_boundary: npt.NDArray[Any]
    classes: npt.NDArray[Any]
    boundary_time: npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class FrameReading:
    """What a network says of the T steps of a video. frames: (C, T) class probabilities; stages: (stages, C, T), every
    stage's output as the network gives it."""

    frames: FloatMap
    stages: FloatMap

    @property
    def steps(self) -> int:
        """T."""
        return int(self.frames.shape[1])


@dataclass(frozen=True, slots=True)
class Reading(FrameReading):
    """Everything RTK says of one video of T steps, before any rule.

    action: (C, T), boundary: (T,) probabilities; actions, boundaries: the proposals; judgement: of the refinement, or
    None if the model has none.
    """

    action: FloatMap
    boundary: FloatMap
    actions: ActionKeypoints
    boundaries: BoundaryKeypoints
    judgement: Judgement | None = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """Segments in steps, and the keypoints that went into the re-assembly."""

    segmentation: Segmentation
    actions: ActionKeypoints
    boundaries: BoundaryKeypoints


def propose(action: FloatMap, boundary: FloatMap, config: ProposalConfig) -> tuple[ActionKeypoints, BoundaryKeypoints]:
    """Over-complete keypoints of heatmaps (C, T) and (T,)."""
    return (
        decode_actions(action, config.action_threshold, radius=config.radius, limit=config.limit),
        decode_boundaries(boundary, config.boundary_threshold, radius=config.radius, limit=config.limit),
    )


def decode(reading: Reading, rules: Rules, *, refine: bool, memory: AnnotationMemory | None = None) -> Decoded:
    """Keypoints over the thresholds, each interval with the class of most evidence, then Algorithm 1.

    With refinement a keypoint with keep under its threshold is dropped, boundaries move, the refined classes may count
    as evidence (supplement, sections A and B), and the intervals, in order, are matched to the remembered annotations,
    whose labels count. Thresholds apply to the confidence of the generator.
    """
    strong = reading.actions.confidence >= rules.action_threshold
    firm = reading.boundaries.confidence >= rules.boundary_threshold
    actions, boundaries, classes, match = reading.actions, reading.boundaries, None, None
    judgement = reading.judgement if refine else None
    if judgement is not None:
        strong &= judgement.keep_action >= rules.keep_threshold
        firm &= judgement.keep_boundary >= rules.keep_threshold
        classes = judgement.classes[strong]
        boundaries = BoundaryKeypoints(judgement.boundary_time[firm], boundaries.confidence[firm])
    else:
        boundaries = boundaries.select(firm)
    actions = actions.select(strong)
    if refine and memory is not None:
        match = partial(memory.classes, config=rules.memory)
    voted = weigh_evidence(actions, boundaries, reading.frames, classes, rules.weights(), match)
    fallback = int(reading.action.sum(1).argmax()) if reading.steps else 0
    result = assemble(voted, boundaries, reading.steps, fallback=fallback)
    return Decoded(result.segmentation, actions, boundaries)
