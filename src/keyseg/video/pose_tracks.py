"""Tracks of body points, as DeepLabCut and SLEAP write them: CSV files here, HDF5 files by `pose_hdf5`."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from keyseg.data.input_names import is_track_file
from keyseg.timeline import DataError
from keyseg.timeline.files import read_text, refuse_special

_MOST_FRAMES = 20_000_000  # nine days at 25 frames per second; a wrong frame number would fill the memory
_ROOM = 5_000_000  # points that a table may leave out, however few it holds
_SPARSEST = 100  # points for each that a larger table holds
_LIKELY = 0.6  # DeepLabCut's own threshold; SLEAP leaves out points by itself
_ONE = "animal"  # name of the animal in files of one animal
_MISSING = frozenset(("", "nan", "na", "none", "null"))

Values = npt.NDArray[np.float32]


class Point(NamedTuple):
    """A body point of an animal."""

    animal: str
    name: str


@dataclass(frozen=True)
class Tracks:
    """Positions of body points over time. points: the P points. positions: (N, P, 2) float32 in pixels of N frames of
    the video, the first one is frame 0; NaN where a point was not seen, or is less than 60 % likely (DeepLabCut).
    """

    points: tuple[Point, ...]
    positions: Values


def read_tracks(path: Path) -> Tracks:
    """The tracks in a file. Raises DataError on other content, ConfigError if HDF5 cannot be read here."""
    if path.suffix.lower() == ".csv":
        return _read_csv(path)
    if is_track_file(path):
        from keyseg.video.pose_hdf5 import read_hdf5

        return read_hdf5(path)
    raise DataError(f"{path}: not a file of tracks; expected CSV or H5 of DeepLabCut or SLEAP, made from the video")


def holds_tracks(path: Path) -> bool:
    """Whether a file looks like tracks: HDF5 by its ending, CSV by its first line."""
    if path.suffix.lower() != ".csv":
        return is_track_file(path)
    refuse_special(path)
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        cells = file.readline(100_000).strip().replace(";", ",").split(",")
    return cells[0].lower() == "scorer" or "frame_idx" in cells


def _read_csv(path: Path) -> Tracks:
    text = read_text(path, "tracks of DeepLabCut or SLEAP")
    first = text.partition("\n")[0]
    separator = ";" if ";" in first and "," not in first else ","  # as spreadsheets write where a comma is decimal
    table = _numbered(text, separator)
    try:
        line, header = next(table)
        if header[0].strip().lower() == "scorer":
            return _read_deeplabcut(path, table, separator)
        if "frame_idx" in header and any(name.endswith(".x") for name in header):
            return _read_sleap(path, header, table, separator)
    except StopIteration:
        raise DataError(f"{path}: no frames in it; export the tracks again") from None
    except csv.Error as error:
        raise DataError(f"{path}: not a CSV table ({error})") from error
    raise DataError(
        f"{path}:{line}: not tracks; expected the header of DeepLabCut (scorer, bodyparts, coords) or of SLEAP's"
        f" analysis CSV (track, frame_idx, NODE.x, NODE.y), got {','.join(header)[:80]!r}"
    )


def _numbered(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, with their line numbers."""
    reader = csv.reader(text.splitlines(), delimiter=separator)
    return ((reader.line_num, row) for row in reader if any(cell.strip() for cell in row))


def _read_deeplabcut(path: Path, table: Iterator[tuple[int, list[str]]], separator: str) -> Tracks:
    levels: dict[str, list[str]] = {}
    while "coords" not in levels:
        line, row = next(table)
        name = row[0].strip().lower()
        if name not in ("individuals", "bodyparts", "coords") or name in levels:
            raise DataError(
                f"{path}:{line}: expected the header rows bodyparts and coords, and individuals for several animals,"
                f" got {row[0][:40]!r}"
            )
        levels[name] = [cell.strip() for cell in row[1:]]
    columns = list(
        zip(
            levels.get("individuals", [_ONE] * len(levels["coords"])),
            levels.get("bodyparts", ()),
            levels["coords"],
            strict=False,
        )
    )
    if len(columns) != len(levels["coords"]) or not columns:
        raise DataError(f"{path}: its header rows have different lengths; export the tracks again")
    layout = deeplabcut_columns(str(path), columns)
    frames, rows = [], []
    for line, row in table:
        if len(row) != len(columns) + 1:
            raise DataError(f"{path}:{line}: expected {len(columns) + 1} cells, got {len(row)}")
        frames.append(_frame(row[0], f"{path}:{line}"))
        rows.append(coordinates([_number(cell, separator, f"{path}:{line}") for cell in row[1:]]))
    if not rows:
        raise StopIteration
    return deeplabcut_tracks(str(path), layout, frames, np.stack(rows))


PointColumns = dict[Point, dict[str, int]]


def deeplabcut_columns(where: str, columns: Iterable[Sequence[str]]) -> PointColumns:
    """The columns of each point by coordinate (x, y, likelihood), from (animal, body part, coordinate) per column."""
    layout: PointColumns = {}
    for number, (animal, part, coordinate) in enumerate(columns):
        if coordinate not in ("x", "y", "likelihood"):
            what = "three-dimensional tracks" if coordinate == "z" else f"a coordinate {coordinate[:40]!r}"
            raise DataError(f"{where}: {what} in column {number + 2}; expected x, y and likelihood")
        point = layout.setdefault(Point(animal, part), {})
        if coordinate in point:
            raise DataError(f"{where}: {coordinate} of {part} of {animal} is in it twice; rename one of the body parts")
        point[coordinate] = number
    for key, held in layout.items():
        if not {"x", "y"} <= set(held):
            raise DataError(f"{where}: no x or no y of {key.name} of {key.animal}; export the tracks again")
    return layout


def deeplabcut_tracks(where: str, layout: PointColumns, frames: Sequence[int], table: Values) -> Tracks:
    """Tracks from a row of numbers per frame, at the frames' numbers. Raises DataError if a frame comes twice."""
    x, y, likelihood = (
        np.array([columns.get(name, -1) for columns in layout.values()]) for name in ("x", "y", "likelihood")
    )
    positions = np.stack([table[:, x], table[:, y]], axis=2)
    unlikely = (likelihood >= 0) & ~(table[:, likelihood] >= _LIKELY)  # NaN is not likely either
    positions[unlikely] = np.nan
    return Tracks(tuple(layout), placed(where, frames, positions))


def placed(where: str, frames: Sequence[int], positions: Values) -> Values:
    """Positions of some frames, (n, P, 2), at their places among all frames; infinite ones and single coordinates are
    missing. Raises DataError if a frame comes twice, or its number cannot be right."""
    count = checked_length(where, max(frames, default=-1) + 1)
    if len(set(frames)) != len(frames):
        ((twice, _),) = Counter(frames).most_common(1)
        raise DataError(f"{where}: frame {twice} is in it twice; export the tracks again")
    if count == 0:
        raise DataError(f"{where}: no frames in it; export the tracks again")
    _check_room(where, count, positions.shape[1], len(frames) * positions.shape[1])
    result = np.full((count, *positions.shape[1:]), np.nan, np.float32)
    result[np.array(frames)] = positions
    result[~np.isfinite(result).all(axis=2)] = np.nan
    return result


def _check_room(where: str, frames: int, points: int, given: int) -> None:
    """Raise DataError if the frames have far more points than the file holds, since they would fill the memory."""
    if frames * points > max(_ROOM, _SPARSEST * given):
        raise DataError(
            f"{where}: {points} points in {frames:,} frames, of which it holds {given:,} in all; is a frame number"
            " wrong? Otherwise export the tracks with all frames"
        )


def checked_length(where: str, frames: int) -> int:
    """The number of frames. Raises DataError if there are more than any video has."""
    if frames > _MOST_FRAMES:
        raise DataError(f"{where}: expected frame numbers below {_MOST_FRAMES:,}, got {frames - 1:,}")
    return frames


def _read_sleap(path: Path, header: list[str], table: Iterator[tuple[int, list[str]]], separator: str) -> Tracks:
    places = {name: at for at, name in enumerate(header)}
    nodes = [name[:-2] for name in header if name.endswith(".x") and f"{name[:-2]}.y" in places]
    if len(places) != len(header):
        raise DataError(f"{path}:1: two columns have the same name; rename one of the nodes")
    cells = [places[f"{node}.{axis}"] for node in nodes for axis in "xy"]
    frame_at, track_at = places["frame_idx"], places.get("track")
    videos = [places[name] for name in ("video", "video_path") if name in places]
    seen: dict[tuple[str, int], Values] = {}
    first_video = None
    for line, row in table:
        if len(row) != len(header):
            raise DataError(f"{path}:{line}: expected {len(header)} cells, got {len(row)}")
        video = [row[at] for at in videos]
        if first_video not in (None, video):
            raise DataError(f"{path}:{line}: a second video, {video[0][:80]!r}; export one file per video")
        first_video = video
        frame = checked_length(f"{path}:{line}", _frame(row[frame_at], f"{path}:{line}") + 1) - 1
        animal = row[track_at].strip() if track_at is not None else ""
        if (animal, frame) in seen:
            raise DataError(
                f"{path}:{line}: frame {frame} has two animals"
                + (f" called {animal}" if animal else " without a track; track them in SLEAP, so that each has a name")
            )
        numbers = [_number(row[at], separator, f"{path}:{line}") for at in cells]
        seen[animal, frame] = coordinates(numbers).reshape(-1, 2)
    if not seen:
        raise StopIteration
    animals = {animal: at for at, animal in enumerate(sorted({animal for animal, _ in seen}))}
    length = max(frame for _, frame in seen) + 1
    _check_room(str(path), length, len(animals) * len(nodes), len(seen) * len(nodes))
    positions = np.full((length, len(animals), len(nodes), 2), np.nan, np.float32)
    for (animal, frame), values in seen.items():
        positions[frame, animals[animal]] = values
    return sleap_tracks(str(path), list(animals), nodes, positions)


def sleap_tracks(where: str, animals: Sequence[str], nodes: Sequence[str], positions: Values) -> Tracks:
    """Tracks from positions (N, animals, nodes, 2)."""
    points = [Point(animal or _ONE, node) for animal in animals for node in nodes]
    if len(set(points)) != len(points):
        raise DataError(f"{where}: two tracks or two nodes have the same name; rename one of them in SLEAP")
    return Tracks(tuple(points), placed(where, range(len(positions)), positions.reshape(len(positions), -1, 2)))


def _frame(text: str, where: str) -> int:
    """A frame's number, also written as 7.0."""
    number = text.strip().removesuffix(".0")
    if not (number.isascii() and number.isdecimal() and len(number) < 12):
        raise DataError(
            f"{where}: expected the number of a frame, got {text[:40]!r}; labelled pictures are no tracks of a video"
        )
    return int(number)


def coordinates(values: npt.ArrayLike) -> Values:
    """Numbers as float32; those beyond its range become infinite, which is no place in a picture, so the point is
    missing."""
    with np.errstate(over="ignore"):
        return np.asarray(values).astype(np.float32)


def _number(text: str, separator: str, where: str) -> float:
    """A coordinate; NaN for an empty cell."""
    cell = text.strip()
    if cell.lower() in _MISSING:
        return float("nan")
    try:
        return float(cell.replace(",", ".") if separator == ";" else cell)
    except ValueError:
        raise DataError(f"{where}: expected a number, got {text[:40]!r}") from None
