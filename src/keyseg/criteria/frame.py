"""Frame-wise losses: cross-entropy and truncated smoothing (Farha & Gall 2019)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from keyseg.timeline.validation import Section


def mean_over_videos(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the steps of each video, then over videos: (B, T), (B, T) bool -> scalar. Padding does not count."""
    present = mask.to(values.dtype)
    return ((values * present).sum(1) / present.sum(1).clamp_min(1)).mean()


def cross_entropy(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """logits: (B, C, T), labels: (B, T) class ids (anything where masked) -> scalar."""
    return mean_over_videos(F.cross_entropy(logits, labels.where(mask, 0), reduction="none"), mask)


def smoothing(logits: Tensor, mask: Tensor, limit: float = 16.0) -> Tensor:
    """Mean squared change of log-probability from step to step, truncated at `limit`, the earlier step detached."""
    if logits.shape[2] < 2:
        return logits.sum() * 0
    log_probability = F.log_softmax(logits, dim=1)
    change = (log_probability[:, :, 1:] - log_probability[:, :, :-1].detach()).square().clamp(max=limit)
    return mean_over_videos(change.mean(1), mask[:, 1:] & mask[:, :-1])


class FrameLossConfig(Section):
    """Weight and limit of the smoothing loss."""

    smoothing: float = Field(0.15, ge=0, description="weight of the smoothing loss")
    limit: float = Field(16.0, gt=0, description="at which squared changes of log-probability are truncated")


def frame_loss(stages: Tensor, labels: Tensor, mask: Tensor, smoothing_weight: float, limit: float = 16.0) -> Tensor:
    """Cross-entropy plus weighted smoothing, summed over the stages (stages, B, C, T)."""
    return torch.stack(
        [cross_entropy(logits, labels, mask) + smoothing_weight * smoothing(logits, mask, limit) for logits in stages]
    ).sum()
