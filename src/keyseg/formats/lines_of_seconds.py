"""Text files with one interval in seconds per line: Audacity's label tracks and NIST's RTTM."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from keyseg.formats.flaws import SegmentRow, checked
from keyseg.formats.format import ReadSettings, WriteSettings, by_video
from keyseg.formats.frame_table import shows_frames, whole_numbers, zeros_in_front
from keyseg.formats.text import edges, number, one_line
from keyseg.timeline import Annotation, DataError, class_name
from keyseg.timeline.files import read_text

_SPECTRAL = "\\"  # in Audacity, starts a line with the frequencies of the label above it
# Other types of lines in RTTM; they label no interval.
_OTHERS = {"SPKR-INFO", "SEGMENT", "LEXEME", "NON-LEX", "NON-SPEECH", "NOSCORE", "NO_RT_METADATA", "SU", "IP", "CB"}
_OTHERS |= {"EDIT", "FILLER", "A/P"}
_AUDACITY = re.compile(r"\d+([.,]\d+)?\t\d+([.,]\d+)?(\t|\n|$)")
looks_rttm = re.compile(r"^SPEAKER +\S+ +\S+ +[\d.]+ ", re.MULTILINE).search


def looks_audacity(text: str) -> bool:
    """Two numbers between tabs in the first line, and no table of frames."""
    return _AUDACITY.match(text) is not None and not shows_frames(text)


def read_audacity(path: Path, settings: ReadSettings) -> list[Annotation]:
    """One video; lines of frequencies are skipped, and whole numbers, which Audacity does not write, are noted. Numbers
    may have decimal commas.

    Raises DataError with file and line, also on a point label, and on zeros in front of numbers, which are of frames.
    """
    text = read_text(path, "Audacity labels", settings.encoding)
    if zeros_in_front(text):
        raise DataError(f"{path}: the numbers are those of frames, not seconds; use --from frames --fps RATE")
    if text.strip() and whole_numbers(text):
        settings.note(f"{path}: whole numbers are read as seconds; if they are frames, use --from frames --fps RATE")
    labels = []
    for line, where in _lines(path, "Audacity labels", settings.encoding):
        if line.startswith(_SPECTRAL):
            continue
        cells = line.split("\t")
        if len(cells) != 3:
            raise DataError(f"{where}: expected start, end and label with tabs between, got {line[:80]!r}")
        start, end = (number(cell.replace(",", "."), where) for cell in cells[:2])
        labels.append(SegmentRow(path.stem, start, end, cells[2], where))
    return [Annotation(path.stem, tuple(checked(labels, settings).get(path.stem, ())), None, settings.fps)]


def write_audacity(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """Start, end and label between tabs; seconds have six decimals. Raises DataError, TimelineError."""
    (annotation,) = annotations
    return "".join(f"{start}\t{end}\t{one_line(label)}\n" for start, end, label in edges(annotation, 6))


def read_rttm(path: Path, settings: ReadSettings) -> list[Annotation]:
    """The files named in SPEAKER lines, as videos, in the order of their first lines. Raises DataError."""
    return by_video(checked(_rttm_rows(path, settings), settings), settings)


def write_rttm(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """Ten fields, the label in that of the speaker's name; seconds have six decimals. Labels become class names.

    Raises DataError, TimelineError.
    """
    lines = []
    for annotation in annotations:
        if annotation.video.split() != [annotation.video]:
            raise DataError(f"RTTM cannot hold a video name with white space, got {annotation.video!r}; rename it")
        for start, end, label in edges(annotation, 6):
            name = class_name(one_line(label))
            lines.append(f"SPEAKER {annotation.video} 1 {start} {end - start} <NA> <NA> {name} <NA> <NA>\n")
    return "".join(lines)


def _lines(path: Path, holds: str, encoding: str | None) -> Iterator[tuple[str, str]]:
    """The lines with text, each with its place."""
    for at, line in enumerate(read_text(path, holds, encoding).split("\n"), 1):
        if line.strip():
            yield line, f"{path}:{at}"


def _rttm_rows(path: Path, settings: ReadSettings) -> Iterator[SegmentRow]:
    for line, where in _lines(path, "RTTM lines", settings.encoding):
        fields = line.split()
        if fields[0].startswith(";") or fields[0] in _OTHERS:
            continue
        if fields[0] != "SPEAKER" or not 8 <= len(fields) <= 10:
            raise DataError(f"{where}: expected SPEAKER and nine fields, got {line[:80]!r}")
        start, length = number(fields[3], where), number(fields[4], where)
        score = None if len(fields) < 9 or fields[8] in ("<NA>", "<UNKNOWN>") else float(number(fields[8], where))
        yield SegmentRow(fields[1], start, start + length, fields[7], where, score)
