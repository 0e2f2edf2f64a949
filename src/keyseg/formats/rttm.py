"""NIST's RTTM: one line per interval, with ten fields; the label is in the field of the speaker's name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.seconds import decimal_text, edges, seconds
from keyseg.formats.text import interval, one_line
from keyseg.timeline import Annotation, DataError, Interval, class_name
from keyseg.timeline.files import read_text

# Other types of lines in RTTM; they label no interval.
_OTHERS = {"SPKR-INFO", "SEGMENT", "LEXEME", "NON-LEX", "NON-SPEECH", "NOSCORE", "NO_RT_METADATA", "SU", "IP", "CB"}
_OTHERS |= {"EDIT", "FILLER", "A/P"}


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """The files named in SPEAKER lines, as videos, in the order of their first lines. Raises DataError."""
    videos: dict[str, list[Interval]] = {}
    for number, line in enumerate(read_text(path, "RTTM lines").split("\n"), 1):
        fields, where = line.split(), f"{path}:{number}"
        if not fields or line.lstrip().startswith(";") or fields[0] in _OTHERS:
            continue
        if fields[0] != "SPEAKER" or not 8 <= len(fields) <= 10:
            raise DataError(f"{where}: expected SPEAKER and nine fields, got {line[:80]!r}")
        start, length = seconds(fields[3], where), seconds(fields[4], where)
        videos.setdefault(fields[1], []).append(interval(start, start + length, fields[7], where))
    return [Annotation(video, tuple(intervals), None, settings.fps) for video, intervals in videos.items()]


def write(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """Seconds with six decimals; labels become class names. Raises DataError, TimelineError."""
    lines = []
    for annotation in annotations:
        if annotation.video.split() != [annotation.video]:
            raise DataError(f"RTTM cannot hold a video name with white space, got {annotation.video!r}; rename it")
        for start, end, label in edges(annotation, 6):
            times = f"{decimal_text(start)} {decimal_text(end - start)}"
            name = class_name(one_line(label))
            lines.append(f"SPEAKER {annotation.video} 1 {times} <NA> <NA> {name} <NA> <NA>\n")
    return "".join(lines)


def looks(text: str) -> bool:
    """A line of SPEAKER and a time."""
    return re.search(r"^SPEAKER +\S+ +\S+ +[\d.]+ ", text, re.MULTILINE) is not None
