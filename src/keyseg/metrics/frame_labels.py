"""Turn users' labels (names or ids, per frame or as segments) into aligned segmentations with dense ids."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from keyseg.metrics.overlay import Overlay, overlay_pair
from keyseg.timeline import DataError, IntArray, LabelMap, Segmentation, TimelineError


@dataclass(frozen=True, eq=False)
class LabelRuns(Sequence[str]):
    """One class name per frame, kept by segments, so that long videos take no memory.

    >>> from keyseg.timeline import LabelMap
    >>> runs = LabelRuns(Segmentation([0, 2, 3], [1, 0]), LabelMap(("rest", "pour")))
    >>> list(runs), runs[2], len(runs)
    (['pour', 'pour', 'rest'], 'rest', 3)
    """

    segmentation: Segmentation
    labels: LabelMap

    @classmethod
    def of(cls, names: Sequence[str]) -> LabelRuns:
        """Of one class name per frame."""
        labels = LabelMap(tuple(sorted(set(names))))
        return cls(Segmentation.from_frames(labels.encode(names)), labels)

    @property
    def runs(self) -> list[tuple[str, int]]:
        """The class and the end frame of each segment; neighbours differ."""
        merged = self.segmentation.merged()
        names = self.labels.decode(merged.labels.tolist())
        return list(zip(names, merged.boundaries[1:].tolist(), strict=True))

    @property
    def classes(self) -> set[str]:
        """Those that occur."""
        return {name for name, _ in self.runs}

    def __eq__(self, other: object) -> bool:
        return self.runs == other.runs if isinstance(other, LabelRuns) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self.runs))

    def __len__(self) -> int:
        return self.segmentation.length

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        frames = range(len(self))[index]
        if isinstance(frames, int):
            return self.labels.names[int(self.segmentation.at(frames))]
        return [self.labels.names[label] for label in self.segmentation.at(list(frames)).tolist()]

    def __iter__(self) -> Iterator[str]:
        for segment in self.segmentation:
            yield from repeat(self.labels.names[segment.label], segment.length)


FrameLabels = Segmentation | npt.NDArray[np.integer] | Sequence[str] | Sequence[int]
"""One video: a Segmentation, one class id per frame (T,), or one class name per frame, in any Unicode form."""

_IdsByLabel = defaultdict[str | int, int]


def align_videos(
    reference: Mapping[str, FrameLabels], prediction: Mapping[str, FrameLabels]
) -> tuple[dict[str, Overlay], tuple[str | int, ...]]:
    """The videos by name, sorted, with renumbered labels, and the classes: the name, or the user's id, of each new id.

    Raises DataError naming every video that is missing, extra, or of another length; also if there are no videos, if
    values are not labels, or if names and ids are mixed.
    """
    _check_videos(reference, prediction)
    ids: _IdsByLabel = defaultdict()
    ids.default_factory = ids.__len__
    pairs = {}
    for video in sorted(reference):
        annotated = _segmentation(reference[video], ids, f"reference of video {video!r}")
        predicted = _segmentation(prediction[video], ids, f"prediction of video {video!r}")
        pairs[video] = overlay_pair(annotated, predicted)
    return pairs, tuple(ids)


def _check_videos(reference: Mapping[str, FrameLabels], prediction: Mapping[str, FrameLabels]) -> None:
    if not reference and not prediction:
        raise DataError("there is no video to score: reference and prediction are both empty")
    missing, extra = sorted(set(reference) - set(prediction)), sorted(set(prediction) - set(reference))
    unequal = [
        f"{video} ({annotated} in the reference, {predicted} predicted)"
        for video in sorted(set(reference) & set(prediction))
        if (annotated := _length(reference[video])) != (predicted := _length(prediction[video]))
    ]
    lists = {
        "missing predictions": missing,
        "extra predictions without a reference": extra,
        "different numbers of frames": unequal,
    }
    problems = [f"{what} ({len(videos)}): {', '.join(videos)}" for what, videos in lists.items() if videos]
    if problems:
        raise DataError(
            "every reference video needs one prediction of the same number of frames; " + "; ".join(problems)
        )


def _length(labels: FrameLabels) -> int:
    return labels.length if isinstance(labels, Segmentation) else len(labels)


def _segmentation(labels: FrameLabels, ids: _IdsByLabel, where: str) -> Segmentation:
    """Run-length encode and renumber; a new label takes the next id."""
    try:
        if isinstance(labels, Segmentation):
            return _renumbered(labels, ids, where)
        if isinstance(labels, str):
            raise DataError(f"{where}: expected one label per frame, got the single string {labels!r}")
        if isinstance(labels, LabelRuns):
            names = labels.labels.decode(labels.segmentation.labels.tolist())
            return Segmentation(labels.segmentation.boundaries, _numbers(names, ids, where))
        values: Any = labels.tolist() if isinstance(labels, np.ndarray) and labels.dtype.kind in "UTO" else labels
        if len(values) and isinstance(values[0], str):
            names = [unicodedata.normalize("NFC", name) if isinstance(name, str) else name for name in values]
            return Segmentation.from_frames(_numbers(names, ids, where))
        return _renumbered(Segmentation.from_frames(values), ids, where)
    except TimelineError as error:
        raise DataError(f"{where}: {error}") from error


def _renumbered(segmentation: Segmentation, ids: _IdsByLabel, where: str) -> Segmentation:
    return Segmentation(segmentation.boundaries, _numbers(segmentation.labels.tolist(), ids, where))


def _numbers(labels: Sequence[str] | Sequence[int], ids: _IdsByLabel, where: str) -> IntArray:
    """(n,) ids of labels. Raises DataError if names and ids are mixed."""
    known = len(ids)
    numbers = np.fromiter(map(ids.__getitem__, labels), np.int64, len(labels))
    if len(ids) > known:
        first, *rest = ids
        named = isinstance(first, str)
        mixed = [label for label in rest if isinstance(label, str) != named]
        if mixed:
            raise DataError(
                f"{where}: {mixed[0]!r} is a class {'id' if named else 'name'}, but earlier labels ({first!r}) are"
                f" {'names' if named else 'ids'}; the two cannot be compared, convert one of them with a LabelMap"
            )
    return numbers
