"""Pictures of a video as JPEG files, made once and kept in the folder's .keyseg."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from keyseg.timeline.files import write_bytes
from keyseg.video.reading import read_key_frames
from keyseg.viz.page_player import jpeg

TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".ogv": "video/ogg",
    ".avi": "video/x-msvideo",
    ".mpg": "video/mpeg",
    ".mpeg": "video/mpeg",
    ".ts": "video/mp2t",
}


def media_type(path: Path) -> str:
    """The type of a video for browsers, by its suffix.

    >>> media_type(Path("film.MP4"))
    'video/mp4'
    """
    return TYPES.get(path.suffix.lower(), "application/octet-stream")


def thumbnail(path: Path, kept: Path, seconds: float) -> bytes:
    """A small picture from a time of the video, which is kept in a file. Raises DataError if there is none."""
    if not kept.is_file() or kept.stat().st_mtime < path.stat().st_mtime:
        write_bytes(kept, frame(path, path.stat().st_mtime_ns, seconds))
    return kept.read_bytes()


@lru_cache(maxsize=256)
def frame(path: Path, modified: int, seconds: float) -> bytes:
    """The picture on screen at a time, at most 160 pixels high. Raises DataError if there is none."""
    return jpeg(read_key_frames(path, [seconds])[0][1])
