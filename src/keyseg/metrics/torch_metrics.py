"""The scores as torchmetrics classes for training loops: updated per video, summed over processes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from keyseg.metrics.alignment import Alignment, align_pair
from keyseg.metrics.edit import edit_similarity
from keyseg.metrics.percent import percent
from keyseg.metrics.segmental_f1 import SegmentCounts, segment_counts
from keyseg.timeline.extras import extra

with extra("train", "keyseg.metrics.torch_metrics"):
    from torchmetrics import Metric


class FrameAccuracy(Metric):
    """Percentage of frames with the right class, pooled over all videos.

    See `keyseg.metrics.frame_accuracy`.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    correct: Tensor
    frames: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("correct", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("frames", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add one video; prediction, target: (T,) class ids. Raises DataError if the lengths differ."""
        pair = _align(prediction, target)
        self.correct += pair.correct_frames
        self.frames += pair.reference.length

    def compute(self) -> Tensor:
        """Scalar float64 in percent."""
        return _scalar(percent(self.correct.item(), self.frames.item()), self.correct)


class SegmentalEdit(Metric):
    """Mean over videos of the edit similarity in percent, without the segments of `background` (ids).

    See `keyseg.metrics.edit_score`.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    similarity: Tensor
    videos: Tensor

    def __init__(self, background: Iterable[int] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.background = np.fromiter(background, np.int64)
        self.add_state("similarity", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("videos", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add one video; prediction, target: (T,) class ids. Raises DataError if the lengths differ."""
        self.similarity += edit_similarity(_align(prediction, target), self.background)
        self.videos += 1

    def compute(self) -> Tensor:
        """Scalar float64 in percent."""
        return _scalar(percent(self.similarity.item(), 100 * self.videos.item()), self.videos)


class SegmentalF1(Metric):
    """F1 of the segments at one IoU in percent, pooled over videos, without the segments of `background` (ids).

    See `keyseg.metrics.segmental_f1`.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    counts: Tensor

    def __init__(self, overlap: float = 0.5, background: Iterable[int] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.overlap = overlap
        self.background = np.fromiter(background, np.int64)
        self.add_state("counts", torch.zeros(3, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add one video; prediction, target: (T,) class ids. Raises DataError if the lengths differ."""
        counts = segment_counts(_align(prediction, target), self.overlap, self.background)
        self.counts += torch.tensor([counts.tp, counts.fp, counts.fn], device=self.counts.device)

    def compute(self) -> Tensor:
        """Scalar float64 in percent."""
        return _scalar(SegmentCounts(*self.counts.tolist()).f1, self.counts)


def _align(prediction: Tensor, target: Tensor) -> Alignment:
    return align_pair(target.detach().cpu().numpy(), prediction.detach().cpu().numpy())


def _scalar(score: Any, like: Tensor) -> Tensor:
    return torch.tensor(float(score), dtype=torch.float64, device=like.device)
