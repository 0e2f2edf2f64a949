"""From a network's output to segments: one frozen decoder per kind of network. No decoder runs a network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from keyseg.inference.decoding import KeypointOutput, NetworkOutput, ProposalConfig, Rules, decode, propose
from keyseg.keypoints import ActionKeypoints, Assembly, BoundaryKeypoints
from keyseg.matching.memory import AnnotationMemory
from keyseg.models.rtk import RTKOutput
from keyseg.models.stages import FrameOutput
from keyseg.timeline import Segmentation
from keyseg.timeline.validation import Section


class Decoder(Section, ABC):
    """Turns the output of a network for one video into segments. A bundle stores it as one section with its `kind`.

    PARTS: the variants that decode with a part of the system only, and their titles.
    """

    PARTS: ClassVar[Mapping[str, str]] = {}

    kind: str

    @abstractmethod
    def read(self, output: Any) -> NetworkOutput:
        """The tensors of a batch of one video as arrays."""

    @abstractmethod
    def segments(self, output: Any, part: str | None = None) -> Assembly:
        """Segments in steps, by the full system (None) or by one of `PARTS`."""


class RememberedAnnotation(Section):
    """The annotation of one training video: class ids and lengths in steps of its segments."""

    labels: tuple[NonNegativeInt, ...] = Field(min_length=1)
    lengths: tuple[PositiveInt, ...]

    @model_validator(mode="after")
    def _one_length_per_label(self) -> Self:
        if len(self.labels) != len(self.lengths):
            raise ValueError(f"memory: {len(self.labels)} labels and {len(self.lengths)} lengths")
        return self


class KeypointDecoder(Decoder):
    """RTK's decoder: proposals, evidence, Algorithm 1.

    rules: with refinement; plain_rules: for the same network without it. refine: whether the network's refinement was
    trained; without it there are no refinement scores. memory: annotations of the training videos, to which a video is
    matched, or None.
    """

    PARTS: ClassVar[Mapping[str, str]] = {
        "rtk-no-refinement": "RTK without refinement",
        "rtk-no-rules": "RTK without rules (argmax of its action heatmaps)",
        "frame-wise": "frame-wise backbone (argmax of its frame classifier)",
    }

    kind: Literal["keypoints"] = "keypoints"
    proposals: ProposalConfig = ProposalConfig()
    rules: Rules = Rules()
    plain_rules: Rules = Rules()
    refine: bool = True
    memory: tuple[RememberedAnnotation, ...] | None = None

    @classmethod
    def remember(cls, segmentations: Iterable[Segmentation]) -> tuple[RememberedAnnotation, ...]:
        """A `memory` of annotations in steps; empty ones are left out."""
        return tuple(
            RememberedAnnotation(labels=s.labels.tolist(), lengths=np.diff(s.boundaries).tolist())
            for s in segmentations
            if s.length
        )

    @cached_property
    def annotations(self) -> AnnotationMemory | None:
        """The memory, ready to be matched."""
        if self.memory is None:
            return None
        return AnnotationMemory.of(Segmentation(np.cumsum((0, *a.lengths)), np.array(a.labels)) for a in self.memory)

    def read(self, output: RTKOutput) -> KeypointOutput:
        """Heatmaps and the keypoints that they propose, not refined."""
        maps = output.maps()
        action, boundary, frames = (_numpy(m[0]) for m in (maps.action, maps.boundary, maps.frames))
        actions, boundaries = propose(action, boundary, self.proposals)
        return KeypointOutput(frames, _numpy(output.frame_logits[:, 0]), action, boundary, actions, boundaries)

    def segments(self, output: KeypointOutput, part: str | None = None) -> Assembly:
        """Segments, and the keypoints that went into them."""
        if part in ("rtk-no-rules", "frame-wise"):
            scores = output.action if part == "rtk-no-rules" else output.frames
            return Assembly(Segmentation.from_frames(scores.argmax(0)), output.actions, output.boundaries)
        refine = part is None and (output.refinement is not None or self.memory is not None)
        rules = self.rules if refine else self.plain_rules
        return decode(output, rules, refine=refine, memory=self.annotations)


class FrameDecoder(Decoder):
    """Decoder of a network that classifies frames: the most probable class of each step."""

    kind: Literal["frames"] = "frames"

    def read(self, output: FrameOutput) -> NetworkOutput:
        """Probabilities, and the output of every stage."""
        return NetworkOutput(_numpy(output.probabilities[0]), _numpy(output.stages[:, 0]))

    def segments(self, output: NetworkOutput, part: str | None = None) -> Assembly:
        """Runs of the most probable class."""
        segmentation = Segmentation.from_frames(output.frames.argmax(0))
        return Assembly(segmentation, ActionKeypoints.of([]), BoundaryKeypoints.of([]))


def _numpy(values: torch.Tensor) -> Any:
    return values.float().cpu().numpy()
