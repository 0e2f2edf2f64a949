"""ASFormer (Yi et al., BMVC 2021), with and without the extra modules of the supplement's Table 1."""

from __future__ import annotations

import torch
from torch import Tensor

from keyseg.models.backbone import Backbone, BackboneConfig
from keyseg.models.layers import OddSize, kept
from keyseg.models.network import Network
from keyseg.models.stages import FrameOutput, classified


class ASFormerConfig(BackboneConfig):
    """The published network: three decoders as deep as the encoder, and none of RTK's extra modules."""

    decoders: int = 3
    decoder_layers: int = 10
    decoder_growth: int = 2
    kernel_size: OddSize = 3
    input_dropout: float = 0.3
    positional_encoding: bool = False
    squeeze_excitation: bool = False
    average_pooling: OddSize = 1


class ASFormerExtraConfig(ASFormerConfig):
    """The middle row of Table 1: positional encoding, squeeze-and-excitation and average pooling."""

    positional_encoding: bool = True
    squeeze_excitation: bool = True
    average_pooling: OddSize = 3


class ASFormer(Network):
    """The backbone as a frame classifier. With average pooling, the last stage classifies the smoothed features.

    >>> network = ASFormer(ASFormerConfig(), input_dim=64, classes=5)
    >>> output = network(torch.randn(1, 64, 100))
    >>> output.stages.shape, output.probabilities.shape
    (torch.Size([4, 1, 5, 100]), torch.Size([1, 5, 100]))
    """

    def __init__(self, config: ASFormerConfig, input_dim: int, classes: int) -> None:
        super().__init__(config, input_dim, classes)
        self.backbone = Backbone(config, input_dim, classes)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> FrameOutput:
        """features: (B, D, T) float, mask: (B, T) bool or None -> logits of the encoder and of every decoder."""
        smoothed, stages = self.backbone(features, mask)
        if self.config.average_pooling > 1:
            last = [self.backbone.encoder, *self.backbone.decoders][-1]
            stages = torch.cat((stages[:-1], kept(last.classify(smoothed), mask)[None]))
        return classified(stages, mask)
