"""BCN's losses (Wang et al. 2020): weighted cascade stages, the fusion stage, and the barrier generator."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from keyseg.criteria.frame import mean_over_videos, smoothing
from keyseg.models.bcn import Cascade
from keyseg.timeline import Segmentation
from keyseg.timeline.validation import Section


class BCNLossConfig(Section):
    """Weights of the smoothing losses."""

    smoothing: float = Field(0.3, ge=0, description="weight for each cascade stage")
    fusion_smoothing: float = Field(0.5, ge=0, description="weight for the fusion stage")
    limit: float = Field(8.0, gt=0, description="at which squared changes of log-probability are truncated")


def cascade_losses(
    cascade: Cascade, fused: Tensor, weights: Tensor, labels: Tensor, config: BCNLossConfig
) -> dict[str, Tensor]:
    """Losses by name. fused: (B, C, T) probabilities; weights: (stages, B, T); labels: (B, T) class ids.

    The cross-entropy of a stage is weighted per step, with the weights rescaled per video so that all stages count the
    same. As in the published program, the smoothing of the fusion treats its probabilities as logits.
    """
    mask = cascade.mask
    labels = labels.where(mask, 0)
    stages = []
    for logits, weight in zip(cascade.logits, weights, strict=True):
        scale = weights[0].sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp_min(1e-6)
        entropy = F.cross_entropy(logits, labels, reduction="none")
        stages.append(mean_over_videos(scale * weight * entropy, mask))
        stages.append(config.smoothing * smoothing(logits, mask, config.limit))
    truth = fused.gather(1, labels[:, None]).squeeze(1)
    fusion = mean_over_videos(-torch.log(truth.where(mask, 1.0)), mask)
    return {
        "cascade": torch.stack(stages).sum(),
        "fusion": fusion + config.fusion_smoothing * smoothing(fused, mask, config.limit),
    }


def barrier_loss(barrier: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy in which the barrier steps and the other steps of a video count the same: (B, T) each -> scalar."""
    positive = target * mask
    steps = mask.sum(1, keepdim=True).to(barrier.dtype)
    count = positive.sum(1, keepdim=True)
    on_barrier = 0.5 * steps / count.clamp_min(1)
    elsewhere = 0.5 * steps / (steps - count).clamp_min(1)
    hit = on_barrier * positive * torch.log(barrier + 1e-5)
    miss = elsewhere * (1 - positive) * torch.log(1 - 0.999999 * barrier)
    return mean_over_videos(-(hit + miss), mask)


def barrier_target(segmentation: Segmentation, background: Collection[int], share: float) -> npt.NDArray[np.float32]:
    """Where an action starts or ends, (T,) 0 or 1, from segments in steps.

    A band as wide as `share` of the action is centred on its first step and on its end. A step is in the band if more
    than half of it lies inside, so an action of up to 1 / share steps has none. Background segments have no bands. All
    of this follows the published program.
    """
    target = np.zeros(segmentation.length, np.float32)
    last = segmentation.length - 1
    for segment in segmentation:
        if segment.label in background:
            continue
        end = min(segment.end_frame, last)  # as in the published program: the last action ends one step early
        reach = share * (end - segment.start_frame) / 2
        for centre in (segment.start_frame, end):
            first, after = max(0, int(np.floor(centre - reach))), int(np.ceil(centre + reach))
            step = np.arange(first, min(after, segmentation.length))
            inside = np.minimum(step + 1, centre + reach) - np.maximum(step, centre - reach)
            target[step[inside > 0.5]] = 1
    return target
