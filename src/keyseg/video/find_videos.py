"""Which files are videos, and by what name their features and timelines go."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from keyseg.timeline import DataError

# Endings of files that are taken from a folder; a file that is named itself may have any.
_ENDINGS = "mp4 m4v mov mkv webm avi mpg mpeg ts mts m2ts flv wmv asf ogv mxf dv"
SUFFIXES = frozenset(f".{ending}" for ending in _ENDINGS.split())


def find_videos(paths: Iterable[Path]) -> list[Path]:
    """The files named, and the videos in the folders named, sorted within a folder.

    Raises DataError on a folder without a video, a path that is not there, and two videos of one name.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = videos_inside(path)
            if not inside:
                raise DataError(f"{path}: no video in this folder; looked for {', '.join(sorted(SUFFIXES))}")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise DataError(f"{path}: no such file or folder")
    return one_a_name(found)


def videos_inside(folder: Path) -> list[Path]:
    """Videos of a folder by their endings, sorted; hidden files are none (some systems leave one beside each video)."""
    visible = (file for file in sorted(folder.iterdir()) if not file.name.startswith("."))
    return [file for file in visible if file.suffix.lower() in SUFFIXES and file.is_file()]


def one_a_name(paths: Iterable[Path]) -> list[Path]:
    """The files without those named twice. Raises DataError where two files would go by one name."""
    by_name: dict[str, Path] = {}
    for path in paths:
        other = by_name.setdefault(path.stem, path)
        if other.resolve() != path.resolve():
            raise DataError(f"{other} and {path} would both be called {path.stem}; rename one of them")
    return list(by_name.values())
