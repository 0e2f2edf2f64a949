"""BORIS' tables of behaviours: aggregated events, a row a behaviour, and tabular events, a row a START or STOP."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path, PureWindowsPath

from keyseg.formats.format import Reading, Writing
from keyseg.formats.seconds import decimal_text, edges, frame_rate, number, rounded, seconds
from keyseg.formats.tables import Row, header, read_rows, table_text
from keyseg.formats.text import interval, one_line
from keyseg.timeline import Annotation, DataError, Interval
from keyseg.timeline.files import read_text

# As BORIS 8 and 9 write them; older versions have fewer, and names vary.
_COLUMNS = (
    *("Observation id", "Observation date", "Description", "Observation type", "Source", "Time offset (s)"),
    *("Coding duration", "Media duration (s)", "FPS (frame/s)", "Subject"),
    *("Observation duration by subject by observation", "Behavior", "Behavioral category", "Behavior type"),
    *("Start (s)", "Stop (s)", "Duration (s)", "Media file name", "Image index start", "Image index stop"),
    *("Image file path start", "Image file path stop", "Comment start", "Comment stop"),
)
_NEEDS = "the columns Behavior, Start (s) and Stop (s), or Behavior, Time and Status or Behavior type"
_NO_SUBJECT = "No focal subject"


def read(path: Path, reading: Reading) -> list[Annotation]:
    """The observations, called by their media file, or by their id where they have none or several.

    `tier` of `reading` chooses one subject. A label is the behaviour, without modifiers. A point event is an error, for
    it has no length. Raises DataError with the line.
    """
    observations: dict[str, list[Row]] = {}
    for row in read_rows(path, "events that BORIS exported", _is_boris, _NEEDS):
        observations.setdefault(row.get("Observation id") or _video_above(path), []).append(row)
    files = {name: {file for row in rows if (file := _media_file(row))} for name, rows in observations.items()}
    named = [next(iter(found)) if len(found) == 1 else name for name, found in files.items()]
    several = {name for name in named if named.count(name) > 1}  # observations of one video
    return [
        _annotation(observation if video in several else video, rows, reading)
        for video, (observation, rows) in zip(named, observations.items(), strict=True)
    ]


def write(annotations: Sequence[Annotation], writing: Writing) -> str:
    """Aggregated events: a STATE a row, no subject; seconds have six decimals. Raises DataError, TimelineError."""
    rows = []
    for annotation in annotations:
        length = annotation.duration_seconds
        told = "NA" if length is None else decimal_text(rounded(length, 6))
        fps = "NA" if annotation.fps is None else f"{float(annotation.fps):.3f}"
        for start, end, label in edges(annotation, 6):
            times = [decimal_text(time) for time in (start, end, end - start)]
            media = f"player #1:{annotation.video}"
            before = [annotation.video, "", "", "Media file", media, "0.0", told, told, fps, _NO_SUBJECT, ""]
            rows.append([*before, one_line(label), "Not defined", "STATE", *times, annotation.video, *[""] * 6])
    return table_text(_COLUMNS, rows)


def looks(text: str) -> bool:
    """BORIS' columns in one of the first lines."""
    return any(_is_boris(header(line)) for line in text.split("\n", 30)[:30])


def _is_boris(names: list[str]) -> bool:
    found = set(names)
    return "Behavior" in found and ({"Start (s)", "Stop (s)"} <= found or _is_tabular(found))


def _is_tabular(names: Iterable[str]) -> bool:
    return "Time" in names and ("Status" in names or "Behavior type" in names)


def _video_above(path: Path) -> str:
    """Older versions name the observation in a line above the table."""
    for line in read_text(path, "events that BORIS exported").split("\n", 30)[:30]:
        cells = header(line)
        if cells[:1] == ["Observation id"] and len(cells) > 1 and cells[1]:
            return cells[1]
    return path.stem


def _media_file(row: Row) -> str:
    """The name of the video without folders and ending; empty where there is none, or a list."""
    file = row.get("Media file name", "Media file path", "Media file")
    return "" if ";" in file or file == "NA" else PureWindowsPath(file).stem


def _annotation(video: str, rows: list[Row], reading: Reading) -> Annotation:
    chosen = [row for row in rows if reading.tier is None or row.get("Subject") == reading.tier]
    if not chosen:
        known = ", ".join(sorted({row.get("Subject") or "none" for row in rows}))
        raise DataError(f"{rows[0].where}: observation {video!r} has no subject {reading.tier!r}; it has {known}")
    found = _paired(chosen) if "Start (s)" not in rows[0].cells else [_state(row) for row in chosen]
    length = next((cell for cell in (rows[0].get(name) for name in ("Media duration (s)", "Total length")) if cell), "")
    rate = rows[0].get("FPS (frame/s)", "FPS")
    return Annotation(
        video,
        tuple(found),
        seconds(length, rows[0].where) if _is_number(length) else None,
        frame_rate(rate, rows[0].where) if _is_number(rate) else reading.fps,
    )


def _state(row: Row) -> Interval:
    start, stop = (seconds(row.need(name), f"{row.where}: {name}") for name in ("Start (s)", "Stop (s)"))
    return interval(start, stop, row.need("Behavior"), row.where)


def _paired(rows: list[Row]) -> list[Interval]:
    """Each START with the next STOP of the same behaviour, subject and modifiers."""
    found: list[Interval] = []
    begun: dict[tuple[str, ...], tuple[Row, Fraction]] = {}
    for row in rows:
        time, behaviour = seconds(row.need("Time"), f"{row.where}: Time"), row.need("Behavior")
        modifiers = (cell for name, cell in row.cells.items() if name.startswith("Modif"))
        key = (behaviour, row.get("Subject"), *modifiers)
        kind = row.get("Status", "Behavior type").upper()
        if kind == "START" and key not in begun:
            begun[key] = row, time
        elif kind == "STOP" and key in begun:
            _, start = begun.pop(key)
            found.append(interval(start, time, behaviour, row.where))
        elif kind in ("START", "STOP"):
            state = "goes on" if kind == "START" else "is off"
            raise DataError(f"{row.where}: {kind} of {behaviour!r}, which {state} already")
        else:
            raise DataError(
                f"{row.where}: expected START or STOP of {behaviour!r}, got {kind[:20]!r}; export state events only"
            )
    for row, _ in begun.values():
        raise DataError(f"{row.where}: START of {row.get('Behavior')!r} has no STOP")
    return found


def _is_number(text: str) -> bool:
    """Whether a cell is one number: BORIS writes NA, or lists where there are several media."""
    try:
        return number(text, "") > 0
    except DataError:
        return False
