"""Annotations as frames, for the formats that count in them."""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction

from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.timeline import (
    Annotation,
    ConfigError,
    DataError,
    Interval,
    LabelMap,
    Segmentation,
    TimeBase,
    TimelineError,
    class_name,
)

MOST_FRAMES = 100_000_000  # half a gigabyte of labels: a wrong time in a damaged file


def known_rate(fps: Fraction | None, where: str) -> Fraction:
    """A frame rate that must be known. Raises ConfigError if it is None."""
    if fps is None:
        raise ConfigError(f"{where}: this format counts frames, and the frame rate is unknown; give --fps")
    return fps


def on_frames(annotation: Annotation, settings: WriteSettings) -> tuple[list[tuple[int, int, Interval]], int, Fraction]:
    """Start frame, end frame (excluded) and interval of each span, the length in frames, and the rate.

    Raises ConfigError without a rate, TimelineError as `Annotation.frame_spans` does.
    """
    fps = known_rate(settings.fps or annotation.fps, annotation.video)
    spans, length = annotation.frame_spans(fps, frames=settings.frames, overlap=settings.overlap)
    return spans, length, fps


def scores_at(annotation: Annotation, settings: WriteSettings) -> dict[int, float]:
    """The scores of the spans that have one, by start frame. Raises as `on_frames` does."""
    spans, _, _ = on_frames(annotation, settings)
    return {start: interval.score for start, _, interval in spans if interval.score is not None}


def segmented(annotation: Annotation, settings: WriteSettings) -> tuple[Segmentation, LabelMap, TimeBase]:
    """A class for every frame: one of `settings.labels`, or of the labels that occur and a background for gaps.

    Raises ConfigError without a rate, TimelineError as `Annotation.segmentation` does, and DataError where two labels
    would become one class.
    """
    fps = known_rate(settings.fps or annotation.fps, annotation.video)
    background = annotation.background or settings.background
    labels = settings.labels or _classes(annotation, background)
    segmentation = annotation.segmentation(labels, fps, frames=settings.frames, overlap=settings.overlap)
    if segmentation.length > MOST_FRAMES:
        raise TimelineError(
            f"{annotation.video}: {segmentation.length} frames are too many; is there a wrong time in the file?"
        )
    if settings.labels is None and not annotation.background:
        used = set(labels.decode(set(segmentation.labels.tolist())))
        background = tuple(name for name in labels.background if name in used)
        names = labels.names
        labels = LabelMap(tuple(n for n in names if n in used or n not in labels.background), background)
        ids = labels.encode(names[index] for index in segmentation.labels.tolist())
        segmentation = Segmentation(segmentation.boundaries, ids)
    return segmentation, labels, TimeBase(fps)


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


def written_labels(annotation: Annotation, settings: WriteSettings) -> dict[str, str]:
    """What a table says instead of the names of classes: the labels themselves, if the settings keep their spaces."""
    return {class_name(label): label for label in annotation.labels} if settings.spaces else {}


def as_background(settings: ReadSettings, labels: Collection[str]) -> tuple[str, ...]:
    """Which labels of a file are not actions: those that the user named, or `background` if it occurs."""
    if settings.background is not None:
        return settings.background
    return ("background",) if "background" in labels else ()
