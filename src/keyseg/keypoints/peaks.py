"""Decode heatmaps into keypoints: local maxima at or above a threshold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from keyseg.keypoints.points import ActionKeypoints, BoundaryKeypoints
from keyseg.timeline import IntArray, TimelineError

_Heatmap = npt.NDArray[np.floating]


def decode_actions(heatmap: _Heatmap, threshold: float, *, radius: int = 2, limit: int = 2000) -> ActionKeypoints:
    """Action keypoints of a heatmap (C, T) in [0, 1], in time order; times are step indices.

    A keypoint is the highest value within `radius` steps of its row, at or above `threshold`, and positive. Only the
    `limit` highest are kept. Raises TimelineError on another shape and on values that are not finite.

    >>> heatmap = np.array([[0.0, 0.2, 0.9, 0.3, 0.0], [0.5, 0.1, 0.0, 0.0, 0.1]])
    >>> keypoints = decode_actions(heatmap, 0.5)
    >>> keypoints.time.tolist(), keypoints.label.tolist(), keypoints.confidence.tolist()
    ([0.0, 2.0], [1, 0], [0.5, 0.9])
    """
    label, time = _peaks(_checked(heatmap, 2), threshold, radius, limit)
    return ActionKeypoints(time.astype(np.float64), label, heatmap[label, time].astype(np.float64))


def decode_boundaries(heatmap: _Heatmap, threshold: float, *, radius: int = 2, limit: int = 2000) -> BoundaryKeypoints:
    """Boundary keypoints of a heatmap (T,) in [0, 1], as `decode_actions`; step 0, the start, is never a boundary.

    >>> decode_boundaries(np.array([0.9, 0.1, 0.2, 0.7, 0.2]), 0.5).time.tolist()
    [3.0]
    """
    interior = _checked(heatmap, 1).copy()
    interior[:1] = 0
    _, time = _peaks(interior[None], threshold, radius, limit)
    return BoundaryKeypoints(time.astype(np.float64), interior[time].astype(np.float64))


def _peaks(rows: _Heatmap, threshold: float, radius: int, limit: int) -> tuple[IntArray, IntArray]:
    """Row and column of the positive local maxima at or above `threshold`; at most the `limit` highest.

    A maximum equals the largest value of its neighbourhood (max-pooling as non-maximum suppression). Of a plateau, the
    first step is the peak.
    """
    peak = (rows == _highest(rows, radius)) & (rows >= threshold) & (rows > 0)
    peak[:, 1:] &= ~((rows[:, 1:] == rows[:, :-1]) & peak[:, :-1])
    row, column = np.nonzero(peak)
    if len(row) > limit:
        best = np.sort(np.argsort(-rows[row, column], kind="stable")[:limit])
        row, column = row[best], column[best]
    return row.astype(np.int64), column.astype(np.int64)


def _highest(rows: _Heatmap, radius: int) -> _Heatmap:
    """The largest value within `radius` steps of each; windows grow by doubling, so a large radius costs little."""
    radius = min(radius, rows.shape[1])
    window, width = np.pad(rows, ((0, 0), (radius, radius)), "edge"), 1
    while 2 * width <= 2 * radius + 1:
        window = np.maximum(window[:, :-width], window[:, width:])
        width *= 2
    rest = 2 * radius + 1 - width
    return np.maximum(window[:, : window.shape[1] - rest], window[:, rest:])


def _checked(heatmap: _Heatmap, dimensions: int) -> _Heatmap:
    heatmap = np.asarray(heatmap)
    if heatmap.ndim != dimensions:
        raise TimelineError(f"expected a heatmap with {dimensions} dimensions, got shape {heatmap.shape}")
    if not np.isfinite(heatmap).all():
        raise TimelineError("the heatmap holds NaN or infinite values")
    return heatmap
