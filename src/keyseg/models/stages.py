"""What multi-stage frame classifiers share: their output, and a stage of dilated convolutions (Farha & Gall 2019)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from keyseg.models.layers import Dropout, MaskedConv1d, added, kept, mask_of


@dataclass(frozen=True)
class FrameOutput:
    """stages: (stages, B, C, T), output of every stage as the published program gives it. probabilities: (B, C, T),
    the result, which is decoded. mask: (B, T) bool."""

    stages: Tensor
    probabilities: Tensor
    mask: Tensor


def classified(stages: Tensor, mask: Tensor | None) -> FrameOutput:
    """Output of a network whose stages (stages, B, C, T) all give logits."""
    return FrameOutput(stages, kept(torch.softmax(stages[-1], dim=1), mask), mask_of(stages[-1], mask))


class DilatedResidualLayer(nn.Module):
    """Dilated convolution of width 3, ReLU, 1x1 convolution, dropout, residual."""

    def __init__(self, channels: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.dilated = MaskedConv1d(channels, channels, 3, dilation=dilation)
        self.out = nn.Conv1d(channels, channels, 1)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """(B, F, T), (B, T) -> (B, F, T), masked."""
        hidden: Tensor = self.dropout(self.out(self.dilated(x, mask).relu_()))
        return kept(added(hidden, x), mask)


class DilatedStage(nn.Module):
    """1x1 input, residual layers, 1x1 frame classifier. layer: makes layer i; None gives it the dilation 2 ** i."""

    def __init__(
        self,
        input_dim: int,
        channels: int,
        classes: int,
        layers: int,
        dropout: float,
        layer: Callable[[int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        layer = layer or (lambda i: DilatedResidualLayer(channels, 2**i, dropout))
        self.input = nn.Conv1d(input_dim, channels, 1)
        self.layers = nn.ModuleList(layer(i) for i in range(layers))
        self.classify = nn.Conv1d(channels, classes, 1)

    def forward(self, x: Tensor, mask: Tensor | None, earlier: Sequence[Tensor] = ()) -> tuple[Tensor, Tensor]:
        """x: (B, D, T), mask: (B, T) -> features (B, F, T), frame logits (B, C, T), both masked.

        earlier: features (B, F', T) of other stages, whose channels precede those of x.
        """
        x = kept(side_by_side(self.input, (*earlier, x)) if earlier else self.input(x), mask)
        for layer in self.layers:
            x = layer(x, mask)
        return x, kept(self.classify(x), mask)


def side_by_side(convolution: nn.Conv1d, parts: Sequence[Tensor]) -> Tensor:
    """A 1x1 convolution of all channels of the parts (B, D, T), without a copy of them in one tensor."""
    first, *others = torch.split(convolution.weight, [part.shape[1] for part in parts], dim=1)
    out = F.conv1d(parts[0], first, convolution.bias)
    for part, weight in zip(parts[1:], others, strict=True):
        out = added(out, F.conv1d(part, weight))
    return out
