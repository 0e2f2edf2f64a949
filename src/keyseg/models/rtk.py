"""RTK: refined temporal keypoints (Jiang et al., ICCV 2023)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from keyseg.models.backbone import Backbone, BackboneConfig
from keyseg.models.heads import HeadConfig, KeypointHead
from keyseg.models.layers import mask_of
from keyseg.models.network import Network
from keyseg.models.refinement import KeypointMaps, RefinementConfig, Refiner
from keyseg.timeline.validation import Section


class RTKConfig(Section):
    """Every size of the network."""

    backbone: BackboneConfig = BackboneConfig()
    head: HeadConfig = HeadConfig()
    refinement: RefinementConfig = RefinementConfig()


@dataclass(frozen=True)
class RTKOutput:
    """features (B, F, T), mask (B, T); logits of frames (stages, B, C, T), actions (B, C, T) and boundaries (B, T)."""

    features: Tensor
    frame_logits: Tensor
    action_logits: Tensor
    boundary_logits: Tensor
    mask: Tensor

    def maps(self) -> KeypointMaps:
        """Maps that keypoints are read from: probabilities, those of frames by the last stage."""
        present = self.mask[:, None, :]
        return KeypointMaps(
            self.features,
            torch.sigmoid(self.action_logits) * present,
            torch.sigmoid(self.boundary_logits) * self.mask,
            torch.softmax(self.frame_logits[-1], dim=1) * present,
            self.mask,
        )


class RTK(Network):
    """Backbone, keypoint head and refiner.

    >>> network = RTK(RTKConfig(), input_dim=64, classes=5)
    >>> output = network(torch.randn(1, 64, 100))
    >>> output.action_logits.shape, output.boundary_logits.shape
    (torch.Size([1, 5, 100]), torch.Size([1, 100]))
    """

    def __init__(self, config: RTKConfig, input_dim: int, classes: int) -> None:
        super().__init__(config, input_dim, classes)
        self.backbone = Backbone(config.backbone, input_dim, classes)
        self.head = KeypointHead(config.head, config.backbone.channels, classes)
        self.refiner = Refiner(config.refinement, config.backbone.channels, classes)

    def class_offsets(self, weight: str) -> tuple[int, ...]:
        """A keypoint is embedded from features, actions, boundary and frames: see `node_inputs`."""
        channels = self.config.backbone.channels
        return (channels, channels + self.classes + 1) if weight == "refiner.embed.0.weight" else (0,)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> RTKOutput:
        """features: (B, D, T) float, mask: (B, T) bool or None -> logits of heatmaps and frames."""
        hidden, frame_logits = self.backbone(features, mask)
        action_logits, boundary_logits = self.head(hidden, mask)
        return RTKOutput(hidden, frame_logits, action_logits, boundary_logits, mask_of(features, mask))
