"""BORIS' tables of behaviours: aggregated events, one row per behaviour, and tabular events, one per START or STOP."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path, PureWindowsPath

from keyseg.formats.boris_observation import (
    NO_SUBJECT,
    CodedEvent,
    Media,
    Observation,
    annotations_of,
    in_sequence,
    moment,
)
from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.tables import TableRow, header, read_rows, table_text
from keyseg.formats.text import edges, nominal_rate, number, one_line, rounded, seconds
from keyseg.timeline import Annotation, DataError
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
_PLAYER = re.compile(r"[\s|,]*player #\d+:\s*")


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """The media files of the observations, as `boris_observation.annotations_of` names them.

    Times in the file include the time offset of the observation; times in a video do not. `settings.tier` chooses a
    subject. A label is the behaviour, without modifiers. Raises DataError with the line.
    """
    facts = _facts_above(path, settings.encoding)
    observations: dict[str, list[TableRow]] = {}
    for row in read_rows(path, "events that BORIS exported", _is_boris, _NEEDS, settings.encoding):
        name = row.get("Observation id") or next(iter(facts.get("Observation id", [])), path.stem)
        observations.setdefault(name, []).append(row)
    rows = next(iter(observations.values()), [])
    if rows and _offset_cell(rows[0], facts) is None and rows[0].get("Media duration (s)", "Total length"):
        settings.note(
            "the table does not say whether its observations have a time offset, as BORIS does since 8.22; its times"
            " are taken as times in the videos"
        )
    return annotations_of([_observation(name, rows, facts) for name, rows in observations.items()], settings)


def write(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """Aggregated events: one STATE per row, the subject is the track; seconds have six decimals.

    Raises DataError, TimelineError.
    """
    rows = []
    for annotation in annotations:
        length = annotation.duration_seconds
        duration = "NA" if length is None else rounded(length, 6)
        fps = "NA" if annotation.fps is None else f"{float(annotation.fps):.3f}"
        for start, end, label in edges(annotation, 6):
            times = (start, end, end - start)
            media, subject = annotation.media or annotation.video, annotation.track or NO_SUBJECT
            source = f"player #1:{media}"
            before = [annotation.video, "", "", "Media file", source, "0.0", duration, duration, fps, subject, ""]
            rows.append([*before, one_line(label), "Not defined", "STATE", *times, media, *[""] * 6])
    return table_text(_COLUMNS, rows)


def looks(text: str) -> bool:
    """BORIS' columns in one of the first lines."""
    return any(_is_boris(line) for line in text.split("\n", 30)[:30])


def _is_boris(line: str) -> bool:
    names = header(line)
    tabular = "Time" in names and ("Status" in names or "Behavior type" in names)
    return "Behavior" in names and (tabular or {"Start (s)", "Stop (s)"} <= set(names))


def _facts_above(path: Path, encoding: str | None) -> dict[str, list[str]]:
    """What BORIS 7 says in lines above a table of tabular events: observation, media per player, time offset."""
    facts: dict[str, list[str]] = {}
    for line in read_text(path, "events that BORIS exported", encoding).split("\n", 30)[:30]:
        if _is_boris(line):
            break
        cells = header(line)
        if len(cells) > 1 and cells[1]:
            facts.setdefault(cells[0], []).append(cells[1])
    return facts


def _offset_cell(row: TableRow, facts: Mapping[str, list[str]]) -> str | None:
    return row.get("Time offset (s)") or next(iter(facts.get("Time offset (s)", [])), None)


def _observation(name: str, rows: Sequence[TableRow], facts: Mapping[str, list[str]]) -> Observation:
    row = rows[0]
    cell = _offset_cell(row, facts)
    offset = Fraction(0) if cell in (None, "NA") else moment(cell, f"{row.where}: Time offset (s)")
    players = _players(rows, facts, offset)
    paths = [media.path for player in players for media in player]
    time = "Start (s)" if "Start (s)" in row.cells else "Time"
    timed = [row for row in rows if row.get(time) != "NA"]
    events = (_paired if time == "Time" else _aggregated)(timed, paths)
    return Observation(name, row.where, events, players, offset, len(rows) - len(timed))


def _players(rows: Sequence[TableRow], facts: Mapping[str, list[str]], offset: Fraction) -> list[list[Media]]:
    """The media of each player: from the column Source, from the lines above the table, or else from the rows."""
    row = rows[0]
    sources = _PLAYER.split(row.get("Source"))[1:]
    paths = [source.split(";") for source in sources]
    whole = [[source] for source in sources]
    lengths = _numbers(row, "Media duration (s)", whole)
    if lengths and all(_is_number(cell) for (cell,) in lengths):
        paths = whole  # the semicolons are part of the names
    paths = paths or [facts[name] for name in sorted(facts) if name.startswith("Player #")]
    sure = bool(paths)
    if not sure:
        named = list(dict.fromkeys(filter(None, map(_media_cell, rows))))
        paths = [named[0].split(";") if len(named) == 1 else named] if named else []
    lengths = _numbers(row, "Media duration (s)", paths) or _numbers(row, "Total length", paths)
    rates = _numbers(row, "FPS (frame/s)", paths) or _numbers(row, "FPS", paths)
    only = len(paths) == len(paths[0]) == 1 if paths else False
    start = offset if sure or only else None  # the rows name no media without events
    players = []
    for player, files in enumerate(paths):
        unknown = [""] * len(files)
        durations, fps = (values[player] if values else unknown for values in (lengths, rates))
        players.append(
            in_sequence(
                [file.strip() for file in files],
                [seconds(cell, row.where) if _is_number(cell) else None for cell in durations],
                [nominal_rate(cell, row.where) if _is_number(cell) else None for cell in fps],
                start,
            )
        )
    return players


def _numbers(row: TableRow, column: str, paths: Sequence[Sequence[str]]) -> list[list[str]]:
    """A cell's list of one value per media file and player, as text; empty if it is not one."""
    values = [part.split(";") for part in row.get(column).split("|")]
    return values if row.get(column) and [len(part) for part in values] == [len(files) for files in paths] else []


def _media_cell(row: TableRow) -> str:
    cell = row.get("Media file name", "Media file path", "Media file")
    return "" if cell in ("NA", "Not found") else cell


def _media_of(row: TableRow, paths: Sequence[str]) -> str:
    """The path among those of the observation that a row names. Raises DataError if there is none."""
    cell = _media_cell(row)
    if cell in paths or not cell or ";" in cell:
        return cell if cell in paths else ""
    same = [path for path in paths if PureWindowsPath(path).name == PureWindowsPath(cell).name]
    if len(same) != 1:
        raise DataError(f"{row.where}: {cell!r} is not among the media of its observation, {', '.join(paths)}")
    return same[0]


def _aggregated(rows: Sequence[TableRow], paths: Sequence[str]) -> list[CodedEvent]:
    """One event per row."""
    events = []
    for row in rows:
        start = moment(row.need("Start (s)"), f"{row.where}: Start (s)")
        point = row.get("Behavior type").upper() == "POINT"
        end = start if point else moment(row.need("Stop (s)"), f"{row.where}: Stop (s)")
        events.append(CodedEvent(start, end, row.need("Behavior"), _subject(row), row.where, _media_of(row, paths)))
    return events


def _paired(rows: Sequence[TableRow], paths: Sequence[str]) -> list[CodedEvent]:
    """Each START with the next STOP of the same behaviour, subject and modifiers; and points."""
    events: list[CodedEvent] = []
    open_states: dict[tuple[str, ...], tuple[TableRow, Fraction]] = {}
    for row in rows:
        time, behaviour = moment(row.need("Time"), f"{row.where}: Time"), row.need("Behavior")
        modifiers = (cell for name, cell in row.cells.items() if name.startswith("Modif"))
        key = (behaviour, _subject(row), *modifiers)
        kind = row.get("Status", "Behavior type").upper()
        if kind == "POINT":
            events.append(CodedEvent(time, time, behaviour, _subject(row), row.where, _media_of(row, paths)))
        elif kind == "START" and key not in open_states:
            open_states[key] = row, time
        elif kind == "STOP" and key in open_states:
            first, start = open_states.pop(key)
            events.append(CodedEvent(start, time, behaviour, _subject(row), row.where, _media_of(first, paths)))
        elif kind in ("START", "STOP"):
            state = "started already" if kind == "START" else "has not started"
            raise DataError(f"{row.where}: {kind} of {behaviour!r}, which {state}")
        else:
            raise DataError(f"{row.where}: expected START, STOP or POINT of {behaviour!r}, got {kind[:20]!r}")
    for row, _ in open_states.values():
        raise DataError(f"{row.where}: START of {row.get('Behavior')!r} has no STOP")
    return events


def _subject(row: TableRow) -> str:
    return row.get("Subject") or NO_SUBJECT


def _is_number(text: str) -> bool:
    """Whether a text is a number above 0: BORIS writes NA where it does not know one."""
    try:
        return number(text, "") > 0
    except DataError:
        return False
