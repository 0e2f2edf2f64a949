"""Our table of segments: one row each, in frames and seconds, separated by commas (csv) or tabs (tsv)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from keyseg.formats.flaws import SegmentRow, checked
from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.frames import as_background, scores_at, segmented, written_labels
from keyseg.formats.tables import TableRow, header, read_rows, table_text
from keyseg.formats.text import number
from keyseg.timeline import Annotation, DataError, LabelMap, Segmentation, TimeBase

_TRACK = "track"  # a column that is written if some timeline has a track
_CONFIDENCE = "confidence"  # a column that is written if some segment has a score
_COLUMNS = ("video", "start_frame", "end_frame", "start_seconds", "end_seconds", "label")
_NEEDS = (
    "the columns label, start_seconds and end_seconds; optional are video, track, start_frame, end_frame and confidence"
)
_RATES = tuple(Fraction(rate) for rate in (15, 24, 25, 30, 50, 60, 10, 12, 20, 100, 120)) + tuple(
    Fraction(rate * 1000, 1001) for rate in (24, 30, 60)
)
_HALF_DIGIT = Fraction(1, 2 * 10**6)  # seconds in the table have six decimals


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """The timelines in the order of their first rows; without a column video, they are of one called like the file.

    Where there are columns of frames these count, at the rate at which they agree with the columns of seconds; that of
    `settings` if they do; otherwise the seconds count. Background stays labelled. Raises DataError.
    """
    rows: dict[str, list[TableRow]] = {}  # of each timeline
    places: dict[str, tuple[str, str]] = {}  # its video and track
    for row in read_rows(path, "a table of segments", _is_ours, _NEEDS, settings.encoding):
        video = row.need("video") if "video" in row.cells else path.stem
        place = unicodedata.normalize("NFC", video), unicodedata.normalize("NFC", row.get(_TRACK))
        name = ".".join(filter(None, place))
        if places.setdefault(name, place) != place:
            raise DataError(f"{row.where}: a video and the track of another would both be called {name!r}; rename one")
        rows.setdefault(name, []).append(row)
    rates = {name: _rate(path, name, several, settings) for name, several in rows.items()}
    intervals = checked((_row(name, row, rates[name]) for name, several in rows.items() for row in several), settings)
    ends: dict[str, Fraction] = {}  # of videos
    for name, found in intervals.items():
        video = places[name][0]
        ends[video] = max([ends.get(video, Fraction(0)), *(item.end_seconds for item in found)])
    result = []
    for name, found in intervals.items():
        (video, track), background = places[name], as_background(settings, {item.label for item in found})
        result.append(Annotation(video, tuple(found), ends[video] or None, rates[name], background, track=track))
    return result


def write(annotations: Sequence[Annotation], settings: WriteSettings, separator: str = ",") -> str:
    """A table with commas or tabs. Raises ConfigError without a rate, TimelineError."""
    tracks = any(annotation.track for annotation in annotations)
    scored = any(interval.score is not None for annotation in annotations for interval in annotation.intervals)
    columns = [*(("video", _TRACK) if tracks else ("video",)), *_COLUMNS[1:], *([_CONFIDENCE] if scored else [])]
    return table_text(columns, _cells(annotations, settings, tracks, scored), separator)


def looks(text: str, tabs: bool = False) -> bool:
    """Our columns in the first line, with commas or tabs."""
    return _is_ours(text) and ("\t" in text.split("\n", 1)[0]) == tabs


def segment_rows(
    segmentation: Segmentation, labels: LabelMap, timebase: TimeBase, scores: Mapping[int, float]
) -> list[dict[str, object]]:
    """Segments as dictionaries, for JSON and tables; ends are exclusive, seconds have six decimals.

    scores: of segments, by their start frame.
    """
    return [
        segment_row(one.start_frame, one.end_frame, labels.names[one.label], timebase, scores.get(one.start_frame))
        for one in segmentation
    ]


def segment_row(
    start_frame: int, end_frame: int, label: str, timebase: TimeBase, confidence: float | None
) -> dict[str, object]:
    """One segment as a dictionary, by column."""
    row: dict[str, object] = {
        "start_frame": start_frame,
        "end_frame": end_frame,
        "start_seconds": round(float(timebase.start_seconds(start_frame)), 6),
        "end_seconds": round(float(timebase.start_seconds(end_frame)), 6),
        "label": label,
    }
    return row if confidence is None else row | {_CONFIDENCE: confidence}


def _is_ours(text: str) -> bool:
    return {"label", "start_seconds", "end_seconds"} <= set(header(text))


def _cells(
    annotations: Iterable[Annotation], settings: WriteSettings, tracks: bool, scored: bool
) -> Iterable[Iterable[object]]:
    for annotation in annotations:
        place = [annotation.video, annotation.track] if tracks else [annotation.video]
        scores = scores_at(annotation, settings) if scored else {}
        labels = written_labels(annotation, settings)
        for row in segment_rows(*segmented(annotation, settings), scores):
            row["label"] = labels.get(str(row["label"]), row["label"])
            yield [*place, *row.values(), *([""] if scored and _CONFIDENCE not in row else [])]


def _rate(path: Path, video: str, rows: list[TableRow], settings: ReadSettings) -> Fraction | None:
    """Frames per second of the columns of frames: what `settings` say if the seconds agree to half a frame, or else
    what they imply. What `settings` say if there are no such columns."""
    if not _has_frames(rows[0]):
        return settings.fps
    ends = ("start_frame", "start_seconds"), ("end_frame", "end_seconds")
    pairs = [(_frame(row, frame), row.time(seconds), row) for row in rows for frame, seconds in ends]
    if settings.fps and all(abs(frame - time * settings.fps) <= Fraction(1, 2) for frame, time, _ in pairs):
        return settings.fps
    return _implied_rate(path, video, pairs)


def _has_frames(row: TableRow) -> bool:
    return {"start_frame", "end_frame"} <= row.cells.keys()


def _row(video: str, row: TableRow, rate: Fraction | None) -> SegmentRow:
    if rate is not None and _has_frames(row):
        start, end = _frame(row, "start_frame") / rate, _frame(row, "end_frame") / rate
    else:
        start, end = (number(row.need(name), f"{row.where}: {name}") for name in ("start_seconds", "end_seconds"))
    name = next((name for name in (_CONFIDENCE, "score") if row.get(name)), None)
    score = None if name is None else number(row.need(name), f"{row.where}: {name}")
    return SegmentRow(video, start, end, row.need("label"), row.where, None if score is None else float(score))


def _frame(row: TableRow, column: str) -> int:
    text = row.need(column)
    if not text.isdecimal() or len(text) > 12:
        raise DataError(f"{row.where}: expected a frame number at {column!r}, got {text[:40]!r}")
    return int(text)


def _implied_rate(path: Path, video: str, pairs: Sequence[tuple[int, Fraction, TableRow]]) -> Fraction:
    """The rate at which frames and seconds of all rows agree: a usual one, or else the simplest."""
    for rate in _RATES:
        if all(abs(frame / rate - time) <= _HALF_DIGIT for frame, time, _ in pairs):
            return rate
    last, end, _ = max(pairs, key=lambda pair: pair[1])
    if not last or end <= _HALF_DIGIT:
        raise DataError(f"{path}: frames and seconds of {video!r} imply no frame rate; give --fps")
    rate = _simplest(last / (end + _HALF_DIGIT), last / (end - _HALF_DIGIT))
    for frame, time, row in pairs:
        if abs(frame / rate - time) > 2 * _HALF_DIGIT:
            raise DataError(f"{row.where}: frames and seconds disagree with the other rows of {video!r}")
    return rate


def _simplest(low: Fraction, high: Fraction) -> Fraction:
    """The fraction with the smallest denominator from low to high."""
    whole = low.__ceil__()
    if whole <= high:
        return Fraction(whole)
    below = low.__floor__()
    return below + 1 / _simplest(1 / (high - below), 1 / (low - below))
