"""HDF5 files of tracks: SLEAP's analysis files, and tables of pandas as DeepLabCut writes them.

Both are read with h5py alone. A table of pandas names its columns in a pickle; it is read by an unpickler that can make
texts, numbers, tuples, lists and dictionaries, and nothing else.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from keyseg.timeline import DataError
from keyseg.timeline.extras import extra
from keyseg.timeline.hdf5 import open_hdf5, stored_array, try_hdf5
from keyseg.timeline.json_text import from_json
from keyseg.video.pose_tracks import (
    Tracks,
    checked_length,
    coordinates,
    deeplabcut_columns,
    deeplabcut_tracks,
    sleap_tracks,
)

_AXES = ("track", "xy", "node", "frame")  # of SLEAP's tracks, unless the file says otherwise
_LEVELS = ("scorer", "individuals", "bodyparts", "coords")


def read_hdf5(path: Path) -> Tracks:
    """The tracks in an HDF5 file. Raises DataError on other content, ConfigError if h5py is not installed."""
    with extra("poses", "reading HDF5 files of tracks"):
        import h5py  # noqa: F401
    try:
        try_hdf5(_tracks, path)
        return _tracks(path)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, IndexError, AttributeError) as error:
        raise DataError(f"{path}: cannot read its tracks ({error}); export them again, or export CSV") from error


def _tracks(path: Path) -> Tracks:
    import h5py

    with open_hdf5(path) as file:
        link = file.get("tracks", getlink=True)  # to follow it would open another file, perhaps a pipe
        if isinstance(link, h5py.ExternalLink) or isinstance(link and file["tracks"], h5py.Dataset):
            return _read_sleap(path, file)
        groups = [file[name] for name in file if isinstance(file.get(name, getlink=True), h5py.HardLink)]
        tables = [group for group in groups if b"frame" in bytes(group.attrs.get("pandas_type", b""))]
        if len(tables) != 1:
            raise DataError(
                f"{path}: not tracks; expected SLEAP's analysis file (tracks, node_names) or DeepLabCut's table,"
                f" got {', '.join(file)[:80] or 'nothing'}"
            )
        return _read_pandas(path, tables[0])


def _array(path: Path, group: Any, name: str) -> Any:
    """A data set that is stored in this file. Raises DataError if it is missing, elsewhere, or too large."""
    found = stored_array(group, name)
    checked_length(f"{path}: {name}", max(found.shape, default=0))
    if found.dtype.kind not in "OS" and found.size > 2**24 and found.id.get_storage_size() * 1000 < found.nbytes:
        raise DataError(
            f"{path}: {name} is of shape {found.shape}, but almost nothing is stored; export the tracks again"
        )
    return found


def _names(path: Path, group: Any, name: str) -> list[str]:
    values = _array(path, group, name)[:]
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values.ravel().tolist()]


def _read_sleap(path: Path, file: Any) -> Tracks:
    tracks = _array(path, file, "tracks")
    nodes = _names(path, file, "node_names")
    animals = _names(path, file, "track_names") if "track_names" in file else []
    stated = tracks.attrs.get("dims")
    axes = _AXES if stated is None else tuple(from_json(str(stated), f"{path}: dims", "the names of axes"))
    if sorted(axes) != sorted(_AXES) or len(tracks.shape) != len(_AXES):
        raise DataError(f"{path}: expected tracks with the axes {', '.join(_AXES)}, got {axes} of shape {tracks.shape}")
    size = dict(zip(axes, tracks.shape, strict=True))
    animals = animals or [""]
    if (size["track"], size["xy"], size["node"]) != (len(animals), 2, len(nodes)):
        raise DataError(
            f"{path}: expected tracks of {len(animals)} animals x 2 coordinates x {len(nodes)} nodes x frames, got"
            f" {' x '.join(map(str, tracks.shape))}"
        )
    order = [axes.index(axis) for axis in ("frame", "track", "node", "xy")]
    return sleap_tracks(str(path), animals, nodes, coordinates(np.transpose(tracks[:], order)))


def _read_pandas(path: Path, group: Any) -> Tracks:
    """A table of pandas, in either of its two forms."""
    if "table" in group:
        table = _array(path, group, "table")
        ((_, labels),) = _plain(path, group.attrs["non_index_axes"])
        blocks = [name for name in table.dtype.names if name.startswith("values_block")]
        if len(blocks) != 1:
            raise DataError(f"{path}: expected numbers of one type, got {len(blocks)} blocks; export CSV")
        rows = table[:]
        return _deeplabcut(path, labels, rows["index"], rows[blocks[0]])
    levels = int(group.attrs["axis0_nlevels"])
    names = [_names(path, group, f"axis0_level{level}") for level in range(levels)]
    codes = [_array(path, group, f"axis0_label{level}")[:] for level in range(levels)]
    labels = [tuple(names[level][code] for level, code in enumerate(column)) for column in zip(*codes, strict=True)]
    if "block1_values" in group:
        raise DataError(f"{path}: expected numbers of one type, got several; export CSV")
    return _deeplabcut(path, labels, _array(path, group, "axis1")[:], _array(path, group, "block0_values")[:])


def _deeplabcut(path: Path, labels: Sequence[Any], frames: Any, values: Any) -> Tracks:
    if not all(isinstance(label, tuple) and len(label) in (3, 4) for label in labels) or values.shape[1] != len(labels):
        raise DataError(f"{path}: expected a column per {', '.join(_LEVELS)}, got {str(list(labels[:1]))[:80]}")
    columns = [("animal", *map(str, label[1:])) if len(label) == 3 else tuple(map(str, label[1:])) for label in labels]
    if frames.dtype.kind not in "iu" or (frames < 0).any():
        raise DataError(f"{path}: expected frame numbers; labelled pictures are no tracks of a video")
    checked_length(str(path), int(frames.max(initial=-1)) + 1)
    table = coordinates(values)
    return deeplabcut_tracks(str(path), deeplabcut_columns(str(path), columns), frames.tolist(), table)


class _PlainUnpickler(pickle.Unpickler):
    """Refuses everything that is not made of texts, numbers, tuples, lists and dictionaries."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"refers to {module}.{name}")


def _plain(path: Path, stored: Any) -> Any:
    try:
        return _PlainUnpickler(io.BytesIO(bytes(stored))).load()
    except Exception as error:  # whatever a damaged pickle raises
        raise DataError(f"{path}: cannot read the names of its columns ({error}); export CSV instead") from error
