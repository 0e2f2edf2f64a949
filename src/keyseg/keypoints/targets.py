"""Encode a segmentation as heatmaps, the training targets of the keypoint head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keyseg.timeline import Segmentation

_ACTION_WIDTH = 1 / 6  # sigma of an action's bump divided by its length: 3 sigma reach its ends
_BOUNDARY_WIDTH = 0.1  # sigma of a boundary's bump divided by the length of its shorter neighbour
_REACH = 4  # in sigma; a bump is cut off there, at exp(-8)


@dataclass(frozen=True, slots=True)
class Heatmaps:
    """action: (C, T) float32, boundary: (T,) float32; both in [0, 1] with exactly 1 at every keypoint."""

    action: npt.NDArray[np.float32]
    boundary: npt.NDArray[np.float32]


def encode(segmentation: Segmentation, classes: int) -> Heatmaps:
    """Gaussian bumps at segment centres, one row per class, and at interior boundaries, in the segmentation's unit.

    A segment [s, e) has its centre at (s + e - 1) / 2 and sigma = max(1, length / 6). A boundary is at the first frame
    of the new segment and has sigma = max(1, a tenth of the shorter neighbour). 0 and T are not boundaries. A
    half-integer centre has its exact 1 at the frame below. The cost is linear in T.

    >>> heatmaps = encode(Segmentation.from_frames([0] * 5 + [1] * 5), classes=2)
    >>> heatmaps.action.shape, heatmaps.action.argmax(1).tolist(), heatmaps.boundary.argmax().item()
    ((2, 10), [2, 7], 5)
    """
    length = segmentation.length
    action = np.zeros((classes, length), np.float32)
    boundary = np.zeros(length, np.float32)
    for segment in segmentation:
        centre = (segment.start_frame + segment.end_frame - 1) / 2
        _add_bump(action[segment.label], centre, max(1.0, segment.length * _ACTION_WIDTH))
    lengths = np.diff(segmentation.boundaries)
    for index, frame in enumerate(segmentation.boundaries[1:-1]):
        shorter = min(lengths[index], lengths[index + 1])
        _add_bump(boundary, float(frame), max(1.0, shorter * _BOUNDARY_WIDTH))
    return Heatmaps(action, boundary)


def _add_bump(row: npt.NDArray[np.float32], centre: float, sigma: float) -> None:
    """Raise `row` in place to exp(-(t - centre)^2 / 2 sigma^2) near `centre`."""
    start = max(0, int(np.floor(centre - _REACH * sigma)))
    end = min(len(row), int(np.ceil(centre + _REACH * sigma)) + 1)
    bump = np.exp(-((np.arange(start, end) - centre) ** 2) / (2 * sigma**2))
    np.maximum(row[start:end], bump, out=row[start:end], casting="same_kind")
    row[int(centre)] = 1.0
