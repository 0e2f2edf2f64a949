"""V-TRACE's CSV: one row per behaviour, with times in seconds, for the video beside which it lies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from keyseg.formats.flaws import SegmentRow, checked
from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.tables import TableRow, header, read_rows, table_text
from keyseg.formats.text import choose_tier, edges, number, one_line
from keyseg.timeline import Annotation

_COLUMNS = ("labelId", "timestamp", "endTimestamp")
_HOLDS = "behaviours as V-TRACE lists them"
_PREDICTED = (".pred", ".predict")  # before .csv, where V-TRACE wrote the file itself


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """One video, called like the file without `.pred`; the animal `settings.tier`, or all, or each for itself.

    Scores of predictions are kept. Raises DataError with file and line, ConfigError.
    """
    video = path.stem
    for ending in _PREDICTED:
        video = video.removesuffix(ending)
    animals: dict[str, list[SegmentRow]] = {}
    for row in read_rows(path, _HOLDS, _is_header, f"the columns {', '.join(_COLUMNS)}", settings.encoding):
        animals.setdefault(row.get("animal"), []).append(_segment(video, row))
    if settings.tier:
        index = choose_tier(path, "animal", list(animals), settings.tier)
        animals = {name: rows for at, (name, rows) in enumerate(animals.items()) if at == index}
    if not settings.per_subject:
        animals = {"": [row for rows in animals.values() for row in rows]}
    return [
        Annotation(video, tuple(checked(rows, settings).get(video, ())), None, settings.fps, track=name)
        for name, rows in animals.items()
    ] or [Annotation(video, (), None, settings.fps)]


def write(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """Seconds have six decimals; scores follow where all segments have one. Raises DataError, TimelineError."""
    (annotation,) = annotations
    scores = [interval.score for interval in annotation.intervals]
    scored = bool(scores) and None not in scores
    rows = [
        [one_line(label), start, end, *([score] if scored else [])]
        for (start, end, label), score in zip(edges(annotation, 6), scores, strict=True)
    ]
    return table_text([*_COLUMNS, *(["score"] if scored else [])], rows)


def looks(text: str) -> bool:
    """V-TRACE's columns in the first line that is no comment."""
    return any(_is_header(line) for line in text.split("\n", 30)[:30])


def _is_header(line: str) -> bool:
    return set(_COLUMNS) <= set(header(line))


def _segment(video: str, row: TableRow) -> SegmentRow:
    start, end = (number(row.need(name), f"{row.where}: {name}") for name in _COLUMNS[1:])
    score = row.get("score")
    return SegmentRow(
        video, start, end, row.get("labelId"), row.where, float(number(score, row.where)) if score else None
    )
