"""Action and boundary keypoints of a video, as arrays in time order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from keyseg.timeline import FloatArray, IntArray, TimelineError


@dataclass(frozen=True, slots=True, eq=False)
class _Keypoints:
    """Arrays of equal length, sorted by time."""

    time: FloatArray

    def __post_init__(self) -> None:
        arrays = {name: _checked(getattr(self, name), name) for name in self._fields()}
        if len({len(array) for array in arrays.values()}) > 1:
            got = ", ".join(f"{name} {len(array)}" for name, array in arrays.items())
            raise TimelineError(f"keypoint arrays must have the same length, got {got}")
        order = np.argsort(arrays["time"], kind="stable")
        for name, array in arrays.items():
            array = array[order]
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @classmethod
    def _fields(cls) -> list[str]:
        return [field.name for field in fields(cls)]

    @classmethod
    def of(cls, points: _Keypoints | Iterable[Sequence[float]]) -> Self:
        """From tuples of the fields' values in any order; keypoints are returned as they are."""
        if isinstance(points, _Keypoints):
            assert isinstance(points, cls)
            return points
        return cls(*np.array(list(points), np.float64).reshape(-1, len(cls._fields())).T)

    def select(self, index: Any) -> Self:
        """The keypoints at `index`: a mask or integers."""
        return type(self)(*(getattr(self, name)[index] for name in self._fields()))

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, slots=True, eq=False)
class ActionKeypoints(_Keypoints):
    """K candidates for segments, in time order: the set S0 of the supplement, section B.

    time: (K,) real, the centre of the segment in frames (or steps). label: (K,) class id.
    confidence: (K,) in [0, 1]. Raises TimelineError if lengths differ or a number is not finite.
    """

    label: IntArray
    confidence: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class BoundaryKeypoints(_Keypoints):
    """K class-agnostic candidates for boundaries, in time order: the set S1 of the supplement, section B.

    time: (K,) real, the first frame (or step) of the segment that begins there. confidence: (K,) in [0, 1].
    """

    confidence: FloatArray


def _checked(values: Any, name: str) -> npt.NDArray[Any]:
    if name == "label":
        return np.asarray(values).astype(np.int64)
    array = np.asarray(values, np.float64)
    if array.ndim != 1:
        raise TimelineError(f"keypoint {name} must have one dimension, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise TimelineError(f"keypoint {name} must be finite, got {array[~np.isfinite(array)][0]}")
    return array
