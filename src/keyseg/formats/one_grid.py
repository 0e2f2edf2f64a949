"""Timelines of different files on one grid of frames: what can be compared frame by frame and drawn row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np

from keyseg.formats.annotation_files import read_annotations
from keyseg.formats.format import AS_IT_IS, AnnotationOptions
from keyseg.formats.frames import MOST_FRAMES
from keyseg.timeline import (
    Annotation,
    ConfigError,
    DataError,
    LabelMap,
    Overlap,
    Segmentation,
    TimelineError,
    class_name,
)

_GAP = "background"  # what times without a label are called in files that name no background


def read_with_rate(
    path: Path,
    fps: Fraction | None = None,
    *,
    fmt: str | None = None,
    background: Iterable[str] | None = None,
    options: AnnotationOptions = AS_IT_IS,
    videos: Iterable[str] = (),
    note: Callable[[str], None] = lambda text: None,
) -> tuple[list[Annotation], bool]:
    """The annotations of a file, and whether `fps` was needed: a rate that the file states itself comes first.

    The others are as in `read_annotations`. Raises DataError, and ConfigError where the rate is needed and None.
    """
    chosen = None if background is None else tuple(background)
    notes: list[str] = []
    read = partial(
        read_annotations, path, fmt, background=chosen, options=options, videos=tuple(videos), note=notes.append
    )
    try:
        annotations, needed = read(), False
    except (ConfigError, DataError):
        if fps is None:
            raise
        notes.clear()
        annotations, needed = read(fps=fps), True
    for text in notes:
        note(text)
    return annotations, needed


def on_one_grid(
    annotations: Sequence[Annotation], fps: Fraction, *, frames: int = 0, overlap: Overlap = "error"
) -> tuple[list[Segmentation], LabelMap]:
    """Annotations of one video as segmentations of one length at one rate, and the classes that occur in any of them.

    They last as long as the longest of them, or until `frames` if that is later. Times without a label get the first
    background class that any of them names. Raises TimelineError as `Annotation.frame_spans` does, and on more frames
    than a video has.

    >>> from keyseg.timeline import Interval
    >>> tea = [Annotation("tea", (Interval(1, 3, "pour"),)), Annotation("tea", (Interval(0, 4, "pour"),))]
    >>> rows, labels = on_one_grid(tea, Fraction(2))
    >>> rows[0].to_frames(), labels.names
    (array([0, 0, 1, 1, 1, 1, 0, 0]), ('background', 'pour'))
    """
    idle = [class_name(name) for annotation in annotations for name in annotation.background]
    gap = idle[0] if idle else _GAP
    spans = [annotation.frame_spans(fps, overlap=overlap) for annotation in annotations]
    frames = max([frames, *(length for _, length in spans)])
    if frames > MOST_FRAMES:
        raise TimelineError(f"{annotations[0].video}: {frames} frames are too many; is there a wrong time in the file?")
    rows = [_without_gaps([(a, b, class_name(i.label)) for a, b, i in row], frames, gap) for row, _ in spans]
    names = sorted({label for row in rows for _, label in row})
    labels = LabelMap(tuple(names), tuple(name for name in dict.fromkeys([*idle, gap]) if name in names))
    return [
        Segmentation(np.array([0, *(end for end, _ in row)]), labels.encode(label for _, label in row)) for row in rows
    ], labels


def _without_gaps(spans: Sequence[tuple[int, int, str]], frames: int, gap: str) -> list[tuple[int, str]]:
    """End frame (excluded) and class of segments that follow each other from frame 0 until `frames`."""
    segments: list[tuple[int, str]] = []
    reached = 0
    for start, end, label in spans:
        if start > reached:
            segments.append((start, gap))
        segments.append((end, label))
        reached = end
    if frames > reached and segments and segments[-1][1] == gap:
        segments.pop()  # the same segment, continued
    return [*segments, (frames, gap)] if frames > reached else segments
