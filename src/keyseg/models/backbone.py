"""The modified ASFormer backbone of RTK (supplement, section C; Yi et al. 2021)."""

from __future__ import annotations

import math
from typing import Annotated, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from keyseg.models.attention import LocalAttention
from keyseg.models.cpu_attention import Window
from keyseg.models.layers import (
    Dropout,
    MaskedConv1d,
    OddSize,
    SqueezeExcitation,
    added,
    average_pool,
    instance_norm,
    kept,
    on_cpu,
    positional_encoding,
)
from keyseg.timeline.validation import Section

_WIDEST = 2**15  # dilation and window, in steps


class BackboneConfig(Section):
    """Sizes of encoder and decoders, and a switch for each extra module of the supplement's Table 1."""

    channels: int = Field(64, ge=2, le=4096, multiple_of=2, description="of every layer")
    encoder_layers: int = Field(10, ge=1, le=16, description="encoder layer i has dilation and window 2 ** i")
    decoders: int = Field(1, ge=0, le=16, description="number of decoders after the encoder")
    decoder_layers: int = Field(5, ge=1, le=16, description="of each decoder")
    decoder_growth: int = Field(4, ge=1, le=8, description="decoder layer i has dilation and window growth ** i")
    kernel_size: OddSize = Field(5, description="width of the dilated convolutions")
    window: Window = Field(
        "published", description="of attention: that of ASFormer's program, or banded, centred on each step"
    )
    query_reduction: int = Field(2, ge=1, le=64, description="channels divided by those of queries and keys")
    value_reduction: int = Field(2, ge=1, le=64, description="channels divided by those of values")
    input_dropout: float = Field(0.5, ge=0, lt=1, description="of whole input channels")
    layer_dropout: float = Field(0.5, ge=0, lt=1, description="after every layer")
    positional_encoding: bool = Field(True, description="add the position in the video to the encoder's input")
    squeeze_excitation: bool = Field(True, description="weigh channels by the mean over the video in every layer")
    average_pooling: Annotated[OddSize, Field(le=10_001)] = Field(
        3, description="width of the moving average of the last features; 1 disables it"
    )

    @model_validator(mode="after")
    def _layers_that_can_be(self) -> Self:
        widest = self.decoder_growth ** (self.decoder_layers - 1)
        if widest > _WIDEST:
            raise ValueError(f"the last layer of a decoder would have the dilation {widest}, above {_WIDEST}")
        if max(self.query_reduction, self.value_reduction) > self.channels:
            raise ValueError(f"query_reduction and value_reduction are at most the {self.channels} channels")
        return self


class AttentionBlock(nn.Module):
    """One layer: dilated convolution, instance norm, local attention, 1x1 convolution, residual."""

    def __init__(self, config: BackboneConfig, dilation: int, *, cross: bool) -> None:
        super().__init__()
        channels = config.channels
        self.feed_forward = MaskedConv1d(channels, channels, config.kernel_size, dilation=dilation)
        self.gate = SqueezeExcitation(channels) if config.squeeze_excitation else None
        self.attention = LocalAttention(
            channels,
            channels,
            channels,
            dilation,
            config.window,
            query_reduction=config.query_reduction,
            value_reduction=config.value_reduction,
        )
        self.out = nn.Conv1d(channels, channels, 1)
        self.dropout = Dropout(config.layer_dropout)
        self.cross = cross

    def forward(self, x: Tensor, source: Tensor, mask: Tensor | None, alpha: float) -> Tensor:
        """x: (B, F, T); source: (B, F, T) features of the previous stage, a decoder's attention values."""
        hidden: Tensor = self.feed_forward(x, mask).relu_()
        if self.gate is not None:
            hidden = self.gate(hidden, mask)
        normed = instance_norm(hidden, mask)
        values = source if self.cross else normed
        if on_cpu(x):
            return kept(self._at_once(x, hidden, self.attention.attended(normed, values, mask), alpha), mask)
        attended: Tensor = self.attention(normed, values, mask)
        hidden = self.dropout(self.out(added(attended.mul_(alpha), hidden)))
        return kept(added(hidden, x), mask)

    def _at_once(self, x: Tensor, hidden: Tensor, attended: Tensor, alpha: float) -> Tensor:
        """Both 1x1 convolutions after attention as one, and in a prediction the residual too: each pass over a video
        through memory costs as much as half of such a product."""
        inner, weight = self.attention.out, self.out.weight[:, :, 0]
        assert self.out.bias is not None
        assert inner.bias is not None
        through = alpha * weight @ inner.weight[:, :, 0]
        bias = (self.out.bias + alpha * weight @ inner.bias)[:, None]
        weight, through = (each.expand(len(x), *each.shape) for each in (weight, through))
        if self.training:
            return added(self.dropout(torch.baddbmm(bias, weight, hidden).baddbmm_(through, attended)), x)
        return (x + bias).baddbmm_(weight, hidden).baddbmm_(through, attended)


class Stage(nn.Module):
    """An encoder or a decoder: 1x1 input, attention blocks of growing dilation, 1x1 frame classifier."""

    def __init__(self, config: BackboneConfig, input_dim: int, classes: int, *, decoder: bool) -> None:
        super().__init__()
        layers = config.decoder_layers if decoder else config.encoder_layers
        growth = config.decoder_growth if decoder else 2
        self.input = nn.Conv1d(input_dim, config.channels, 1)
        self.blocks = nn.ModuleList(AttentionBlock(config, growth**i, cross=decoder) for i in range(layers))
        self.classify = nn.Conv1d(config.channels, classes, 1)
        self.encode_position = config.positional_encoding and not decoder

    def forward(self, x: Tensor, source: Tensor | None, mask: Tensor | None, alpha: float) -> tuple[Tensor, Tensor]:
        """x: (B, D, T) -> features (B, F, T), frame logits (B, C, T)."""
        x = self.input(x)
        if self.encode_position:
            x = x + positional_encoding(x.shape[2], x.shape[1], x.device)
        x = kept(x, mask)
        for block in self.blocks:
            x = block(x, x if source is None else source, mask, alpha)
        return x, kept(self.classify(x), mask)


class Backbone(nn.Module):
    """Encoder and decoders; every stage also classifies frames."""

    def __init__(self, config: BackboneConfig, input_dim: int, classes: int) -> None:
        super().__init__()
        self.input_dropout = nn.Dropout1d(config.input_dropout)
        self.encoder = Stage(config, input_dim, classes, decoder=False)
        self.decoders = nn.ModuleList(Stage(config, classes, classes, decoder=True) for _ in range(config.decoders))
        self.smoothing = config.average_pooling

    def forward(self, features: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """features: (B, D, T), mask: (B, T) or None -> features (B, F, T), frame logits (stages, B, C, T)."""
        x, logits = self.encoder(kept(self.input_dropout(features), mask), None, mask, 1.0)
        stages = [logits]
        for number, decoder in enumerate(self.decoders):
            probabilities = kept(torch.softmax(logits, dim=1), mask)
            x, logits = decoder(probabilities, x, mask, math.exp(-3.0 * number))
            stages.append(logits)
        if self.smoothing > 1:
            x = average_pool(x, mask, self.smoothing)
        return x, torch.stack(stages)
