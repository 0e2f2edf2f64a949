"""Tables of start frame, end frame and label, as many data sets of videos publish them: Assembly101, 50 Salads."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from keyseg.formats.flaws import SegmentRow, checked
from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.frames import as_background, known_rate, segmented, written_labels
from keyseg.formats.tables import header, read_rows, table_text
from keyseg.timeline import Annotation, DataError
from keyseg.timeline.files import read_text

_HOLDS = "rows of start frame, end frame and label"
_COLUMNS = ("start_frame", "end_frame", "label")
_STARTS = ("start_frame", "startframe", "frame_start", "first_frame", "start")
_ENDS = ("end_frame", "stop_frame", "endframe", "frame_end", "last_frame", "end", "stop")
_LABELS = ("label", "action", "action_cls", "action_label", "class", "behavior", "behaviour", "activity", "name")
_VIDEOS = ("video", "video_id", "video_name", "file")
# Two whole numbers and a label, between tabs, commas, semicolons or spaces; a dash between the numbers in Breakfast.
_ROW = re.compile(r"\s*(\d{1,12})(?: *([\t,;]) *(\d{1,12}) *\2|(?:\s+|-)(\d{1,12})\s)\s*(\S.*)", re.ASCII)
_DAY = 24 * 3600  # seconds; larger numbers are frames


class _Cells(NamedTuple):
    video: str
    start: str
    end: str
    label: str
    where: str


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """The videos in the order of their first rows; without a column of videos one, called like the file.

    Ends are excluded, as keyseg writes them, unless rows follow each other without sharing a frame (0-9, 10-19); then
    both ends belong to the segment, and frames count from 1 if the first one is 1. What is assumed is noted. Raises
    DataError with the line, and ConfigError without a rate.
    """
    cells = list(_cells(path, settings))
    fps = known_rate(settings.fps, str(path))
    spans = [(_frame(row.start, row.where), _frame(row.end, row.where)) for row in cells]
    included = _ends_are_included(cells, spans)
    first = 1 if included and spans and min(start for start, _ in spans) == 1 else 0
    if cells:
        which = f"included, and the first frame is {first}" if included else "excluded"
        settings.note(f"{path}: frames are counted at {fps} per second; end frames are {which}")
    shift = 1 if included else 0
    rows = (
        SegmentRow(row.video, (start - first) / fps, (end - first + shift) / fps, row.label, row.where)
        for row, (start, end) in zip(cells, spans, strict=True)
    )
    return [
        Annotation(
            video,
            tuple(found),
            max((item.end_seconds for item in found), default=None),
            fps,
            as_background(settings, {item.label for item in found}),
        )
        for video, found in checked(rows, settings).items()
    ]


def write(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """A table with tabs: start frame, end frame (excluded) and label. Raises ConfigError without a rate,
    TimelineError."""
    (annotation,) = annotations
    segmentation, labels, _ = segmented(annotation, settings)
    spelled = written_labels(annotation, settings)
    names = [spelled.get(name, name) for name in labels.names]
    rows = ((span.start_frame, span.end_frame, names[span.label]) for span in segmentation)
    return table_text(_COLUMNS, rows, "\t")


def looks(text: str) -> bool:
    """Columns of frames and none of times; or rows of two whole numbers and a label that may be frames. Lines that
    start with # do not count."""
    text = re.sub(r"\A(#.*[^#\s]\s*\n)+", "", text)  # files of MS-TCN have # at both ends of a line
    names = _names(text)
    if names:
        by_name = any("frame" in name for name in names) or zeros_in_front(text)
        return by_name and not any("second" in name or "time" in name for name in names)
    return _ROW.match(text.split("\n", 1)[0]) is not None and whole_numbers(text)


def shows_frames(text: str) -> bool:
    """Whether rows of two numbers and a label are surely frames, not seconds: whole numbers with zeros in front of
    them, between other separators than Audacity's tabs, or larger than seconds are."""
    rows = [match for line in text.split("\n") if (match := _ROW.fullmatch(line))]
    if not rows or not whole_numbers(text):
        return False
    largest = max(int(row[3] or row[4]) for row in rows)
    return zeros_in_front(text) or largest > _DAY or not all("\t" in row[0] for row in rows)


def whole_numbers(text: str) -> bool:
    """Whether no row starts with a number with decimals, after a point, or after a comma before a tab."""
    return not re.search(r"^[ \t]*(\d+[ \t,;]+)?\d*(\.\d|,\d+\t)", text, re.MULTILINE | re.ASCII)


def zeros_in_front(text: str) -> bool:
    """Whether a row starts with a number such as 000000090, as programs pad the numbers of frames."""
    return whole_numbers(text) and bool(re.search(r"^[ \t]*(\d+[ \t,;-]+)?0\d", text, re.MULTILINE | re.ASCII))


def _names(text: str) -> list[str]:
    """The column names in the first line, if there are those of a start, an end and a label."""
    first = text.split("\n", 1)[0]
    names = header(first) if re.search(r"[\t,;]", first) else first.split()
    names = ["_".join(name.lower().split()) for name in names]
    kinds = (_STARTS, _ENDS, _LABELS)
    return names if all(any(name in names for name in kind) for kind in kinds) else []


def _cells(path: Path, settings: ReadSettings) -> Iterator[_Cells]:
    text = read_text(path, _HOLDS, settings.encoding)
    lines = text.split("\n")
    above = next((at for at, line in enumerate(lines) if not line.startswith("#")), 0)
    first = lines[above]
    names = _names(first)
    if names and re.search(r"[\t,;]", first):
        as_written = dict(zip(names, header(first), strict=True))
        start, end, label = (
            next(as_written[name] for name in kind if name in as_written) for kind in (_STARTS, _ENDS, _LABELS)
        )
        video = next((as_written[name] for name in _VIDEOS if name in as_written), None)
        needs = "the columns start_frame, end_frame and label"
        for row in read_rows(path, _HOLDS, lambda line: line == first, needs, settings.encoding):
            name = path.stem if video is None else row.need(video)
            yield _Cells(name, row.need(start), row.need(end), row.need(label), row.where)
        return
    if names and [_kind(name) for name in names[:3]] != ["start", "end", "label"]:
        raise DataError(
            f"{path}:{above + 1}: expected start_frame, end_frame and label in this order, or commas between them"
        )
    left_out = 0
    for at, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#") or (at == above + 1 and names):
            continue
        match = _ROW.fullmatch(line)
        if match is None:
            raise DataError(f"{path}:{at}: expected start frame, end frame and label, got {line[:80]!r}")
        label, *more = _split_label(match[5], match[2], f"{path}:{at}")
        left_out += any(cell.strip() for cell in more)
        yield _Cells(path.stem, match[1], match[3] or match[4], label, f"{path}:{at}")
    if left_out:
        settings.note(f"{path}: what comes after the label is left out in {left_out} lines")


def _kind(name: str) -> str:
    return "start" if name in _STARTS else "end" if name in _ENDS else "label" if name in _LABELS else ""


def _split_label(rest: str, separator: str | None, where: str) -> list[str]:
    """The label, and the cells after it, of a line without a header; None: the label is the rest of the line."""
    if separator is None:
        return [rest.strip()]
    try:
        return [cell.strip() for cell in next(csv.reader([rest], delimiter=separator), [""])]
    except csv.Error as error:
        raise DataError(f"{where}: cannot be divided into cells ({error})") from error


def _frame(text: str, where: str) -> int:
    if not re.fullmatch(r"\d{1,12}", text, re.ASCII):
        raise DataError(f"{where}: expected a frame number, got {text[:40]!r}")
    return int(text)


def _ends_are_included(cells: Iterable[_Cells], spans: Sequence[tuple[int, int]]) -> bool:
    """Whether rows that follow each other never share a frame number, and some come one frame after another."""
    videos: dict[str, list[tuple[int, int]]] = {}
    for row, span in zip(cells, spans, strict=True):
        videos.setdefault(row.video, []).append(span)
    steps = {after[0] - before[1] for several in videos.values() for before, after in pairwise(sorted(several))}
    return 1 in steps and 0 not in steps
