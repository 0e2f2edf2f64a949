"""Where the videos of a data set lie: `videos.csv`, which `keyseg init` writes, or the folder `videos`."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path

from keyseg.data.feature_origin import read_sidecar
from keyseg.data.input_names import is_track_file
from keyseg.formats.tables import read_columns
from keyseg.timeline.files import write_text

_TABLE = "videos.csv"


def write_video_files(folder: Path, files: Mapping[str, Path], root: Path) -> None:
    """Write the table of the video files by name to `folder`, with paths relative to `root`, the data set."""
    buffer = io.StringIO()
    table = csv.writer(buffer, lineterminator="\n")
    table.writerow(("video", "file"))
    for name, file in sorted(files.items()):
        whole = file.parent.resolve() / file.name
        try:
            place = Path(os.path.relpath(whole, root.resolve()))
        except ValueError:  # on another drive of Windows
            place = whole
        table.writerow((name, place.as_posix()))
    write_text(folder / _TABLE, buffer.getvalue())


def find_video_file(root: Path, name: str, features: Path) -> Path | None:
    """The video file of a data set's video: by its table, else `videos/` and the name in the sidecar of its features.

    None if the data set does not say, or made its features from tracks, or the file has gone. Raises DataError if table
    or sidecar are damaged.
    """
    table = root / _TABLE
    place = None
    if table.exists():
        rows = read_columns(table, "a table with the columns video and file", ("video", "file"))
        place = next((root / row["file"] for row, _ in rows if row["video"] == name and row["file"]), None)
    elif (sidecar := read_sidecar(features)) is not None:
        place = root / "videos" / Path(sidecar.video).name
    try:
        return place if place is not None and place.is_file() and not is_track_file(place) else None
    except OSError:  # a name longer than the system allows
        return None
