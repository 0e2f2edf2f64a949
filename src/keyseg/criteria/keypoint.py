"""The keypoint generator's loss: penalty-reduced focal loss on heatmaps."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def focal_loss(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Penalty-reduced focal loss (Law & Deng 2018): logits, target (B, R, T), mask (B, T) -> scalar.

    A target of exactly 1 is a positive: -(1 - p)^2 log p. All else is a negative whose penalty falls near a positive:
    -(1 - y)^4 p^2 log(1 - p). Each video's sum is divided by its number of positives, then the videos' mean is taken.
    """
    probability = logits.sigmoid()
    positive = ((target == 1) & mask[:, None, :]).to(logits.dtype)
    hit = (1 - probability).square() * F.logsigmoid(logits) * positive
    miss = (1 - target) ** 4 * probability.square() * F.logsigmoid(-logits) * (1 - positive)
    total = -((hit + miss) * mask[:, None, :]).sum((1, 2))
    return (total / positive.sum((1, 2)).clamp_min(1)).mean()
