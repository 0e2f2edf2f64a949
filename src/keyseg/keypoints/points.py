"""Action and boundary keypoints of a video, as arrays in time order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from keyseg.timeline import FloatArray, IntArray, TimelineError


@dataclass(frozen=True, slots=True, eq=False)
class ActionKeypoints:
    """K candidates for segments, in time order: the set S0 of the supplement, section B.

    time: (K,) real, the centre of the segment in frames (or steps). label: (K,) class id.
    confidence: (K,) in [0, 1]. Raises TimelineError if lengths differ or a number is not finite.
    """

    time: FloatArray
    label: IntArray
    confidence: FloatArray

    def __post_init__(self) -> None:
        time, confidence = _finite(self.time, "time"), _finite(self.confidence, "confidence")
        label = np.asarray(self.label).astype(np.int64)
        _same_length(time=time, label=label, confidence=confidence)
        order = np.argsort(time, kind="stable")
        _set(self, time=time[order], label=label[order], confidence=confidence[order])

    @classmethod
    def of(cls, points: ActionKeypoints | Iterable[tuple[float, int, float]]) -> ActionKeypoints:
        """From (time, label, confidence) triples in any order; keypoints are returned as they are."""
        if isinstance(points, ActionKeypoints):
            return points
        rows = np.array(list(points), np.float64).reshape(-1, 3)
        return cls(rows[:, 0], rows[:, 1].astype(np.int64), rows[:, 2])

    def select(self, index: Any) -> ActionKeypoints:
        """The keypoints at `index`: a mask or integers."""
        return ActionKeypoints(self.time[index], self.label[index], self.confidence[index])

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, slots=True, eq=False)
class BoundaryKeypoints:
    """K class-agnostic candidates for boundaries, in time order: the set S1 of the supplement, section B.

    time: (K,) real, the first frame (or step) of the segment that begins there. confidence: (K,) in [0, 1].
    """

    time: FloatArray
    confidence: FloatArray

    def __post_init__(self) -> None:
        time, confidence = _finite(self.time, "time"), _finite(self.confidence, "confidence")
        _same_length(time=time, confidence=confidence)
        order = np.argsort(time, kind="stable")
        _set(self, time=time[order], confidence=confidence[order])

    @classmethod
    def of(cls, points: BoundaryKeypoints | Iterable[tuple[float, float]]) -> BoundaryKeypoints:
        """From (time, confidence) pairs in any order; keypoints are returned as they are."""
        if isinstance(points, BoundaryKeypoints):
            return points
        rows = np.array(list(points), np.float64).reshape(-1, 2)
        return cls(rows[:, 0], rows[:, 1])

    def select(self, index: Any) -> BoundaryKeypoints:
        """The keypoints at `index`: a mask or integers."""
        return BoundaryKeypoints(self.time[index], self.confidence[index])

    def __len__(self) -> int:
        return len(self.time)


def _finite(values: Any, what: str) -> FloatArray:
    array = np.asarray(values, np.float64)
    if array.ndim != 1:
        raise TimelineError(f"keypoint {what} must have one dimension, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise TimelineError(f"keypoint {what} must be finite, got {array[~np.isfinite(array)][0]}")
    return array


def _same_length(**arrays: npt.NDArray[Any]) -> None:
    if len({len(a) for a in arrays.values()}) > 1:
        got = ", ".join(f"{name} {len(a)}" for name, a in arrays.items())
        raise TimelineError(f"keypoint arrays must have the same length, got {got}")


def _set(points: Any, **arrays: npt.NDArray[Any]) -> None:
    for name, array in arrays.items():
        array.setflags(write=False)
        object.__setattr__(points, name, array)
