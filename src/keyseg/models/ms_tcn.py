"""MS-TCN++ (Li et al., TPAMI 2020): a generator of dual dilated layers, then stages that refine its output."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from keyseg.models.layers import Dropout, MaskedConv1d, kept
from keyseg.models.network import Network
from keyseg.models.stages import DilatedStage, FrameOutput, classified, side_by_side
from keyseg.timeline.validation import Section


class MSTCNConfig(Section):
    """Every size of the network; the defaults are the published ones."""

    channels: int = Field(64, ge=1, le=4096, description="of every layer")
    generator_layers: int = Field(11, ge=1, le=16, description="dual dilated layers of the first stage")
    refinements: int = Field(3, ge=0, le=16, description="number of stages after the first")
    refinement_layers: int = Field(10, ge=1, le=16, description="of each of these stages; layer i has dilation 2 ** i")
    dropout: float = Field(0.5, ge=0, lt=1, description="in every layer")
    input_dropout: float = Field(0.0, ge=0, lt=1, description="of whole input channels; 0 as published")


class DualDilatedLayer(nn.Module):
    """Two parallel dilated convolutions, fused by a 1x1 convolution; ReLU, dropout, residual."""

    def __init__(self, channels: int, falling: int, growing: int, dropout: float) -> None:
        super().__init__()
        self.falling = MaskedConv1d(channels, channels, 3, dilation=falling)
        self.growing = MaskedConv1d(channels, channels, 3, dilation=growing)
        self.fuse = nn.Conv1d(2 * channels, channels, 1)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """(B, F, T), (B, T) -> (B, F, T), masked."""
        both = self.falling(x, mask), self.growing(x, mask)
        hidden: Tensor = self.dropout(side_by_side(self.fuse, both).relu_())
        return kept(x + hidden, mask)


class MSTCN(Network):
    """Generator and refinements; each refinement reads the class probabilities of the stage before it.

    Layer i of the L layers of the generator has the dilations 2 ** (L - 1 - i) and 2 ** i.

    >>> network = MSTCN(MSTCNConfig(), input_dim=64, classes=5)
    >>> output = network(torch.randn(1, 64, 100))
    >>> output.stages.shape, output.probabilities.shape
    (torch.Size([4, 1, 5, 100]), torch.Size([1, 5, 100]))
    """

    def __init__(self, config: MSTCNConfig, input_dim: int, classes: int) -> None:
        super().__init__(config, input_dim, classes)
        self.input_dropout = nn.Dropout1d(config.input_dropout)
        channels, depth = config.channels, config.generator_layers
        self.generator = DilatedStage(
            input_dim,
            channels,
            classes,
            depth,
            config.dropout,
            lambda i: DualDilatedLayer(channels, 2 ** (depth - 1 - i), 2**i, config.dropout),
        )
        self.refinements = nn.ModuleList(
            DilatedStage(classes, channels, classes, config.refinement_layers, config.dropout)
            for _ in range(config.refinements)
        )

    def forward(self, features: Tensor, mask: Tensor | None = None) -> FrameOutput:
        """features: (B, D, T) float, mask: (B, T) bool or None -> logits of every stage."""
        _, logits = self.generator(kept(self.input_dropout(features), mask), mask)
        stages = [logits]
        for refine in self.refinements:
            _, logits = refine(kept(torch.softmax(logits, dim=1), mask), mask)
            stages.append(logits)
        return classified(torch.stack(stages), mask)
