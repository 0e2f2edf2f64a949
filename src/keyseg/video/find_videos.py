"""Which files are videos; the name of a file without its ending is the name of its features and timelines."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path

from keyseg.data.input_names import input_name
from keyseg.formats.text import VIDEO_SUFFIXES
from keyseg.timeline import DataError
from keyseg.video.addresses import address_of, inside_address
from keyseg.video.pose_tracks import holds_tracks


def find_videos(paths: Iterable[Path], *, tracks: bool = False) -> list[Path]:
    """The given files, of any suffix, and the videos in the given folders, sorted within a folder; addresses of either.

    tracks: look for files of tracks instead of videos. Raises DataError on a folder without a video and a path that
    does not exist.
    """
    videos: list[Path] = []
    for path in paths:
        if address := address_of(path):
            if tracks:
                raise DataError(f"{address}: tracks are read from this machine; fetch them first")
            videos += inside_address(path, VIDEO_SUFFIXES)
        elif path.is_dir():
            inside = tracks_inside(path) if tracks else videos_inside(path)
            if not inside and tracks:
                raise DataError(f"{path}: no tracks in this folder; looked for CSV and H5 files of DeepLabCut or SLEAP")
            if not inside:
                raise DataError(f"{path}: no video in this folder; looked for {', '.join(sorted(VIDEO_SUFFIXES))}")
            videos += inside
        elif path.exists():
            videos.append(path)
        else:
            raise DataError(f"{path}: no such file or folder")
    return list({video.resolve(): video for video in reversed(videos)}.values())[::-1]


def videos_inside(folder: Path) -> list[Path]:
    """Videos of a folder by their endings, sorted, without hidden files (some systems leave one beside each video)."""
    visible = (file for file in sorted(folder.iterdir()) if not file.name.startswith("."))
    return [file for file in visible if file.suffix.lower() in VIDEO_SUFFIXES and file.is_file()]


def tracks_inside(folder: Path) -> list[Path]:
    """Files of tracks in a folder, sorted, without hidden files; of the same tracks as CSV and H5, the CSV file."""
    visible = (file for file in sorted(folder.iterdir()) if not file.name.startswith("."))
    files = [file for file in visible if file.is_file() and holds_tracks(file)]
    tables = {file.stem for file in files if file.suffix.lower() == ".csv"}
    return [file for file in files if file.suffix.lower() == ".csv" or file.stem not in tables]


def one_a_name(paths: Iterable[Path]) -> list[Path]:
    """The files without repetitions.

    Raises DataError if two files would have the same name, also one that differs in upper and lower case alone, which
    is one file on Windows and macOS.
    """
    by_name: dict[str, Path] = {}
    for path in paths:
        other = by_name.setdefault(unicodedata.normalize("NFC", input_name(path)).casefold(), path)
        if other.resolve() != path.resolve():
            raise DataError(
                f"{other} and {path} would both be called {input_name(path)}; rename one of them, or leave one out"
            )
    return list(by_name.values())
