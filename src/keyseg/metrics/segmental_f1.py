"""Segmental F1 at an overlap (Lea et al., CVPR 2017): counts segments, not frames, so over-segmentation costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keyseg.metrics.overlay import IdLabels, Overlay, overlay_all
from keyseg.metrics.percent import percent
from keyseg.timeline import ConfigError, FloatArray, IntArray

OVERLAPS = (0.1, 0.25, 0.5)
"""The three IoU thresholds in common use."""


@dataclass(frozen=True, slots=True)
class SegmentCounts:
    """Predicted segments that hit (tp) and that miss (fp), and reference segments that are never hit (fn)."""

    tp: int
    fp: int
    fn: int

    @property
    def f1(self) -> float:
        """2 tp / (2 tp + fp + fn) in percent; 100 if there are no segments on either side."""
        return float(percent(2 * self.tp, 2 * self.tp + self.fp + self.fn))

    def __add__(self, other: SegmentCounts) -> SegmentCounts:
        return SegmentCounts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)


def segmental_f1(
    reference: Sequence[IdLabels],
    prediction: Sequence[IdLabels],
    *,
    overlap: float = 0.5,
    background: Iterable[int] = (),
) -> float:
    """F1 of the segments in percent, counts pooled over all videos; 100 if there are no segments at all.

    reference, prediction: the videos in the same order, each a Segmentation or (T,) class ids. overlap: the IoU in
    (0, 1] at or above which a prediction hits. background: ids whose segments do not count. Raises ConfigError for
    another overlap, DataError if the numbers of videos or the lengths of a video differ.

    >>> segmental_f1([np.array([0, 0, 0, 1])], [np.array([0, 0, 1, 1])], overlap=0.6)
    50.0
    """
    ignored = np.fromiter(background, np.int64)
    counts = (segment_counts(pair, overlap, ignored) for pair in overlay_all(reference, prediction))
    return sum(counts, SegmentCounts(0, 0, 0)).f1


def segment_counts(pair: Overlay, overlap: float, background: IntArray) -> SegmentCounts:
    """Hits and misses of one video at one IoU, without the segments of `background` (ids)."""
    if not 0 < overlap <= 1:
        raise ConfigError(f"overlap must be an IoU with 0 < overlap <= 1, got {overlap}")
    counted = ~np.isin(pair.prediction.labels, background)
    hits = int((segment_hits(pair, (overlap,))[0] & counted).sum())
    annotated = int((~np.isin(pair.reference.labels, background)).sum())
    return SegmentCounts(hits, int(counted.sum()) - hits, annotated - hits)


def segment_hits(pair: Overlay, overlaps: Sequence[float], *, last_frame_short: bool = False) -> npt.NDArray[np.bool_]:
    """(len(overlaps), P): which predicted segments hit at each IoU threshold; see `segment_matches`."""
    hits = np.zeros((len(overlaps), len(pair.prediction)), np.bool_)
    for row, matches in zip(hits, segment_matches(pair, overlaps, last_frame_short=last_frame_short), strict=True):
        row[matches[1]] = True
    return hits


def segment_matches(pair: Overlay, overlaps: Sequence[float], *, last_frame_short: bool = False) -> list[IntArray]:
    """For each IoU threshold (2, N): indices of the N reference segments that are hit, and of the predictions.

    A prediction takes the reference segment of its class with the highest IoU, the first of equal ones. It hits if that
    IoU is at or above the threshold and no earlier prediction has hit that segment; it has no second choice.
    last_frame_short: both last segments end one frame early; a segment left without frames never hits.
    """
    iou = _overlap_ratio(pair, last_frame_short)[pair.agrees]
    annotated, predicted = pair.reference_index[pair.agrees], pair.prediction_index[pair.agrees]
    # The sort is stable and pieces are in time order, so the earliest of equal references comes first in its group.
    by_prediction = np.lexsort((-iou, predicted))
    best = by_prediction[np.unique(predicted[by_prediction], return_index=True)[1]]
    matches = []
    for overlap in overlaps:
        claims = best[iou[best] >= overlap]
        first = claims[np.unique(annotated[claims], return_index=True)[1]]
        matches.append(np.stack([annotated[first], predicted[first]]))
    return matches


def _overlap_ratio(pair: Overlay, last_frame_short: bool) -> FloatArray:
    """(N,) IoU of the two segments that share each piece."""
    shared = pair.frames.copy()
    annotated, predicted = np.diff(pair.reference.boundaries), np.diff(pair.prediction.boundaries)
    if last_frame_short:
        for lengths in (shared, annotated, predicted):
            lengths[-1:] -= 1
    union = annotated[pair.reference_index] + predicted[pair.prediction_index] - shared
    # Two one-frame segments at the end shrink to nothing: 0 / 1 instead of 0 / 0.
    return shared / np.maximum(union, 1)
