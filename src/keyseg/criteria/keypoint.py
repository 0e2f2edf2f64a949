"""The keypoint generator's loss: penalty-reduced focal loss on heatmaps."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def focal_loss(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Penalty-reduced focal loss (Law & Deng 2018): logits, target (B, R, T), mask (B, T) -> scalar.

    A target y of exactly 1 is a positive and costs -(1 - p)^2 log p. Every other target is a negative and costs less
    near a positive: -(1 - y)^4 p^2 log(1 - p). The sum of each video is divided by its number of positives; the loss is
    the mean over videos.
    """
    probability = logits.sigmoid()
    positive = ((target == 1) & mask[:, None, :]).to(logits.dtype)
    hit = (1 - probability).square() * F.logsigmoid(logits) * positive
    miss = (1 - target) ** 4 * probability.square() * F.logsigmoid(-logits) * (1 - positive)
    total = -((hit + miss) * mask[:, None, :]).sum((1, 2))
    return (total / positive.sum((1, 2)).clamp_min(1)).mean()
