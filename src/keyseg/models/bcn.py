"""BCN (Wang et al., ECCV 2020): a cascade of stages, mixed per step, fused, and smoothed between barriers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor, nn

from keyseg.models.barrier import (
    BarrierGenerator,
    BarrierGeneratorConfig,
    PoolingConfig,
    barrier_peaks,
    barrier_pooling,
)
from keyseg.models.layers import kept, mask_of
from keyseg.models.network import Network
from keyseg.models.stages import DilatedStage, FrameOutput
from keyseg.timeline.validation import Section

_LOWEST = 1e-4  # as in the published program, the fusion's probabilities are clamped to [1e-4, 1 - 1e-4]


class BCNConfig(Section):
    """Every size of the network; the defaults are those published for 50Salads."""

    channels: int = Field(256, ge=1, le=4096, description="of the cascade stages")
    cascade_stages: int = Field(3, ge=1, le=16, description="number of stages before the fusion")
    layers: int = Field(12, ge=1, le=16, description="of every stage")
    fusion_channels: int = Field(64, ge=1, le=4096, description="of the fusion stage")
    dropout: float = Field(0.5, ge=0, lt=1, description="in every layer of the stages")
    input_dropout: float = Field(0.0, ge=0, lt=1, description="of whole input channels; 0 as published")
    sure: float = Field(0.8, ge=0, le=1, description="confidence above which a step counts less in the next stage")
    barrier: BarrierGeneratorConfig = BarrierGeneratorConfig()
    inner_pooling: PoolingConfig = Field(PoolingConfig(width=7, alpha=1.0), description="of the mixed stages")
    output_pooling: PoolingConfig = Field(PoolingConfig(width=99, alpha=0.2), description="of the fusion stage")
    smoothing: PoolingConfig = Field(PoolingConfig(width=99, alpha=2.0), description="of the result, in inference")
    smoothing_passes: int = Field(4, ge=0, le=100, description="how often the result is smoothed")


@dataclass(frozen=True)
class Cascade:
    """Output of the cascade stages and the barrier generator: logits (stages, B, C, T), barrier (B, T), mask (B, T).

    padding: the mask again, or None where no video is padded.
    """

    logits: Tensor
    barrier: Tensor
    mask: Tensor
    padding: Tensor | None = None

    def confidence(self) -> Tensor:
        """Highest class probability of each stage at each step, (stages, B, T): weighs the stages without labels."""
        return torch.softmax(self.logits, dim=2).amax(2).detach()


class BCN(Network):
    """Cascade, barriers and fusion.

    Training weighs the stages by the probability of the true class, inference by the highest probability. So `cascade`
    and `fuse` can be called separately, and neither sees a label.

    >>> network = BCN(BCNConfig(), input_dim=64, classes=5)
    >>> output = network(torch.randn(1, 64, 100))
    >>> output.stages.shape, output.probabilities.shape
    (torch.Size([4, 1, 5, 100]), torch.Size([1, 5, 100]))
    """

    def __init__(self, config: BCNConfig, input_dim: int, classes: int) -> None:
        super().__init__(config, input_dim, classes)
        self.input_dropout = nn.Dropout1d(config.input_dropout)
        self.stages = nn.ModuleList(
            DilatedStage(input_dim + i * config.channels, config.channels, classes, config.layers, config.dropout)
            for i in range(config.cascade_stages)
        )
        self.fusion = DilatedStage(classes, config.fusion_channels, classes, config.layers, config.dropout)
        self.barrier = BarrierGenerator(config.barrier, input_dim)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> FrameOutput:
        """features: (B, D, T) float, mask: (B, T) bool or None -> logits of the cascade, probabilities of fusion."""
        cascade = self.cascade(features, mask)
        fused = self.fuse(cascade, stage_weights(cascade.confidence(), cascade.mask, self.config.sure))
        return FrameOutput(torch.cat((cascade.logits, fused[None])), self.smooth(fused, cascade), cascade.mask)

    def cascade(self, features: Tensor, mask: Tensor | None) -> Cascade:
        """Run the stages; each reads the features of all stages before it, in order, and the input."""
        features = kept(self.input_dropout(features), mask)
        hidden: list[Tensor] = []
        stages = []
        for stage in self.stages:
            x, logits = stage(features, mask, hidden)
            hidden.append(x)
            stages.append(logits)
        return Cascade(torch.stack(stages), self.barrier(features, mask), mask_of(features, mask), mask)

    def fuse(self, cascade: Cascade, weights: Tensor) -> Tensor:
        """Probabilities (B, C, T), masked: the stages mixed by weights (stages, B, T), pooled, refined, pooled."""
        mask, barrier = cascade.mask, cascade.barrier
        share = weights / weights.sum(0).clamp_min(1e-6)
        mixed = (torch.softmax(cascade.logits, dim=2) * share[:, :, None, :]).sum(0) * mask[:, None, :]
        mixed = barrier_pooling(mixed, barrier, mask, self.config.inner_pooling)
        _, logits = self.fusion(mixed, cascade.padding)
        logits = barrier_pooling(logits, barrier, mask, self.config.output_pooling)
        return torch.softmax(logits, dim=1).clamp(_LOWEST, 1 - _LOWEST) * mask[:, None, :]

    def smooth(self, fused: Tensor, cascade: Cascade) -> Tensor:
        """The result (B, C, T): the fusion's probabilities, pooled between the barriers that count."""
        barrier = barrier_peaks(cascade.barrier, cascade.mask)
        for _ in range(self.config.smoothing_passes):
            fused = barrier_pooling(fused, barrier, cascade.mask, self.config.smoothing)
        return fused


def stage_weights(confidence: Tensor, mask: Tensor, sure: float) -> Tensor:
    """Weights (stages, B, T) of the stages at each step, from their confidence (stages, B, T); 0 where masked.

    The first stage has weight 1. Every other one has exp(-c) where the stage before it was sure (c > sure, strictly as
    in the published program) and exp(c) elsewhere, with c the confidence of that stage: what one stage knows, the next
    one need not learn again.
    """
    confidence = confidence.detach()[:-1]
    later = torch.where(confidence > sure, torch.exp(-confidence), torch.exp(confidence))
    return torch.cat((torch.ones_like(mask, dtype=later.dtype)[None], later)) * mask


def class_confidence(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """Probability of the true class: logits (stages, B, C, T), labels (B, T) -> (stages, B, T), 0 where masked."""
    index = labels.where(mask, 0)[None, :, None].expand(len(logits), -1, -1, -1)
    return torch.softmax(logits, dim=2).gather(2, index).squeeze(2).detach() * mask
