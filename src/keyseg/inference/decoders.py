"""From a network's output to segments: one frozen decoder per kind of network. No decoder runs a network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from keyseg.inference.decoding import (
    Decoded,
    KeypointOutput,
    NetworkOutput,
    ProposalConfig,
    Rules,
    averaged,
    decode,
    match,
    propose_keypoints,
)
from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints
from keyseg.matching.alignment import MatchWeights
from keyseg.matching.annotation_graph import AnnotationGraph
from keyseg.models.rtk import RTKOutput
from keyseg.models.stages import FrameOutput
from keyseg.timeline import Segmentation
from keyseg.timeline.validation import Section


class RememberedAnnotation(Section):
    """The annotation of one training video: class ids and lengths in steps of its segments."""

    labels: tuple[NonNegativeInt, ...] = Field(min_length=1)
    lengths: tuple[Annotated[PositiveInt, Field(le=1_000_000_000)], ...]

    @model_validator(mode="after")
    def _one_length_per_label(self) -> Self:
        if len(self.labels) != len(self.lengths):
            raise ValueError(f"an annotation has {len(self.labels)} labels and {len(self.lengths)} lengths")
        return self


class Match(Section):
    """What videos are matched to: the annotations of the training videos, with the weights learnt on inner folds."""

    weights: MatchWeights = MatchWeights()
    classes: PositiveInt
    annotations: tuple[RememberedAnnotation, ...] = Field(min_length=1)

    @classmethod
    def to(cls, segmentations: Iterable[Segmentation], classes: int, weights: MatchWeights) -> Self:
        """To annotations in steps; empty ones are left out."""
        remembered = tuple(
            RememberedAnnotation(labels=s.labels.tolist(), lengths=np.diff(s.boundaries).tolist())
            for s in segmentations
            if s.length
        )
        return cls(weights=weights, classes=classes, annotations=remembered)

    @model_validator(mode="after")
    def _known_classes(self) -> Self:
        largest = max(label for annotation in self.annotations for label in annotation.labels)
        if largest >= self.classes:
            raise ValueError(f"an annotation refers to class {largest}, outside 0..{self.classes - 1}")
        return self

    @cached_property
    def graph(self) -> AnnotationGraph:
        """The annotations, ready to be matched."""
        kept = [Segmentation(np.cumsum((0, *a.lengths)), np.array(a.labels)) for a in self.annotations]
        return AnnotationGraph.of(kept, self.classes)


class Decoder(Section, ABC):
    """Turns the output of a network for one video into segments. A bundle stores it as one section with its `kind`.

    PARTS: the variants that decode with a part of the system only, and their titles. match: annotations to match to, or
    None where the videos follow no common order.
    """

    PARTS: ClassVar[Mapping[str, str]] = {}

    kind: str
    match: Match | None = None

    @abstractmethod
    def read(self, output: Any) -> NetworkOutput:
        """The tensors of a batch of one video as arrays."""

    def average(self, outputs: Sequence[Any]) -> NetworkOutput:
        """What several networks say of a video, averaged: the frames, and the output of every stage."""
        return NetworkOutput(*(averaged([getattr(one, name) for one in outputs]) for name in ("frames", "stages")))

    def of_a_part(self, *, begins: bool, ends: bool) -> Self:
        """The decoder for a part of a video. begins, ends: whether the part holds the begin and the end of the video;
        where it does not, no annotation has to begin or end."""
        if self.match is None or (begins and ends):
            return self
        weights = self.match.weights
        weights = weights.changed(opening=weights.opening * begins, closing=weights.closing * ends)
        return self.changed(match=self.match.changed(weights=weights))

    def segments(self, output: Any, part: str | None = None) -> Decoded:
        """Segments in steps, by the full system (None) or by one of `PARTS`."""
        if part is None and self.match is not None:
            return match(output, self.match.graph, self.match.weights)
        return self.unmatched(output, part)

    @abstractmethod
    def unmatched(self, output: Any, part: str | None) -> Decoded:
        """The same without annotations."""


class KeypointDecoder(Decoder):
    """RTK's decoder: proposals, then the match, or evidence and Algorithm 1.

    refine: whether the network's refinement was trained; without it there are no refinement scores.
    """

    PARTS: ClassVar[Mapping[str, str]] = {
        "rtk-no-refinement": "RTK without refinement",
        "rtk-no-rules": "RTK without rules (argmax of its action heatmaps)",
        "frame-wise": "frame-wise backbone (argmax of its frame classifier)",
    }

    kind: Literal["keypoints"] = "keypoints"
    proposals: ProposalConfig = ProposalConfig()
    rules: Rules = Rules()
    refine: bool = False

    def read(self, output: RTKOutput) -> KeypointOutput:
        """Heatmaps and the keypoints that they propose, not refined."""
        maps = output.maps()
        action, boundary, frames = (_numpy(m[0]) for m in (maps.action, maps.boundary, maps.frames))
        actions, boundaries = propose_keypoints(action, boundary, self.proposals)
        return KeypointOutput(frames, _numpy(output.frame_logits[:, 0]), action, boundary, actions, boundaries)

    def average(self, outputs: Sequence[KeypointOutput]) -> KeypointOutput:
        """Frames, stages and heatmaps averaged, and the keypoints that the averaged heatmaps propose."""
        common = super().average(outputs)
        action, boundary = (averaged([getattr(one, name) for one in outputs]) for name in ("action", "boundary"))
        keypoints = propose_keypoints(action, boundary, self.proposals)
        return KeypointOutput(common.frames, common.stages, action, boundary, *keypoints)

    def unmatched(self, output: KeypointOutput, part: str | None) -> Decoded:
        """By Algorithm 1, with the trained refinement if there is one; or without keypoints."""
        if part in ("rtk-no-rules", "frame-wise"):
            scores = output.action if part == "rtk-no-rules" else output.frames
            return Decoded(Segmentation.from_frames(scores.argmax(0)), output.actions, output.boundaries)
        return decode(output, self.rules, refine=part is None)


class FrameDecoder(Decoder):
    """Decoder of a network that classifies frames: the match, or the most probable class of each step."""

    kind: Literal["frames"] = "frames"

    def read(self, output: FrameOutput) -> NetworkOutput:
        """Probabilities, and the output of every stage."""
        return NetworkOutput(_numpy(output.probabilities[0]), _numpy(output.stages[:, 0]))

    def unmatched(self, output: NetworkOutput, part: str | None) -> Decoded:
        """Runs of the most probable class."""
        segmentation = Segmentation.from_frames(output.frames.argmax(0))
        return Decoded(segmentation, ActionKeypoints.of([]), BoundaryKeypoints.of([]))


def _numpy(values: torch.Tensor) -> Any:
    return values.float().cpu().numpy()
