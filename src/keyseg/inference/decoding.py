"""From what a network says about every step to segments: propose keypoints, weigh the evidence, re-assemble."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from keyseg.keypoints import (
    ActionKeypoints,
    Assembly,
    BoundaryKeypoints,
    EvidenceWeights,
    assemble,
    decode_actions,
    decode_boundaries,
    weigh_evidence,
)
from keyseg.matching.graph import ACTION, BOUNDARY
from keyseg.matching.memory import AnnotationMemory, MemoryConfig
from keyseg.matching.nodes import KeypointNodes
from keyseg.models.refinement import Refinement
from keyseg.timeline.validation import Section

FloatMap = npt.NDArray[np.float32]


class ProposalConfig(Section):
    """How heatmaps become the over-complete keypoints that refinement scores."""

    action_threshold: float = Field(0.1, ge=0, lt=1)
    boundary_threshold: float = Field(0.05, ge=0, lt=1, description="low: a missed boundary swallows a segment")
    radius: int = Field(2, ge=1, le=10_000, description="steps on each side over which a peak must be the highest")
    limit: int = Field(2000, ge=1, description="largest number of keypoints of each kind per video")


class Rules(Section):
    """How keypoints become segments. memory: how a video is matched to the annotations of the training videos."""

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
class RefinementScores:
    """What refinement says about the proposals: probabilities to keep actions (Ka,) and boundaries (Kb,), class
    probabilities of actions (Ka, C), refined times of boundaries (Kb,) in steps."""

    keep_action: npt.NDArray[Any]
    keep_boundary: npt.NDArray[Any]
    classes: npt.NDArray[Any]
    boundary_time: npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class NetworkOutput:
    """What a network says about the T steps of one video. frames: (C, T) class probabilities; stages: (stages, C, T),
    the output of every stage as the network gives it."""

    frames: FloatMap
    stages: FloatMap

    @property
    def steps(self) -> int:
        """T, the number of feature steps."""
        return int(self.frames.shape[1])


@dataclass(frozen=True, slots=True)
class KeypointOutput(NetworkOutput):
    """What RTK says about one video of T steps, before any rule.

    action: (C, T) and boundary: (T,) probabilities; actions, boundaries: the proposals; refinement: their scores, or
    None without refinement.
    """

    action: FloatMap
    boundary: FloatMap
    actions: ActionKeypoints
    boundaries: BoundaryKeypoints
    refinement: RefinementScores | None = None

    def refined(self, refinement: Refinement, nodes: KeypointNodes) -> KeypointOutput:
        """The same with the refinement of the proposals, whose nodes of one kind have the order of the keypoints."""
        is_action, is_boundary = nodes.kind[0] == ACTION, nodes.kind[0] == BOUNDARY
        keep, classes = refinement.keep[0].float().sigmoid(), refinement.classes[0].float().softmax(1)
        scores = RefinementScores(
            keep_action=keep[is_action].cpu().numpy(),
            keep_boundary=keep[is_boundary].cpu().numpy(),
            classes=classes[is_action].cpu().numpy(),
            boundary_time=self.boundaries.time + refinement.shift[0].float()[is_boundary].cpu().numpy(),
        )
        return replace(self, refinement=scores)


def propose(action: FloatMap, boundary: FloatMap, config: ProposalConfig) -> tuple[ActionKeypoints, BoundaryKeypoints]:
    """Over-complete keypoints of heatmaps (C, T) and (T,)."""
    return (
        decode_actions(action, config.action_threshold, radius=config.radius, limit=config.limit),
        decode_boundaries(boundary, config.boundary_threshold, radius=config.radius, limit=config.limit),
    )


def decode(output: KeypointOutput, rules: Rules, *, refine: bool, memory: AnnotationMemory | None = None) -> Assembly:
    """Keypoints at or above the thresholds, each interval with the class of most evidence, then Algorithm 1.

    With refinement, keypoints whose keep probability is below its threshold are dropped, boundaries move, the refined
    classes may count as evidence (supplement, sections A and B), and the intervals, in order, are matched to the
    remembered annotations, whose labels count. Thresholds apply to the confidence of the generator. Returns the
    segmentation in steps with the keypoints that went into Algorithm 1, not those that remained.
    """
    strong = output.actions.confidence >= rules.action_threshold
    firm = output.boundaries.confidence >= rules.boundary_threshold
    actions, boundaries, classes, match = output.actions, output.boundaries, None, None
    refinement = output.refinement if refine else None
    if refinement is not None:
        strong &= refinement.keep_action >= rules.keep_threshold
        firm &= refinement.keep_boundary >= rules.keep_threshold
        classes = refinement.classes[strong]
        boundaries = BoundaryKeypoints(refinement.boundary_time[firm], boundaries.confidence[firm])
    else:
        boundaries = boundaries.select(firm)
    actions = actions.select(strong)
    if refine and memory is not None:
        match = partial(memory.classes, config=rules.memory)
    voted = weigh_evidence(actions, boundaries, output.frames, classes, rules.weights(), match)
    fallback = int(output.action.sum(1).argmax()) if output.steps else 0
    result = assemble(voted, boundaries, output.steps, fallback=fallback)
    return replace(result, actions=actions, boundaries=boundaries)
