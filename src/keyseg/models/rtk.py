"""RTK: refined temporal keypoints (Jiang et al., ICCV 2023)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from keyseg.matching.nodes import KeypointNodes
from keyseg.models.backbone import Backbone, BackboneConfig
from keyseg.models.heads import KeypointHead
from keyseg.models.layers import OddSize
from keyseg.models.refinement import KeypointMaps, Refinement, RefinementConfig, Refiner


class HeadConfig(BaseModel):
    """Sizes of the shared keypoint head."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layers: int = Field(2, ge=1, le=64)
    kernel_size: OddSize = 3
    dropout: float = Field(0.3, ge=0, lt=1)


class RTKConfig(BaseModel):
    """Every size of the network."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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
        """Probabilities of the last stage."""
        present = self.mask[:, None, :]
        return KeypointMaps(
            self.features,
            torch.sigmoid(self.action_logits) * present,
            torch.sigmoid(self.boundary_logits) * self.mask,
            torch.softmax(self.frame_logits[-1], dim=1) * present,
            self.mask,
        )


class RTK(nn.Module):
    """Backbone, keypoint head and refiner."""

    def __init__(self, config: RTKConfig, input_dim: int, classes: int) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config.backbone, input_dim, classes)
        self.head = KeypointHead(config.backbone.channels, classes, **config.head.model_dump())
        self.refiner = Refiner(config.refinement, config.backbone.channels, classes)

    def forward(self, features: Tensor, mask: Tensor) -> RTKOutput:
        """features: (B, D, T) float, mask: (B, T) bool -> heatmap and frame logits."""
        hidden, frame_logits = self.backbone(features, mask)
        action_logits, boundary_logits = self.head(hidden, mask)
        return RTKOutput(hidden, frame_logits, action_logits, boundary_logits, mask)

    def refine(self, maps: KeypointMaps, nodes: KeypointNodes) -> Refinement:
        """Judge decoded keypoints in the context of their neighbours."""
        refinement: Refinement = self.refiner(maps, nodes)
        return refinement
