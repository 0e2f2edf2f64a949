"""NWB 2 (Neurodata Without Borders): tables of time intervals and behavioural epochs in HDF5, with h5py alone."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from keyseg.formats.flaws import SegmentRow, checked
from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.linked_media import linked_path
from keyseg.formats.text import choose_tier, edges, number, one_line, video_name
from keyseg.timeline import Annotation, ConfigError, DataError, KeysegError
from keyseg.timeline.extras import extra
from keyseg.timeline.hdf5 import open_hdf5, stored_array, try_hdf5

_GROUPS = ("acquisition", "analysis", "general", "processing", "stimulus/presentation", "stimulus/templates")
_PLACES = ("acquisition", "intervals", "processing")
_LABELS = ("label", "labels", "behavior", "behaviour", "action", "condition", "tags")  # columns of labels, best first
_MOST_BYTES = 100_000_000  # of a column


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """One video, of the only table with intervals, or of the table `settings.tier`, TABLE or TABLE:COLUMN.

    The column of labels is the one that is named, or else the first of `_LABELS`, or else the only one of text. Times
    are those of the linked video. Raises DataError, ConfigError.
    """
    with extra("formats", "NWB"):
        import h5py  # noqa: F401
    try:
        try_hdf5(_try, path, settings.tier)
        with open_hdf5(path) as file:
            return [_annotation(path, file, settings)]
    except KeysegError:
        raise
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, IndexError, AttributeError) as error:
        raise DataError(f"{path}: cannot read it ({error}); it should hold NWB 2, which is HDF5") from error


def write(annotations: Sequence[Annotation], settings: WriteSettings) -> bytes:
    """A table of intervals, with the column `label`. Raises ConfigError, DataError, TimelineError."""
    (annotation,) = annotations
    with extra("formats", "NWB"):
        import h5py
    name = one_line(settings.tier, "name")
    if set(name) & {*"/:"} or name in ("", "."):
        raise DataError(f"NWB cannot hold a table called {name!r}; choose another name")
    rows, text = list(edges(annotation, 6)), h5py.string_dtype()
    columns = {
        "start_time": ("f8", [float(start) for start, _, _ in rows]),
        "stop_time": ("f8", [float(end) for _, end, _ in rows]),
        "label": (text, [one_line(label) for _, _, label in rows]),
    }
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        _describe(file, "core", "NWBFile", nwb_version="2.8.0")
        file["identifier"] = str(uuid.uuid4())
        file["session_description"] = f"Actions in the video {one_line(annotation.video, 'name')}; its date is unknown"
        file["session_start_time"] = file["timestamps_reference_time"] = "1970-01-01T00:00:00+00:00"
        file.create_dataset("file_create_date", data=[datetime.now(UTC).isoformat()], dtype=text)
        for place in _GROUPS:
            file.create_group(place)
        table = file.create_group(f"intervals/{name}")
        _describe(table, "core", "TimeIntervals", description="Actions in the video", colnames=list(columns))
        for column, (dtype, values) in {"id": ("i8", range(len(rows))), **columns}.items():
            data = table.create_dataset(column, data=values, dtype=dtype, maxshape=(None,))  # pynwb can add rows
            kind = "ElementIdentifiers" if column == "id" else "VectorData"
            _describe(data, "hdmf-common", kind, description=f"{column} of each action")
    return buffer.getvalue()


def looks(text: str) -> bool:
    """The first bytes of HDF5, of which one is not text."""
    return text.startswith("\ufffdHDF\n")


def _describe(item: Any, namespace: str, kind: str, **attributes: Any) -> None:
    item.attrs.update(namespace=namespace, neurodata_type=kind, object_id=str(uuid.uuid4()), **attributes)


def _try(path: Path, tier: tuple[str, ...]) -> None:
    with open_hdf5(path) as file:
        _annotation(path, file, ReadSettings(tier=tier))


def _annotation(path: Path, file: Any, settings: ReadSettings) -> Annotation:
    tables: dict[str, list[Any]] = {}  # by name: a table, or the series of behavioural epochs
    films: list[Any] = []
    for group in _groups(file, settings.note):
        *_, parent, name = group.name.split("/")
        if {"start_time", "stop_time"} <= set(group):
            tables[group.name if name in tables else name] = [group]
        elif group.attrs.get("neurodata_type") in ("IntervalSeries", b"IntervalSeries"):
            tables.setdefault(parent, []).append(group)
        elif "external_file" in group:
            films.append(group)
    if not tables:
        raise DataError(f"{path}: no intervals in it; expected a table in /intervals, or an IntervalSeries")
    columns = {table: column for table, _, column in (tier.partition(":") for tier in reversed(settings.tier))}
    names = [name for name, groups in tables.items() if name in columns or any(map(_is_filled, groups))]
    index = choose_tier(path, "table", names, list(reversed(columns)))
    media, offset = _film(path, films, settings.note)
    video = video_name(media) or path.stem
    rows: list[SegmentRow] = []
    name = "" if index is None else names[index]
    for group in tables.get(name, ()):
        spans = _table(group, columns.get(name)) if "start_time" in group else _series(group)
        rows += [SegmentRow(video, start - offset, end - offset, label, where) for start, end, label, where in spans]
    return Annotation(video, tuple(checked(rows, settings).get(video, ())), None, settings.fps, media=media)


def _groups(file: Any, note: Callable[[str], None]) -> list[Any]:
    """The groups that may hold intervals or link videos; what is in other files is noted."""
    import h5py

    groups, seen = [file], {file}
    for parent in groups:
        for name in _PLACES if parent == file else parent:
            link = parent.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                note(f"{name} of {parent.name} is in another file, {link.filename}, and is left out")
            elif (
                isinstance(link, h5py.HardLink) and isinstance(group := parent[name], h5py.Group) and group not in seen
            ):
                groups.append(group)
                seen.add(group)
    return groups[1:]


def _film(path: Path, films: Sequence[Any], note: Callable[[str], None]) -> tuple[str, Fraction]:
    """The path of the only linked video, or nothing, and the second of the session at which the videos start."""
    starts = set()
    for film in films:
        if "starting_time" in film:
            starts.add(_time(stored_array(film, "starting_time")[()], _where(film)))
        else:
            starts.add(_time(stored_array(film, "timestamps")[0], _where(film)))
            note(f"of the times of the pictures of {film.name} only the first is used")
    first = starts.pop() if len(starts) == 1 else Fraction(0)
    if starts:
        note("its videos start at different times; times are those of the session")
    elif first:
        note(f"times are those of the video, which starts {float(first):g} s after the session")
    files = [name for film in films for (name,) in _texts(film, "external_file")]
    return linked_path("", files[0], path.parent) if len(files) == 1 else "", first


def _table(table: Any, column: str | None) -> Iterator[tuple[Fraction, Fraction, str, str]]:
    """Start, end, label and place of the intervals; a row with several labels is several intervals."""
    labels = _texts(table, column or _label_column(table))
    for where, start, end, several in _rows(table, _values(table, "start_time"), _values(table, "stop_time"), labels):
        for label in several or [""]:
            yield _time(start, where), _time(end, where), label, where


def _series(series: Any) -> Iterator[tuple[Fraction, Fraction, str, str]]:
    """The same of an IntervalSeries, called like it: k starts an interval of kind k, and -k ends it."""
    marks = [int(mark) for mark in _values(series, "data")]
    name, kinds, started = series.name.rpartition("/")[2], len({*map(abs, marks)}), dict[int, Fraction]()
    for where, mark, time in _rows(series, marks, _values(series, "timestamps")):
        if (mark > 0) == (abs(mark) in started):
            raise DataError(f"{where}: expected the {'end' if mark > 0 else 'start'} of an interval, got {mark}")
        if mark > 0:
            started[mark] = _time(time, where)
        else:
            yield started.pop(-mark), _time(time, where), f"{name} {-mark}" if kinds > 1 else name, where
    if started:
        raise DataError(f"{_where(series)}: the interval that starts at {float(max(started.values())):g} s has no end")


def _rows(group: Any, *columns: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """The place and the values of each row. Raises DataError on columns of different lengths."""
    if len({*map(len, columns)}) > 1:
        raise DataError(f"{_where(group)}: expected columns of one length, got {[*map(len, columns)]}")
    for row, values in enumerate(zip(*columns, strict=True)):
        yield f"{_where(group)}[{row}]", *values


def _label_column(table: Any) -> str:
    """The first of `_LABELS`, or else the only column of text. Raises ConfigError on several, DataError on none."""
    columns: list[str] = [name for name in table if _is_text(table, name)]
    if not columns:
        raise DataError(f"{_where(table)}: no column of text, so nothing is labelled")
    known = [name for name in _LABELS if name in columns]
    if not known and len(columns) > 1:
        tier, listed = f"{table.name.rpartition('/')[2]}:COLUMN", ", ".join(map(repr, columns))
        raise ConfigError(f"{_where(table)}: several columns of text: {listed}; choose one with --tier {tier}")
    return [*known, *columns][0]


def _is_text(table: Any, name: str) -> bool:
    import h5py

    is_own = isinstance(table.get(name, getlink=True), h5py.HardLink) and isinstance(table[name], h5py.Dataset)
    return is_own and h5py.check_string_dtype(table[name].dtype) is not None


def _texts(group: Any, name: str) -> list[list[str]]:
    """The texts in a column: of each row one, or several where `name`_index says at which the row ends."""
    values = _values(group, name)
    if not _is_text(group, name):
        raise DataError(f"{_where(group)}: {name} is not text; choose another column with --tier TABLE:COLUMN")
    texts = [value.decode() for value in values]
    if f"{name}_index" not in group:
        return [[text] for text in texts]
    ends = [0, *map(int, _values(group, f"{name}_index"))]
    if ends != sorted(ends) or ends[-1] != len(texts):
        raise DataError(f"{_where(group)}: {name}_index does not fit {name}")
    return [texts[start:end] for start, end in pairwise(ends)]


def _values(group: Any, name: str) -> Any:
    """The values of a column, in memory. Raises DataError if it is missing, elsewhere or too large."""
    column = stored_array(group, name)
    if len(column.shape) != 1 or column.nbytes > _MOST_BYTES:
        raise DataError(f"{_where(group)}: {name}: expected one value per row, got the shape {column.shape}")
    return column[:]


def _is_filled(group: Any) -> bool:
    return len(stored_array(group, "start_time" if "start_time" in group else "timestamps")) > 0


def _time(value: Any, where: str) -> Fraction:
    return number(str(value), where)


def _where(group: Any) -> str:
    return f"{group.file.filename}: {group.name}"
