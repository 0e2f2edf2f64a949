"""Addresses of videos as annotation files link them: file URIs of all systems, and what kind of file it is."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

_SOUND = {".wav", ".mp3", ".m4a", ".aac", ".flac", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".wma"}
_TYPES = {
    **dict.fromkeys((".mp4", ".m4v"), "video/mp4"),
    **dict.fromkeys((".mpg", ".mpeg"), "video/mpeg"),
    **{".mov": "video/quicktime", ".avi": "video/x-msvideo", ".mkv": "video/x-matroska", ".webm": "video/webm"},
}


def is_sound(address: str, mime_type: str) -> bool:
    """Whether a linked file is sound without pictures."""
    return mime_type.startswith("audio/") or _suffix(address) in _SOUND


def mime_type(address: str) -> str:
    """MIME type of a video; `video/*`, as ELAN writes it, for kinds that have no usual one.

    >>> mime_type("day1.MP4"), mime_type("day1.mts")
    ('video/mp4', 'video/*')
    """
    return _TYPES.get(_suffix(address), "video/*")


def linked_path(url: str, relative: str, folder: Path) -> str:
    """The path of a linked file: the absolute one if there is such a file, else the one relative to `folder` if there
    is, as an absolute path, else as it is written.

    Programs differ in whether they escape spaces and the like as %20, so a name is taken literally if there is such a
    file. Addresses that are no file stay as they are.
    """
    beside = [os.path.abspath(folder / path) for path in _spellings(relative)] if relative else []
    places = [path for path in (*_spellings(url), *beside) if not path.startswith("//")]  # ask no other computer
    there = next((path for path in places if "://" not in path and os.path.isfile(path)), None)
    return there or _spellings(url or relative)[-1]


def file_url(path: str) -> str:
    """The address of a file as ELAN writes and reads it, with nothing escaped.

    >>> file_url("C:\\\\videos\\\\day 1.mp4"), file_url("/videos/day1.mp4")
    ('file:///C:/videos/day 1.mp4', 'file:///videos/day1.mp4')
    """
    if "://" in path:
        return path
    path = _forward(path)
    return f"file:{path}" if path.startswith("//") else f"file:///{path.removeprefix('/')}"


def relative_path(path: str, folder: Path) -> str | None:
    """The path of a file as seen from `folder`, such as ./day1.mp4; None on another drive, or of another system."""
    if not Path(path).is_absolute():
        return None if "://" in path or _has_drive(path) else _dotted(path)
    try:
        return _dotted(Path(os.path.relpath(path, folder)).as_posix())
    except ValueError:  # on another drive
        return None


def _dotted(path: str) -> str:
    return path if path.startswith(("./", "../")) else f"./{path}"


def _spellings(url: str) -> tuple[str, ...]:
    """The path in a file URI as it is written, and with its escapes resolved."""
    address = url.strip()
    if not address.lower().startswith("file:"):
        return (address,)
    plain = _plain(_forward(address[len("file:") :]))
    return plain, _plain(unquote(plain))


def _plain(rest: str) -> str:
    """A path without the slashes that a file URI has before it."""
    slashes = len(rest) - len(rest.lstrip("/"))
    path = rest[slashes:]
    if _has_drive(path) or (slashes and path.startswith(("./", "../"))):  # ELAN once wrote file:/./day1.mp4
        return path
    if slashes == 2 and path.startswith("localhost/"):
        return path.removeprefix("localhost")
    if slashes in (0, 1, 3):
        return "/" * bool(slashes) + path
    return f"//{path}"  # a Windows share


def _forward(path: str) -> str:
    """A Windows path with forward slashes; in other paths a backslash is a letter."""
    return path.replace("\\", "/") if _has_drive(path.lstrip("/\\")) or path.startswith("\\\\") else path


def _has_drive(path: str) -> bool:
    return re.match(r"[A-Za-z]:[/\\]", path) is not None


def _suffix(address: str) -> str:
    return PurePosixPath(address.replace("\\", "/")).suffix.lower()
