"""Annotations as the frames that some formats count in."""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction

from keyseg.formats.format import Reading, Writing
from keyseg.timeline import (
    Annotation,
    ConfigError,
    DataError,
    LabelMap,
    Segmentation,
    TimeBase,
    TimelineError,
    class_name,
)

_MOST_FRAMES = 100_000_000  # half a gigabyte of labels: a time in a damaged file, no video


def rate_of(annotation: Annotation, writing: Writing) -> Fraction:
    """Frames a second to write at. Raises ConfigError where neither the annotation nor the user says it."""
    fps = writing.fps or annotation.fps
    if fps is None:
        raise ConfigError(
            f"{annotation.video}: this format counts frames, and nothing says how many a second has; give --fps"
        )
    return fps


def rate_given(reading: Reading, where: str) -> Fraction:
    """Frames a second to read at. Raises ConfigError where the user did not say it."""
    if reading.fps is None:
        raise ConfigError(f"{where}: this file counts frames and does not say how many a second has; give --fps")
    return reading.fps


def on_frames(annotation: Annotation, writing: Writing) -> tuple[list[tuple[int, int, str]], int, Fraction]:
    """First frame, first frame after it and label of each interval, the length in frames, and the rate.

    Raises ConfigError without a rate, TimelineError as `Annotation.frame_spans` does.
    """
    fps = rate_of(annotation, writing)
    spans, length = annotation.frame_spans(fps, frames=writing.frames, overlap=writing.overlap)
    return [(start, end, interval.label) for start, end, interval in spans], length, fps


def segmented(annotation: Annotation, writing: Writing) -> tuple[Segmentation, LabelMap, TimeBase]:
    """A class for each frame: those of `writing`, or the labels that occur as class names, and one for gaps.

    Raises ConfigError without a rate, TimelineError as `Annotation.segmentation` does, DataError where two labels would
    be one class.
    """
    fps = rate_of(annotation, writing)
    background = annotation.background or writing.background
    labels = writing.labels or _classes(annotation, background)
    found = annotation.segmentation(labels, fps, frames=writing.frames, overlap=writing.overlap)
    if found.length > _MOST_FRAMES:
        raise TimelineError(
            f"{annotation.video}: {found.length} frames are no video; is there a wrong time in the file?"
        )
    if writing.labels is None and not annotation.background:
        labels, found = _without_unused_background(labels, found)
    return found, labels, TimeBase(fps)


def _classes(annotation: Annotation, background: tuple[str, ...]) -> LabelMap:
    names: dict[str, str] = {}
    for label in annotation.labels:
        name = class_name(label)
        if names.setdefault(name, label) != label:
            raise DataError(
                f"{annotation.video}: the labels {names[name]!r} and {label!r} would both be the class {name!r}"
            )
    idle = tuple(dict.fromkeys(map(class_name, background)))
    return LabelMap(tuple(sorted({*names, *idle})), idle)


def _without_unused_background(labels: LabelMap, found: Segmentation) -> tuple[LabelMap, Segmentation]:
    """Without the class for gaps where there was no gap."""
    used = {labels.names[index] for index in set(found.labels.tolist())}
    if set(labels.background) <= used:
        return labels, found
    kept = tuple(name for name in labels.names if name in used or name not in labels.background)
    fewer = LabelMap(kept, tuple(name for name in labels.background if name in used))
    return fewer, Segmentation(found.boundaries, fewer.encode(labels.decode(found.labels.tolist())))


def as_background(reading: Reading, labels: Collection[str]) -> tuple[str, ...]:
    """Which labels of a file of frames are no actions: those that the user named, or `background` where it occurs."""
    if reading.background is not None:
        return reading.background
    return ("background",) if "background" in labels else ()
