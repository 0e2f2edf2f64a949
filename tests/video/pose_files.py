"""Files of tracks as DeepLabCut and SLEAP write them, from positions."""

from __future__ import annotations

import csv
import pickle
from pathlib import Path

import numpy as np

NETWORK = "DLC_resnet50_ratsMay5shuffle1_50000"


def walks(frames=100, animals=("rat1", "rat2"), parts=("nose", "neck", "tail"), seed=0):
    """Animals that walk around, (frames, animals, parts, 2) in pixels, with their points 20 pixels apart in a row."""
    rng = np.random.default_rng(seed)
    centres = 200 + np.cumsum(rng.normal(0, 3, (frames, len(animals), 1, 2)), axis=0)
    turned = np.cumsum(rng.normal(0, 0.1, (frames, len(animals), 1)), axis=0)
    offsets = 20 * np.arange(len(parts)) * np.exp(1j * turned)
    return centres + np.stack([offsets.real, offsets.imag], axis=-1)


def dlc_columns(animals, parts, likelihood=True):
    coords = ("x", "y", "likelihood") if likelihood else ("x", "y")
    return [(animal, part, coord) for animal in animals for part in parts for coord in coords]


def dlc_rows(positions, likelihood):
    """One row per frame, x, y and likelihood of each point."""
    frames = len(positions)
    sure = np.broadcast_to(likelihood, positions.shape[:-1])[..., None]
    return np.concatenate([positions, sure], axis=-1).reshape(frames, -1)


def write_dlc_csv(path, positions, animals=("rat1", "rat2"), parts=("nose", "neck", "tail"), likelihood=1.0, **how):
    """how: separator; decimal; single (three header rows); first (number of the first frame)."""
    separator, decimal = how.get("separator", ","), how.get("decimal", ".")
    columns = dlc_columns(animals, parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding=how.get("encoding", "utf-8")) as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerow(["scorer"] + [NETWORK] * len(columns))
        for level, name in enumerate(("individuals", "bodyparts", "coords")):
            if not (how.get("single") and name == "individuals"):
                writer.writerow([name] + [column[level] for column in columns])
        for number, row in enumerate(dlc_rows(positions, likelihood), how.get("first", 0)):
            cells = ["" if np.isnan(value) else repr(float(value)).replace(".", decimal) for value in row]
            writer.writerow([number, *cells])
    return path


def write_dlc_h5(path, positions, animals=("rat1", "rat2"), parts=("nose", "neck", "tail"), likelihood=1.0, **how):
    """A table of pandas, which PyTables stores with its column names pickled; how: fixed (the other form), first."""
    import h5py

    columns = [(NETWORK, *column) for column in dlc_columns(animals, parts)]
    if how.get("single"):
        columns = [(network, part, coord) for network, _, part, coord in columns]
    rows, first = dlc_rows(positions, likelihood), how.get("first", 0)
    with h5py.File(path, "w") as file:
        group = file.create_group("df_with_missing")
        if how.get("fixed"):
            group.attrs["pandas_type"] = np.bytes_(b"frame")
            group.attrs["axis0_nlevels"] = len(columns[0])
            for level, labels in enumerate(zip(*columns, strict=True)):
                names = list(dict.fromkeys(labels))
                group[f"axis0_level{level}"] = np.array([name.encode() for name in names])
                group[f"axis0_label{level}"] = np.array([names.index(label) for label in labels], np.int8)
            group["axis1"] = np.arange(first, first + len(rows))
            group["block0_values"] = rows
            return path
        group.attrs["pandas_type"] = np.bytes_(b"frame_table")
        group.attrs["non_index_axes"] = np.bytes_(how.get("pickled") or pickle.dumps([(1, columns)], protocol=0))
        table = np.zeros(len(rows), [("index", np.int64), ("values_block_0", np.float64, (len(columns),))])
        table["index"], table["values_block_0"] = np.arange(first, first + len(rows)), rows
        group["table"] = table
    return path


def write_sleap_h5(path, positions, animals=("rat1", "rat2"), parts=("nose", "neck", "tail"), axes=None):
    """SLEAP's analysis file. axes: names of the axes as sleap-io states them, None for SLEAP's own order."""
    import h5py

    order = axes or ("track", "xy", "node", "frame")
    own = ("frame", "track", "node", "xy")
    with h5py.File(path, "w") as file:
        file["tracks"] = np.transpose(positions, [own.index(axis) for axis in order])
        if axes:
            file["tracks"].attrs["dims"] = str(list(axes)).replace("'", '"')
        file["node_names"] = [part.encode() for part in parts]
        if animals:
            file["track_names"] = [animal.encode() for animal in animals]
        file["track_occupancy"] = np.ones(positions.shape[:2])
    return path


def write_sleap_csv(path: Path, positions, animals=("rat1", "rat2"), parts=("nose", "neck", "tail"), **how):
    """SLEAP's analysis CSV, one row per animal and frame in which it is seen. how: video, a column of names."""
    videos = {"video": how["video"]} if "video" in how else {}
    header = [*videos, "track", "frame_idx", "instance.score"]
    header += [f"{part}.{value}" for part in parts for value in ("x", "y", "score")]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for number, animals_there in enumerate(positions):
            for animal, points in zip(animals, animals_there, strict=True):
                if np.isnan(points).all():
                    continue
                cells = [
                    value for x, y in points for value in ("" if np.isnan(x) else x, "" if np.isnan(y) else y, 0.4)
                ]
                writer.writerow([*videos.values(), animal, number, 0.9, *cells])
    return path
