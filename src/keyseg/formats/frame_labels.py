"""The field's files: one class name a frame, a line each (txt), or on one line after a line of `#` (recog)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from keyseg.formats.format import Reading, Writing
from keyseg.formats.frames import as_background, rate_given, segmented
from keyseg.timeline import Annotation, DataError, LabelMap, Segmentation, TimeBase
from keyseg.timeline.files import read_text, write_text

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


@dataclass(frozen=True)
class LocatedLabels:
    """Class names, one a frame, and the line of the file that holds all of them (None: frame i is on line i + 1)."""

    names: list[str]
    single_line: int | None = None

    def line(self, frame: int) -> int:
        """Line number, from 1, on which the label of a frame stands."""
        return self.single_line or frame + 1


def read_frame_labels(path: Path) -> list[str]:
    """Class names, one a frame, (T,): one a line, or after a `### ... ###` line all on one line.

    Blank lines at the end are ignored; an empty file has no frames. Raises DataError with file and line.
    """
    return locate_frame_labels(path).names


def locate_frame_labels(path: Path) -> LocatedLabels:
    """As `read_frame_labels`, with the place of each label in the file for messages."""
    text = read_text(path, "one class name a line")
    lines = text.rstrip().split("\n")
    if _is_comment(lines[0]):
        return _recog(path, lines)
    names = text.split()
    # Comparing whole lists runs at C speed, so files without stray blanks, nearly all, never see a Python loop.
    if names == lines or not names:
        return LocatedLabels(names)
    for number, line in enumerate(lines, 1):
        if len(line.split()) != 1:
            raise DataError(f"{path}:{number}: expected one class name without blanks, got {line[:80]!r}")
    return LocatedLabels(names)


def _is_comment(line: str) -> bool:
    # A class name has no blanks, so a class that starts with '#' is not taken for a comment.
    return line.startswith("#") and len(line.split()) > 1


def _recog(path: Path, lines: list[str]) -> LocatedLabels:
    """Labels on the line after the last comment line (some tools write the score and the transcript before it)."""
    start = max(number for number, line in enumerate(lines) if _is_comment(line)) + 1
    filled = [number for number in range(start, len(lines)) if lines[number].strip()]
    if len(filled) > 1:
        raise DataError(
            f"{path}:{filled[1] + 1}: expected all labels on one line after the '#' line, got {lines[filled[1]][:80]!r}"
        )
    return LocatedLabels(lines[filled[0]].split(), filled[0] + 1) if filled else LocatedLabels([])


def write_frame_labels(path: Path, names: Iterable[str]) -> None:
    """Write class names, one a frame, one a line; the file appears whole or not at all.

    Raises DataError on a name that is empty or has blanks, since it could not be read back.
    """
    names = list(names)
    # Few distinct names stand for many frames, so only those are looked at.
    bad = {name for name in set(names) if name.split() != [name]}
    if bad:
        frame = next(i for i, name in enumerate(names) if name in bad)
        raise DataError(f"{path}: cannot write frame {frame}: a class name has no blanks, got {names[frame]!r}")
    try:
        write_text(path, "".join(f"{name}\n" for name in names))
    except OSError as error:
        raise DataError(f"{path}: cannot write the labels ({error})") from error
