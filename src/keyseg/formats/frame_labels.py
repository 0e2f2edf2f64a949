"""The files of MS-TCN and others: one class name per line (txt), or all on one line after a `#` line (recog)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.frames import as_background, known_rate, segmented
from keyseg.timeline import Annotation, DataError, LabelMap, Segmentation, TimeBase, TimelineError
from keyseg.timeline.files import read_text, write_text

_MOST_TEXT = 100 * 2**20  # bytes: a week at 15 frames per second, with names of ten letters
_HEADER = "### Frame level recognition: ###"
# One word in the first line that does not start with two numbers, as a row of a table does; or nothing at all.
looks_txt = re.compile(r"\s*\Z|(?!\s*\d+([.,]\d+)?[,;]\d)[^\S\n]*\S+[^\S\n]*(\n|\Z)").match
looks_recog = re.compile(r"#+[^\S\n].*#[^\S\n]*(\n|\Z)").match
# A class name has no white space, so a class that starts with '#' is not mistaken for a comment.
_is_comment = re.compile(r"#\S*[^\S\n]+\S").match


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """One video, from either kind of file; background stays labelled. Raises DataError, ConfigError without a rate."""
    names = read_frame_labels(path, settings.encoding)
    timebase = TimeBase(known_rate(settings.fps, str(path)))
    background = as_background(settings, set(names))
    labels = LabelMap(tuple(sorted({*names, *background})), background)
    segmentation = Segmentation.from_frames(labels.encode(names))
    return [Annotation.of(path.stem, segmentation, labels, timebase, keep_background=True)]


def write_txt(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """One class name per line. Raises ConfigError without a rate, TimelineError."""
    return "".join(f"{name}\n" * count for name, count in _runs(annotations, settings))


def write_recog(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """All class names on the second line. Raises ConfigError without a rate, TimelineError."""
    line = " ".join(f"{name} " * (count - 1) + name for name, count in _runs(annotations, settings))
    if _is_comment(line):
        raise TimelineError(f"{annotations[0].video}: {line[:80]!r} would be read as a comment; write csv instead")
    return f"{_HEADER}\n{line}\n"


def _runs(annotations: Sequence[Annotation], settings: WriteSettings) -> list[tuple[str, int]]:
    """The class of each segment and its number of frames. Raises TimelineError where they are no file of a video."""
    (annotation,) = annotations
    segmentation, labels, _ = segmented(annotation, settings)
    runs = [(labels.names[segment.label], segment.length) for segment in segmentation]
    size = sum((len(name.encode()) + 1) * count for name, count in runs)
    if size > _MOST_TEXT:
        raise TimelineError(
            f"{annotation.video}: one label for each of {segmentation.length} frames is a file of {size >> 20} MiB; is"
            " there a wrong time in the file? Otherwise write csv, which has one line per segment"
        )
    return runs


def read_frame_labels(path: Path, encoding: str | None = "utf-8") -> list[str]:
    """One class name per frame, from a file with one per line, or with all on one line after a `### ... ###` line; in
    Unicode's form NFC.

    Blank lines at the end are ignored; an empty file has no frames. Raises DataError with file and line.
    """
    return locate_frame_labels(path, encoding)[0]


def locate_frame_labels(path: Path, encoding: str | None = "utf-8") -> tuple[list[str], int | None]:
    """As `read_frame_labels`, and the line that holds all labels; None: the label of frame i is on line i + 1."""
    text = unicodedata.normalize("NFC", read_text(path, "one class name per line", encoding))
    lines = text.rstrip().split("\n")
    if _is_comment(lines[0]):
        return _recog(path, lines)
    names = text.split()
    if names == lines or not names:  # nearly all files, and much faster than line by line
        return names, None
    for number, line in enumerate(lines, 1):
        if len(line.split()) != 1:
            raise DataError(f"{path}:{number}: expected one class name without white space, got {line[:80]!r}")
    return names, None


def _recog(path: Path, lines: list[str]) -> tuple[list[str], int | None]:
    """Labels on the line after the last comment (some tools write the score and the transcript before it)."""
    start = max(number for number, line in enumerate(lines) if _is_comment(line)) + 1
    filled = [number for number in range(start, len(lines)) if lines[number].strip()]
    if len(filled) > 1:
        raise DataError(
            f"{path}:{filled[1] + 1}: expected all labels on one line after the '#' line, got {lines[filled[1]][:80]!r}"
        )
    return (lines[filled[0]].split(), filled[0] + 1) if filled else ([], None)


def write_frame_labels(path: Path, names: Iterable[str]) -> None:
    """Write one class name per frame, each on a line; the file appears whole or not at all.

    Raises DataError on a name that is empty or has white space, since it could not be read back.
    """
    names = list(names)
    bad = {name for name in set(names) if name.split() != [name]}
    if bad:
        frame = next(i for i, name in enumerate(names) if name in bad)
        raise DataError(f"{path}: cannot write frame {frame}: a class name has no white space, got {names[frame]!r}")
    try:
        write_text(path, "".join(f"{name}\n" for name in names))
    except OSError as error:
        raise DataError(f"{path}: cannot write the labels ({error})") from error
