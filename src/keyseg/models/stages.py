"""What multi-stage frame classifiers share: their output, and a stage of dilated convolutions (Farha & Gall 2019)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from keyseg.models.layers import MaskedConv1d


@dataclass(frozen=True)
class FrameOutput:
    """stages: (stages, B, C, T), every stage's output as the published program gives it, the last stage last;
    probabilities: (B, C, T), what is decoded; mask: (B, T) bool."""

    stages: Tensor
    probabilities: Tensor
    mask: Tensor


def classified(stages: Tensor, mask: Tensor) -> FrameOutput:
    """Output of a network whose stages (stages, B, C, T) are all logits."""
    return FrameOutput(stages, torch.softmax(stages[-1], dim=1) * mask[:, None, :], mask)


class DilatedResidualLayer(nn.Module):
    """Dilated convolution of width 3, ReLU, 1x1 convolution, dropout, residual."""

    def __init__(self, channels: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.dilated = MaskedConv1d(channels, channels, 3, dilation=dilation)
        self.out = nn.Conv1d(channels, channels, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, F, T), (B, T) -> (B, F, T), masked."""
        update: Tensor = self.dropout(self.out(torch.relu(self.dilated(x, mask))))
        return (x + update) * mask[:, None, :]


class DilatedStage(nn.Module):
    """1x1 input, residual layers of dilation 1, 2, 4, ..., 1x1 frame classifier."""

    def __init__(self, input_dim: int, channels: int, classes: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.input = nn.Conv1d(input_dim, channels, 1)
        self.layers = nn.ModuleList(DilatedResidualLayer(channels, 2**i, dropout) for i in range(layers))
        self.classify = nn.Conv1d(channels, classes, 1)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, D, T), mask: (B, T) -> features (B, F, T), frame logits (B, C, T), both masked."""
        x = self.input(x) * mask[:, None, :]
        for layer in self.layers:
            x = layer(x, mask)
        return x, self.classify(x) * mask[:, None, :]
