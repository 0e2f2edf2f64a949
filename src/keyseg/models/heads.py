"""The shared keypoint head: action and boundary heatmaps from backbone features (supplement, section C)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from keyseg.models.layers import MaskedConv1d, instance_norm

_PRIOR_BIAS = -2.19  # sigmoid(-2.19) = 0.1: rare positives do not swamp the first steps (Law & Deng 2018)


class KeypointHead(nn.Module):
    """Temporal convolutions with instance normalisation and ReLU, then one 1x1 output for all heatmaps."""

    def __init__(
        self, channels: int, classes: int, *, layers: int = 2, kernel_size: int = 3, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.trunk = nn.ModuleList(MaskedConv1d(channels, channels, kernel_size) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Conv1d(channels, classes + 1, 1)
        nn.init.constant_(self.out.bias, _PRIOR_BIAS)  # type: ignore[arg-type]

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, F, T), mask: (B, T) -> logits of actions (B, C, T) and of boundaries (B, T)."""
        for convolution in self.trunk:
            x = torch.relu(instance_norm(convolution(x, mask), mask))
        logits = self.out(self.dropout(x)) * mask[:, None, :]
        return logits[:, :-1], logits[:, -1]
