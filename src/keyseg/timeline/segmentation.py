"""Segments and segmentations: half-open integer frame intervals that tile a video."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from keyseg.timeline.errors import TimelineError

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One action: frames `start_frame` (included) to `end_frame` (excluded) carry class id `label`.

    >>> Segment(3, 14, label=0).length
    11
    """

    start_frame: int
    end_frame: int
    label: int

    def __post_init__(self) -> None:
        if self.start_frame < 0 or self.end_frame <= self.start_frame:
            raise TimelineError(
                f"a segment needs 0 <= start < end, got [{self.start_frame}, {self.end_frame}) with label {self.label}"
            )
        if self.label < 0:
            raise TimelineError(f"a label is a class id >= 0, got {self.label} at frame {self.start_frame}")

    @property
    def length(self) -> int:
        """Number of frames."""
        return self.end_frame - self.start_frame


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """Segments that tile [0, T) without gap or overlap; an empty video has none.

    boundaries: (S + 1,) int64, strictly increasing, from 0 to T. An empty video has the single boundary 0.
    labels: (S,) int64 class ids. Neighbours may carry the same label (an action done twice); `merged` joins them.

    >>> video = Segmentation.from_frames([2, 2, 2, 0, 1, 1])
    >>> video
    Segmentation(3 segments, 6 frames)
    >>> video[0], len(video[1:])
    (Segment(start_frame=0, end_frame=3, label=2), 2)
    >>> video == Segmentation([0, 3, 4, 6], [2, 0, 1])
    True
    """

    boundaries: IntArray
    labels: IntArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "boundaries", _frozen_integers(self.boundaries, "boundaries"))
        object.__setattr__(self, "labels", _frozen_integers(self.labels, "labels"))
        if len(self.boundaries) != len(self.labels) + 1:
            raise TimelineError(
                f"S segments have S + 1 boundaries, got {len(self.labels)} labels and {len(self.boundaries)} boundaries"
            )
        if self.boundaries[0] != 0:
            raise TimelineError(f"a segmentation starts at frame 0, got {self.boundaries[0]}")
        steps = np.diff(self.boundaries)
        if (steps <= 0).any():
            where = int(np.argmax(steps <= 0))
            raise TimelineError(
                f"boundaries must strictly increase, got {self.boundaries[where]} then {self.boundaries[where + 1]}"
                f" at segment {where}"
            )
        if (self.labels < 0).any():
            raise TimelineError(f"labels are class ids >= 0, got {self.labels.min()}")

    @classmethod
    def from_frames(cls, frames: npt.ArrayLike) -> Segmentation:
        """Run-length encode one class id per frame, (T,) integers, into maximal segments."""
        ids = _frozen_integers(frames, "frames")
        if ids.size == 0:
            return cls(np.zeros(1, np.int64), np.zeros(0, np.int64))
        starts = np.concatenate(([0], np.flatnonzero(np.diff(ids)) + 1))
        return cls(np.append(starts, ids.size), ids[starts])

    @classmethod
    def from_segments(cls, segments: Iterable[Segment]) -> Segmentation:
        """Build from segments in any order. Raises TimelineError naming the first gap or overlap."""
        ordered = sorted(segments)
        reached = 0
        for segment in ordered:
            if segment.start_frame != reached:
                kind = "gap" if segment.start_frame > reached else "overlap"
                raise TimelineError(f"{kind}: frame {reached} was reached, the next segment is {segment}")
            reached = segment.end_frame
        return cls(np.array([0, *(s.end_frame for s in ordered)]), np.array([s.label for s in ordered]))

    def to_frames(self) -> IntArray:
        """One class id per frame, (T,) int64."""
        return np.repeat(self.labels, np.diff(self.boundaries))

    def merged(self) -> Segmentation:
        """The same frames with neighbours of one class joined."""
        kept = np.append(np.diff(self.labels) != 0, True)[: len(self)]
        return Segmentation(np.append(0, self.boundaries[1:][kept]), self.labels[kept])

    def at(self, frames: npt.ArrayLike) -> IntArray:
        """Class ids of some frames, given by their numbers. Raises TimelineError on one outside the video.

        >>> Segmentation.from_frames([2, 2, 0]).at([0, 2]).tolist()
        [2, 0]
        """
        asked = np.asarray(frames, np.int64)
        if asked.size and not 0 <= asked.min() <= asked.max() < self.length:
            raise TimelineError(
                f"the video has frames 0 to {self.length - 1}, asked for {asked.min()} to {asked.max()}"
            )
        return np.asarray(self.labels[np.searchsorted(self.boundaries, asked, side="right") - 1], np.int64)

    @property
    def length(self) -> int:
        """T, in frames."""
        return int(self.boundaries[-1])

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segments in time order."""
        return tuple(self)

    def __iter__(self) -> Iterator[Segment]:
        bounds = self.boundaries.tolist()
        for start, end, label in zip(bounds[:-1], bounds[1:], self.labels.tolist(), strict=True):
            yield Segment(start, end, label)

    def __len__(self) -> int:
        return len(self.labels)

    @overload
    def __getitem__(self, index: int) -> Segment: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Segment, ...]: ...

    def __getitem__(self, index: int | slice) -> Segment | tuple[Segment, ...]:
        """One segment, or a tuple of them for a slice, as of `segments`. Raises IndexError."""
        return self.segments[index]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Segmentation):
            return NotImplemented
        return np.array_equal(self.boundaries, other.boundaries) and np.array_equal(self.labels, other.labels)

    def __hash__(self) -> int:
        return hash((self.boundaries.tobytes(), self.labels.tobytes()))

    def __repr__(self) -> str:
        return f"Segmentation({len(self)} segments, {self.length} frames)"


def _frozen_integers(values: Any, what: str) -> IntArray:
    array = np.asarray(values)
    if array.ndim != 1:
        raise TimelineError(f"{what} must have one dimension, got shape {array.shape}")
    if array.size and array.dtype.kind not in "iu":
        raise TimelineError(f"{what} must be integers, got {array.dtype}")
    array = array.astype(np.int64)
    array.setflags(write=False)
    return array
