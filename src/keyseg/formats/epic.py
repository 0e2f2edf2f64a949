"""EPIC-KITCHENS' CSV: one row per action, with clock times; the editions of 2018 and 2020 and their narrations."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from keyseg.formats.flaws import SegmentRow, checked
from keyseg.formats.format import ReadSettings, WriteSettings, by_video
from keyseg.formats.tables import TableRow, header, read_rows, table_text
from keyseg.formats.text import clock_seconds, clock_text, edges, one_line
from keyseg.timeline import Annotation, DataError

_COLUMNS = (
    *("narration_id", "participant_id", "video_id", "narration_timestamp", "start_timestamp", "stop_timestamp"),
    *("start_frame", "stop_frame", "narration", "verb", "verb_class", "noun", "noun_class"),
    *("all_nouns", "all_noun_classes"),
)
_NEEDS = "the columns video_id, start_timestamp and stop_timestamp, and verb and noun or narration"


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """The videos in the order of their first rows; a label is verb and noun, or the narration. Raises DataError."""
    rows = read_rows(path, "actions as EPIC-KITCHENS lists them", looks, _NEEDS, settings.encoding)
    return by_video(checked(map(_row, rows), settings), settings)


def write(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """The columns of 2020; the narration is the label, verb and noun stay empty. Raises TimelineError."""
    rows = []
    for annotation in annotations:
        video = annotation.video
        for number, (start, stop, label) in enumerate(edges(annotation, 3)):
            frames = ["", ""]
            if annotation.fps is not None:
                frames = [str(round(Fraction(time) * annotation.fps)) for time in (start, stop)]
            times = [clock_text(start), clock_text(start), clock_text(stop)]
            rows.append([f"{video}_{number}", video.split("_")[0], video, *times, *frames, one_line(label), *[""] * 6])
    return table_text(_COLUMNS, rows)


def looks(text: str) -> bool:
    """EPIC-KITCHENS' columns in the first line."""
    return {"video_id", "start_timestamp", "stop_timestamp"} <= set(header(text))


def _row(row: TableRow) -> SegmentRow:
    columns = ("start_timestamp", "stop_timestamp")
    start, stop = (clock_seconds(row.need(name), f"{row.where}: {name}") for name in columns)
    verb, noun = row.get("verb"), row.get("noun")
    label = f"{verb} {noun}" if verb and noun else row.get("narration")
    if not label:
        raise DataError(f"{row.where}: expected a verb and a noun, or a narration")
    return SegmentRow(row.need("video_id"), start, stop, label, row.where)
