"""From a network's output to what it says of a video, and from there to segments: one decoder a kind of network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from keyseg.inference.decoding import (
    Decoded,
    FrameReading,
    Judgement,
    ProposalConfig,
    Reading,
    Rules,
    decode,
    propose,
)
from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints
from keyseg.matching.graph import ACTION, BOUNDARY
from keyseg.matching.memory import AnnotationMemory
from keyseg.matching.nodes import keypoint_nodes
from keyseg.models.refinement import KeypointMaps
from keyseg.timeline import ConfigError, Segmentation, nearest

KeypointVariant = Literal["rtk", "rtk-no-refinement", "rtk-no-rules", "frame-wise"]
VARIANTS: tuple[KeypointVariant, ...] = ("rtk", "rtk-no-refinement", "rtk-no-rules", "frame-wise")


class Decoder(Protocol):
    """Reads a network's output and turns the reading into segments. variants: the full system first, then its parts."""

    @property
    def variants(self) -> tuple[str, ...]: ...

    def read(self, network: Any, features: Tensor, mask: Tensor) -> FrameReading:
        """Run a network in evaluation mode over one video: features (1, D, T), mask (1, T)."""
        ...

    def segment(self, reading: Any, variant: str) -> Decoded:
        """Segments in steps."""
        ...


@dataclass
class KeypointDecoder:
    """RTK's decoder. rules: for the refined keypoints; plain_rules: for the same network without refinement. refine:
    False if matching never joined the training, so that there is no judgement. memory: the training videos' annotations
    in steps, to match a video to, or None."""

    proposals: ProposalConfig = field(default_factory=ProposalConfig)
    rules: Rules = field(default_factory=Rules)
    plain_rules: Rules = field(default_factory=Rules)
    refine: bool = True
    memory: AnnotationMemory | None = None

    @property
    def variants(self) -> tuple[str, ...]:
        """`rtk-no-refinement` skips the refinement, `rtk-no-rules` is the step-wise argmax of the action heatmaps,
        `frame-wise` the argmax of the backbone's frame classifier."""
        return VARIANTS

    def read(self, network: Any, features: Tensor, mask: Tensor) -> Reading:
        """Heatmaps, proposals and their judgement."""
        output = network(features, mask)
        maps = output.maps()
        action, boundary, frames = (_numpy(m[0]) for m in (maps.action, maps.boundary, maps.frames))
        actions, boundaries = propose(action, boundary, self.proposals)
        judgement = _judge(network, maps, actions, boundaries) if self.refine else None
        return Reading(frames, _numpy(output.frame_logits[:, 0]), action, boundary, actions, boundaries, judgement)

    def segment(self, reading: Reading, variant: str) -> Decoded:
        """Segments of one of the variants, and the keypoints that went into them."""
        check_variant(variant, self.variants)
        if variant in ("rtk", "rtk-no-refinement"):
            use = variant == "rtk" and (reading.judgement is not None or self.memory is not None)
            return decode(reading, self.rules if use else self.plain_rules, refine=use, memory=self.memory)
        scores = reading.action if variant == "rtk-no-rules" else reading.frames
        return Decoded(Segmentation.from_frames(scores.argmax(0)), reading.actions, reading.boundaries)


def _judge(network: Any, maps: KeypointMaps, actions: ActionKeypoints, boundaries: BoundaryKeypoints) -> Judgement:
    """Refine the keypoints; nodes of one kind stand in the order of the keypoints."""
    nodes = keypoint_nodes([(actions, boundaries)], maps.mask.device)
    result = network.refine(maps, nodes)
    is_action, is_boundary = nodes.kind[0] == ACTION, nodes.kind[0] == BOUNDARY
    keep, classes = result.keep[0].float().sigmoid(), result.classes[0].float().softmax(1)
    return Judgement(
        keep_action=keep[is_action].cpu().numpy(),
        keep_boundary=keep[is_boundary].cpu().numpy(),
        classes=classes[is_action].cpu().numpy(),
        boundary_time=boundaries.time + result.shift[0].float()[is_boundary].cpu().numpy(),
    )


@dataclass(frozen=True)
class FrameDecoder:
    """Of a network that classifies frames: the argmax at every step. system: the network's name, its one variant."""

    system: str

    @property
    def variants(self) -> tuple[str, ...]:
        """The system itself."""
        return (self.system,)

    def read(self, network: Any, features: Tensor, mask: Tensor) -> FrameReading:
        """Stages and probabilities."""
        output = network(features, mask)
        return FrameReading(_numpy(output.probabilities[0]), _numpy(output.stages[:, 0]))

    def segment(self, reading: FrameReading, variant: str) -> Decoded:
        """Runs of the most probable class."""
        check_variant(variant, self.variants)
        segmentation = Segmentation.from_frames(reading.frames.argmax(0))
        return Decoded(segmentation, ActionKeypoints.of([]), BoundaryKeypoints.of([]))


def check_variant(variant: str, known: tuple[str, ...]) -> None:
    """Raise ConfigError if a decoder has no such variant."""
    if variant not in known:
        raise ConfigError(f"unknown variant {variant!r}{nearest(variant, known)}; there are {', '.join(known)}")


def variants_of(system: str) -> tuple[str, ...]:
    """What is scored of a system: RTK and its parts, or the system itself."""
    return VARIANTS if system == "rtk" else (system,)


def _numpy(values: torch.Tensor) -> Any:
    return values.float().cpu().numpy()
