"""The shared keypoint head: action and boundary heatmaps from backbone features (supplement, section C)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from keyseg.models.layers import Dropout, MaskedConv1d, OddSize, instance_norm, kept
from keyseg.timeline.validation import Section

_PRIOR_BIAS = -2.19  # sigmoid(-2.19) = 0.1: the many negatives do not swamp the first steps (Law & Deng 2018)


class HeadConfig(Section):
    """Sizes of the shared keypoint head."""

    layers: int = Field(2, ge=1, le=64, description="convolutions before the heatmaps")
    kernel_size: OddSize = Field(3, description="width of the convolutions")
    dropout: float = Field(0.3, ge=0, lt=1, description="before the heatmaps")


class KeypointHead(nn.Module):
    """Temporal convolutions with instance normalisation and ReLU, then one 1x1 output for all heatmaps."""

    def __init__(self, config: HeadConfig, channels: int, classes: int) -> None:
        super().__init__()
        self.trunk = nn.ModuleList(MaskedConv1d(channels, channels, config.kernel_size) for _ in range(config.layers))
        self.dropout = Dropout(config.dropout)
        self.out = nn.Conv1d(channels, classes + 1, 1)
        assert self.out.bias is not None
        nn.init.constant_(self.out.bias, _PRIOR_BIAS)

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """x: (B, F, T), mask: (B, T) -> logits of actions (B, C, T) and boundaries (B, T)."""
        for convolution in self.trunk:
            x = torch.relu(instance_norm(convolution(x, mask), mask))
        logits = kept(self.out(self.dropout(x)), mask)
        return logits[:, :-1], logits[:, -1]
