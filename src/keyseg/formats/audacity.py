"""Audacity's label tracks: one line per label, with start, end and text between tabs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.seconds import decimal_text, edges, seconds
from keyseg.formats.text import interval, one_line
from keyseg.timeline import Annotation, DataError
from keyseg.timeline.files import read_text

_SPECTRAL = "\\"  # starts a line with the frequencies of the label above it


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """One video; lines of frequencies are skipped. Raises DataError with file and line, also on a point label."""
    labels = []
    for number, line in enumerate(read_text(path, "Audacity labels").split("\n"), 1):
        if not line.strip() or line.startswith(_SPECTRAL):
            continue
        where = f"{path}:{number}"
        cells = line.split("\t")
        if len(cells) != 3:
            raise DataError(f"{where}: expected start, end and label with tabs between, got {line[:80]!r}")
        labels.append(interval(seconds(cells[0], where), seconds(cells[1], where), cells[2], where))
    return [Annotation(path.stem, tuple(labels), None, settings.fps)]


def write(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """Seconds with six decimals. Raises DataError, TimelineError."""
    (annotation,) = annotations
    return "".join(
        f"{decimal_text(start)}\t{decimal_text(end)}\t{one_line(label)}\n" for start, end, label in edges(annotation, 6)
    )


def looks(text: str) -> bool:
    """Two numbers with tabs in the first line."""
    return re.match(r"\d+(\.\d+)?\t\d+(\.\d+)?(\t|\n|$)", text) is not None
