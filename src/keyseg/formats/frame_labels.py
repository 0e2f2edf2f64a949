"""The field's files: one class name a frame, a line each (txt), or on one line after a line of `#` (recog)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from keyseg.data.annotations import read_frame_labels
from keyseg.formats.format import Reading, Writing
from keyseg.formats.frames import as_background, rate_given, segmented
from keyseg.timeline import Annotation, LabelMap, Segmentation, TimeBase

_HEADER = "### Frame level recognition: ###"


def read(path: Path, reading: Reading) -> list[Annotation]:
    """One video, from either kind of file; background stays labelled. Raises ConfigError without a rate, DataError."""
    names = read_frame_labels(path)
    timebase = TimeBase(rate_given(reading, str(path)))
    background = as_background(reading, set(names))
    labels = LabelMap(tuple(sorted({*names, *background})), background)
    found = Segmentation.from_frames(labels.encode(names))
    return [Annotation.of(path.stem, found, labels, timebase, keep_background=True)]


def write_txt(annotations: Sequence[Annotation], writing: Writing) -> str:
    """A class name a line. Raises ConfigError without a rate, TimelineError."""
    (annotation,) = annotations
    return "".join(f"{name}\n" for name in _names(annotation, writing))


def write_recog(annotations: Sequence[Annotation], writing: Writing) -> str:
    """All class names on the second line. Raises ConfigError without a rate, TimelineError."""
    (annotation,) = annotations
    return f"{_HEADER}\n{' '.join(_names(annotation, writing))}\n"


def looks_txt(text: str) -> bool:
    """A name without blanks in the first line, or no line at all."""
    first = text.split("\n", 1)[0]
    return not text.strip() or (len(first.split()) == 1 and not looks_recog(text))


def looks_recog(text: str) -> bool:
    """A line of `#` and words first."""
    first = text.split("\n", 1)[0]
    return first.startswith("#") and len(first.split()) > 1


def _names(annotation: Annotation, writing: Writing) -> list[str]:
    segmentation, labels, _ = segmented(annotation, writing)
    return labels.decode(segmentation.to_frames())
