"""BCN's barriers, which are high where segments change, and pooling that stops at them (Wang et al., ECCV 2020)."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from keyseg.models.layers import OddSize, kept
from keyseg.models.stages import DilatedResidualLayer
from keyseg.timeline.validation import Section

_BEYOND = 20.0  # barrier of missing steps, so that nothing is pooled from them
_TINY = 4.5399929762484854e-05  # exp(-10), added to the sum of the weights
_SOFTNESS = 0.01  # the published program divides the barrier's logit by 100
# A barrier counts for smoothing if it exceeds 0.8, or exceeds 0.3 and is a peak; strictly, as in the published program.
_SURE, _PEAK = 0.8, 0.3


class BarrierGeneratorConfig(Section):
    """Sizes of the barrier generator."""

    channels: int = Field(256, ge=1, le=4096, description="of every layer")
    dilations: tuple[Annotated[int, Field(ge=1, le=2**15)], ...] = Field((4, 8, 16), description="of its layers")
    dropout: float = Field(0.5, ge=0, lt=1, description="in every layer")


class PoolingConfig(Section):
    """One local barrier pooling."""

    width: Annotated[OddSize, Field(le=10_001)] = Field(description="in steps")
    alpha: float = Field(gt=0, le=1e6, description="how strongly a barrier hides the steps beyond it")


class BarrierGenerator(nn.Module):
    """Turns features into the probability that a segment starts or ends, at every step."""

    def __init__(self, config: BarrierGeneratorConfig, input_dim: int) -> None:
        super().__init__()
        self.input = nn.Conv1d(input_dim, config.channels, 1)
        self.layers = nn.ModuleList(
            DilatedResidualLayer(config.channels, dilation, config.dropout) for dilation in config.dilations
        )
        self.out = nn.Conv1d(config.channels, 1, 1)

    def forward(self, features: Tensor, mask: Tensor | None) -> Tensor:
        """features: (B, D, T), mask: (B, T) or None -> barrier (B, T) in (0, 1), and 0 where masked."""
        x = kept(self.input(kept(features, mask)), mask)
        for layer in self.layers:
            x = layer(x, mask)
        logit = self.out(x).squeeze(1)
        logit = logit.to(torch.promote_types(logit.dtype, torch.float32))  # half would round high barriers to 1
        barrier = torch.sigmoid(_SOFTNESS * logit)
        return barrier if mask is None else barrier * mask


def barrier_pooling(x: Tensor, barrier: Tensor, mask: Tensor, pooling: PoolingConfig) -> Tensor:
    """Average the surroundings of each step with weights exp(-alpha * barriers on the way): x (B, C, T) -> (B, C, T).

    barrier, mask: (B, T). As in the published program, the barriers of the far step and of the step itself count, and
    missing steps are zeros with a barrier of 20. Time and memory are linear in T.
    """
    half = pooling.width // 2
    barriers = F.pad(torch.where(mask, barrier, _BEYOND), (half, half), value=_BEYOND)
    around = barriers.unfold(1, pooling.width, 1)  # (B, T, K), the step itself in the middle
    left = around[..., : half + 1].flip(-1).cumsum(-1).flip(-1)[..., :-1]
    right = around[..., half:].cumsum(-1)[..., 1:]
    weight = torch.exp(-pooling.alpha * torch.cat((left, torch.zeros_like(around[..., :1]), right), dim=-1))
    values = F.pad(x * mask[:, None, :], (half, half)).unfold(2, pooling.width, 1)  # (B, C, T, K), a view
    pooled = torch.einsum("bctk,btk->bct", values, weight)
    return pooled / (weight.sum(-1) + _TINY)[:, None, :] * mask[:, None, :]


def barrier_peaks(barrier: Tensor, mask: Tensor) -> Tensor:
    """The barriers that count for smoothing, (B, T): above 0.8, or peaks above 0.3; 0 elsewhere."""
    padded = F.pad(torch.where(mask, barrier, torch.inf), (1, 1), value=torch.inf)
    peak = (barrier > padded[:, :-2]) & (barrier > padded[:, 2:]) & (barrier > _PEAK)
    return barrier * ((barrier > _SURE) | peak) * mask
