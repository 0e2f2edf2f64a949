"""BORIS' tables of behaviours: aggregated events, one row per behaviour, and tabular events, one per START or STOP."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path, PureWindowsPath

from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.tables import TableRow, header, read_rows, table_text
from keyseg.formats.text import edges, interval, nominal_rate, number, one_line, rounded, seconds
from keyseg.timeline import Annotation, DataError, Interval
from keyseg.timeline.files import read_text

# As BORIS 8 and 9 write them; older versions have fewer columns and other names.
_COLUMNS = (
    *("Observation id", "Observation date", "Description", "Observation type", "Source", "Time offset (s)"),
    *("Coding duration", "Media duration (s)", "FPS (frame/s)", "Subject"),
    *("Observation duration by subject by observation", "Behavior", "Behavioral category", "Behavior type"),
    *("Start (s)", "Stop (s)", "Duration (s)", "Media file name", "Image index start", "Image index stop"),
    *("Image file path start", "Image file path stop", "Comment start", "Comment stop"),
)
_NEEDS = "the columns Behavior, Start (s) and Stop (s), or Behavior, Time and Status or Behavior type"
_NO_SUBJECT = "No focal subject"


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """The observations, named after their media file, or after their id if they have none or several.

    `settings.tier` chooses one subject. A label is the behaviour, without modifiers. Raises DataError with the line,
    also on point events, which have no length.
    """
    observations: dict[str, list[TableRow]] = {}
    for row in read_rows(path, "events that BORIS exported", _is_boris, _NEEDS, settings.encoding):
        observations.setdefault(row.get("Observation id") or _video_above(path, settings.encoding), []).append(row)
    files = {name: {file for row in rows if (file := _media_file(row))} for name, rows in observations.items()}
    named = [next(iter(media)) if len(media) == 1 else name for name, media in files.items()]
    several = {name for name in named if named.count(name) > 1}  # observations of one video
    return [
        _annotation(observation if video in several else video, rows, settings)
        for video, (observation, rows) in zip(named, observations.items(), strict=True)
    ]


def write(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """Aggregated events: one STATE per row, no subject; seconds have six decimals. Raises DataError, TimelineError."""
    rows = []
    for annotation in annotations:
        length = annotation.duration_seconds
        duration = "NA" if length is None else rounded(length, 6)
        fps = "NA" if annotation.fps is None else f"{float(annotation.fps):.3f}"
        for start, end, label in edges(annotation, 6):
            times = (start, end, end - start)
            media = f"player #1:{annotation.video}"
            before = [annotation.video, "", "", "Media file", media, "0.0", duration, duration, fps, _NO_SUBJECT, ""]
            rows.append([*before, one_line(label), "Not defined", "STATE", *times, annotation.video, *[""] * 6])
    return table_text(_COLUMNS, rows)


def looks(text: str) -> bool:
    """BORIS' columns in one of the first lines."""
    return any(_is_boris(line) for line in text.split("\n", 30)[:30])


def _is_boris(line: str) -> bool:
    names = header(line)
    tabular = "Time" in names and ("Status" in names or "Behavior type" in names)
    return "Behavior" in names and (tabular or {"Start (s)", "Stop (s)"} <= set(names))


def _video_above(path: Path, encoding: str | None) -> str:
    """Older versions name the observation in a line above the table."""
    for line in read_text(path, "events that BORIS exported", encoding).split("\n", 30)[:30]:
        cells = header(line)
        if cells[:1] == ["Observation id"] and len(cells) > 1 and cells[1]:
            return cells[1]
    return path.stem


def _media_file(row: TableRow) -> str:
    """Name of the video without folders and suffix; empty if there is none, or a list of several."""
    file = row.get("Media file name", "Media file path", "Media file")
    return "" if ";" in file or file == "NA" else PureWindowsPath(file).stem


def _annotation(video: str, rows: list[TableRow], settings: ReadSettings) -> Annotation:
    chosen = [row for row in rows if not settings.tier or row.get("Subject") == settings.tier[0]]
    if not chosen:
        known = ", ".join(sorted({row.get("Subject") or "none" for row in rows}))
        raise DataError(f"{rows[0].where}: observation {video!r} has no subject {settings.tier[0]!r}; it has {known}")
    state_rows = "Start (s)" in rows[0].cells
    events = [row.interval("Start (s)", "Stop (s)", "Behavior") for row in chosen] if state_rows else _paired(chosen)
    length = rows[0].get("Media duration (s)", "Total length")
    rate = rows[0].get("FPS (frame/s)", "FPS")
    return Annotation(
        video,
        tuple(events),
        seconds(length, rows[0].where) if _is_number(length) else None,
        nominal_rate(rate, rows[0].where) if _is_number(rate) else settings.fps,
    )


def _paired(rows: list[TableRow]) -> list[Interval]:
    """Each START with the next STOP of the same behaviour, subject and modifiers."""
    events: list[Interval] = []
    open_states: dict[tuple[str, ...], tuple[TableRow, Fraction]] = {}
    for row in rows:
        time, behaviour = row.time("Time"), row.need("Behavior")
        modifiers = (cell for name, cell in row.cells.items() if name.startswith("Modif"))
        key = (behaviour, row.get("Subject"), *modifiers)
        kind = row.get("Status", "Behavior type").upper()
        if kind == "START" and key not in open_states:
            open_states[key] = row, time
        elif kind == "STOP" and key in open_states:
            _, start = open_states.pop(key)
            events.append(interval(start, time, behaviour, row.where))
        elif kind in ("START", "STOP"):
            state = "started already" if kind == "START" else "has not started"
            raise DataError(f"{row.where}: {kind} of {behaviour!r}, which {state}")
        else:
            raise DataError(
                f"{row.where}: expected START or STOP of {behaviour!r}, got {kind[:20]!r}; export state events only"
            )
    for row, _ in open_states.values():
        raise DataError(f"{row.where}: START of {row.get('Behavior')!r} has no STOP")
    return events


def _is_number(text: str) -> bool:
    """Whether a cell is one number above 0: BORIS writes NA, or a list if there are several media."""
    try:
        return number(text, "") > 0
    except DataError:
        return False
