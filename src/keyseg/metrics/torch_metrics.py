"""The scores as torchmetrics classes for training loops: updated per video, summed over processes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from keyseg.metrics.edit import edit_similarity
from keyseg.metrics.overlay import Overlay, overlay_pair
from keyseg.metrics.percent import percent
from keyseg.metrics.segmental_f1 import segment_counts
from keyseg.timeline.extras import extra

with extra("train", "keyseg.metrics.torch_metrics"):
    from torchmetrics import Metric


class _PooledMetric(Metric):
    """The percentage that a part is of a whole, both summed over videos and processes; float64 holds counts exactly."""

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    def __init__(self, *settings: object, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # A MetricCollection merges metrics whose states have one name and are equal after the first video.
        self._state = f"{type(self).__name__}{settings}"
        self.add_state(self._state, torch.zeros(2, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add one video; prediction, target: (T,) class ids. Raises DataError if the lengths differ."""
        pair = overlay_pair(target.detach().cpu().numpy(), prediction.detach().cpu().numpy())
        sums = getattr(self, self._state)
        setattr(self, self._state, sums + sums.new_tensor(self._parts(pair)))

    def compute(self) -> Tensor:
        """Scalar float64 in percent."""
        sums = getattr(self, self._state)
        return sums.new_tensor(percent(*sums.tolist()))  # type: ignore[no-any-return]

    @abstractmethod
    def _parts(self, pair: Overlay) -> tuple[float, float]:
        """Part and whole of one video."""


class FrameAccuracy(_PooledMetric):
    """Percentage of frames with the right class, pooled over all videos.

    See `keyseg.metrics.accuracy.frame_accuracy`.
    """

    def _parts(self, pair: Overlay) -> tuple[float, float]:
        return pair.correct_frames, pair.reference.length


class SegmentalEdit(_PooledMetric):
    """Mean over videos of the edit similarity in percent, without the segments of `background` (ids).

    See `keyseg.metrics.edit.edit_score`.
    """

    def __init__(self, background: Iterable[int] = (), **kwargs: Any) -> None:
        ids = tuple(background)
        super().__init__(ids, **kwargs)
        self.background = np.array(ids, np.int64)

    def _parts(self, pair: Overlay) -> tuple[float, float]:
        return edit_similarity(pair, self.background), 100


class SegmentalF1(_PooledMetric):
    """F1 of the segments at one IoU in percent, pooled over videos, without the segments of `background` (ids).

    See `keyseg.metrics.segmental_f1.segmental_f1`.
    """

    def __init__(self, overlap: float = 0.5, background: Iterable[int] = (), **kwargs: Any) -> None:
        ids = tuple(background)
        super().__init__(overlap, ids, **kwargs)
        self.overlap, self.background = overlap, np.array(ids, np.int64)

    def _parts(self, pair: Overlay) -> tuple[float, float]:
        counts = segment_counts(pair, self.overlap, self.background)
        return 2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn
