"""Frame-wise losses of the field: cross-entropy and truncated smoothing (Farha & Gall 2019)."""

from __future__ import annotations

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn import functional as F


def mean_over_videos(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over each video's steps, then over videos: (B, T), (B, T) bool -> scalar. Padding never counts."""
    present = mask.to(values.dtype)
    return ((values * present).sum(1) / present.sum(1).clamp_min(1)).mean()


def cross_entropy(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """logits: (B, C, T), labels: (B, T) class ids (anything where masked) -> scalar."""
    return mean_over_videos(F.cross_entropy(logits, labels.where(mask, 0), reduction="none"), mask)


def smoothing(logits: Tensor, mask: Tensor, limit: float = 16.0) -> Tensor:
    """Truncated mean squared change of log-probabilities between neighbouring steps, the earlier one detached."""
    if logits.shape[2] < 2:
        return logits.sum() * 0
    log_probability = F.log_softmax(logits, dim=1)
    change = (log_probability[:, :, 1:] - log_probability[:, :, :-1].detach()).square().clamp(max=limit)
    return mean_over_videos(change.mean(1), mask[:, 1:] & mask[:, :-1])


class FrameLossConfig(BaseModel):
    """Weight and limit of the smoothing loss."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    smoothing: float = Field(0.15, ge=0)
    limit: float = Field(16.0, gt=0, description="of a squared change of log-probability; more counts no more")


def frame_loss(stages: Tensor, labels: Tensor, mask: Tensor, smoothing_weight: float, limit: float = 16.0) -> Tensor:
    """Sum over stages (stages, B, C, T) of cross-entropy and weighted smoothing."""
    return torch.stack(
        [cross_entropy(logits, labels, mask) + smoothing_weight * smoothing(logits, mask, limit) for logits in stages]
    ).sum()
