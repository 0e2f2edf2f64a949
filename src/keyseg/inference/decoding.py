"""From what a network says about every step to segments: propose keypoints, then match them to annotations, or weigh
the evidence and re-assemble."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from keyseg.keypoints import (
    ActionKeypoints,
    BoundaryKeypoints,
    EvidenceWeights,
    assemble,
    decode_actions,
    decode_boundaries,
    weigh_evidence,
)
from keyseg.matching.alignment import Alignment, MatchWeights, align
from keyseg.matching.annotation_graph import AnnotationGraph
from keyseg.matching.graph import ACTION, BOUNDARY
from keyseg.matching.lattice import Lattice
from keyseg.matching.nodes import KeypointNodes
from keyseg.models.refinement import Refinement
from keyseg.timeline import Segmentation
from keyseg.timeline.validation import Section

FloatMap = npt.NDArray[np.float32]


class ProposalConfig(Section):
    """How heatmaps become over-complete keypoints, for the match, the rules and the refinement."""

    action_threshold: float = Field(0.1, ge=0, lt=1, description="least height of an action's peak")
    boundary_threshold: float = Field(0.05, ge=0, lt=1, description="low: a missed boundary swallows a segment")
    radius: int = Field(2, ge=1, le=10_000, description="steps on each side over which a peak must be the highest")
    limit: int = Field(2000, ge=1, description="largest number of keypoints of each kind per video")


class Rules(Section):
    """How keypoints become segments by Algorithm 1, without annotations to match to."""

    action_threshold: float = Field(0.1, ge=0, lt=1, description="least confidence of an action keypoint")
    boundary_threshold: float = Field(0.2, ge=0, lt=1, description="least confidence of a boundary keypoint")
    keep_threshold: float = Field(0.2, ge=0, le=1, description="least probability to keep, by the refinement")
    peak_weight: float = Field(1.0, ge=0, le=1e9, description="of action keypoints as evidence")
    frame_weight: float = Field(2.0, ge=0, le=1e9, description="of frame scores as evidence")
    context_weight: float = Field(0.0, ge=0, le=1e9, description="of refined classes as evidence")

    @model_validator(mode="after")
    def _needs_evidence(self) -> Self:
        if self.peak_weight + self.frame_weight <= 0:
            raise ValueError("peak_weight or frame_weight has to be above 0: what is not refined has no other evidence")
        return self

    def weights(self) -> EvidenceWeights:
        """Weights of the evidence for a segment's class."""
        return EvidenceWeights(self.peak_weight, self.frame_weight, self.context_weight)


@dataclass(frozen=True, slots=True)
class RefinementScores:
    """What refinement says about the proposals: probabilities to keep actions (Ka,) and boundaries (Kb,), class
    probabilities of actions (Ka, C), refined times of boundaries (Kb,) in steps. Raises FloatingPointError if a number
    is not finite."""

    keep_action: npt.NDArray[Any]
    keep_boundary: npt.NDArray[Any]
    classes: npt.NDArray[Any]
    boundary_time: npt.NDArray[Any]

    def __post_init__(self) -> None:
        check_scores(self.keep_action, self.keep_boundary, self.classes, self.boundary_time)


@dataclass(frozen=True, slots=True)
class NetworkOutput:
    """What a network says about the T steps of one video. frames: (C, T) class probabilities; stages: (stages, C, T),
    the output of every stage as the network gives it. Raises FloatingPointError if a number is not finite."""

    frames: FloatMap
    stages: FloatMap

    def __post_init__(self) -> None:
        check_scores(self.frames, self.stages)

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

    def refined(self, refinements: Sequence[Refinement], nodes: KeypointNodes) -> KeypointOutput:
        """The same with the refinement of the proposals, whose nodes of one kind have the order of the keypoints.

        refinements: by each network, which are averaged.
        """
        scores = [self._scores(refinement, nodes) for refinement in refinements]
        names = [field.name for field in fields(RefinementScores)]
        means = {name: averaged([getattr(one, name) for one in scores]) for name in names}
        return replace(self, refinement=RefinementScores(**means))

    def _scores(self, refinement: Refinement, nodes: KeypointNodes) -> RefinementScores:
        is_action, is_boundary = nodes.kind[0] == ACTION, nodes.kind[0] == BOUNDARY
        keep, classes = refinement.keep[0].float().sigmoid(), refinement.classes[0].float().softmax(1)
        return RefinementScores(
            keep_action=keep[is_action].cpu().numpy(),
            keep_boundary=keep[is_boundary].cpu().numpy(),
            classes=classes[is_action].cpu().numpy(),
            boundary_time=self.boundaries.time + refinement.shift[0].float()[is_boundary].cpu().numpy(),
        )


def check_scores(*arrays: npt.NDArray[Any]) -> None:
    """Raise FloatingPointError if a number of a network is NaN or infinite."""
    if not all(np.isfinite(array).all() for array in arrays):
        raise FloatingPointError("a score is not finite")


def averaged(arrays: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Mean of arrays of one shape, summed in double precision; equal arrays give themselves to the last bit."""
    mean: npt.NDArray[Any] = np.mean(arrays, axis=0, dtype=np.float64).astype(arrays[0].dtype)
    return mean


def propose_keypoints(
    action: FloatMap, boundary: FloatMap, config: ProposalConfig
) -> tuple[ActionKeypoints, BoundaryKeypoints]:
    """Over-complete keypoints of heatmaps (C, T) and (T,). Raises FloatingPointError if these are not finite."""
    check_scores(action, boundary)
    return (
        decode_actions(action, config.action_threshold, radius=config.radius, limit=config.limit),
        decode_boundaries(boundary, config.boundary_threshold, radius=config.radius, limit=config.limit),
    )


@dataclass(frozen=True, slots=True)
class Decoded:
    """Segments in steps, the keypoints that they were made from, and the annotations that they were aligned to, if any.

    actions, boundaries: those that went into Algorithm 1, not those that remained; or the action keypoints that agree
    with the matched segments, and the chosen cuts.
    """

    segmentation: Segmentation
    actions: ActionKeypoints
    boundaries: BoundaryKeypoints
    alignment: Alignment | None = None


def decode(output: KeypointOutput, rules: Rules, *, refine: bool) -> Decoded:
    """Keypoints at or above the thresholds, each interval with the class of most evidence, then Algorithm 1.

    With refinement, keypoints whose keep probability is below its threshold are dropped, boundaries move, and the
    refined classes may count as evidence (supplement, sections A and B). Thresholds apply to the confidence of the
    generator.
    """
    strong = output.actions.confidence >= rules.action_threshold
    firm = output.boundaries.confidence >= rules.boundary_threshold
    actions, boundaries, classes = output.actions, output.boundaries, None
    refinement = output.refinement if refine else None
    if refinement is not None:
        strong &= refinement.keep_action >= rules.keep_threshold
        firm &= refinement.keep_boundary >= rules.keep_threshold
        classes = refinement.classes[strong]
        boundaries = BoundaryKeypoints(refinement.boundary_time[firm], boundaries.confidence[firm])
    else:
        boundaries = boundaries.select(firm)
    actions = actions.select(strong)
    voted = weigh_evidence(actions, boundaries, output.frames, classes, rules.weights())
    fallback = int(output.action.sum(1).argmax()) if output.steps else 0
    result = assemble(voted, boundaries, output.steps, fallback=fallback)
    return Decoded(result.segmentation, actions, boundaries)


def lattice_of(output: NetworkOutput, graph: AnnotationGraph) -> Lattice:
    """The segments that a video may have: between its proposals, or where its frame scores change.

    Trained heads do not take part: the weights of the match are learnt without them.
    """
    if not isinstance(output, KeypointOutput):
        return Lattice.of(graph, output.frames)
    return Lattice.of(graph, output.frames, output.boundaries, output.actions, output.boundary)


def match(output: NetworkOutput, graph: AnnotationGraph, weights: MatchWeights) -> Decoded:
    """The segments of the best alignment to the annotations of the training videos."""
    lattice = lattice_of(output, graph)
    alignment = align(lattice, weights)
    segmentation = alignment.segmentation
    chosen = np.isin(lattice.times, segmentation.boundaries[1:-1])
    cuts = BoundaryKeypoints(lattice.times[chosen].astype(np.float64), lattice.confidence[chosen])
    actions = output.actions if isinstance(output, KeypointOutput) else ActionKeypoints.of([])
    if len(actions):
        segment = np.searchsorted(segmentation.boundaries, actions.time, side="right") - 1
        actions = actions.select(segmentation.labels[np.clip(segment, 0, len(segmentation) - 1)] == actions.label)
    return Decoded(segmentation, actions, cuts, alignment)
