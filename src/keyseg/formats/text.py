"""What all readers and writers of text share: names in messages, labels that fit a line, extras that may be missing."""

from __future__ import annotations

import importlib
import unicodedata
from collections.abc import Iterable
from fractions import Fraction
from pathlib import PurePath, PurePosixPath
from typing import Any

from keyseg.timeline import ConfigError, DataError, Interval

# Suffixes of media files, which are no part of a video's name.
_MEDIA = {".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".mts", ".wav", ".mp3"}
_NO_TEXT = {"Cc", "Cs", "Zl", "Zp"}  # control characters, halves of characters, separators of lines


def interval(start: Fraction, end: Fraction, label: str, where: str) -> Interval:
    """An interval, or a DataError at `where` that says what is wrong with it."""
    if not label.strip():
        raise DataError(f"{where}: expected a label for what goes from {float(start):g} s to {float(end):g} s")
    if start == end:
        raise DataError(f"{where}: {label[:80]!r} is a point at {float(start):g} s; give it a length, or remove it")
    if start > end:
        raise DataError(f"{where}: {label[:80]!r} ends at {float(end):g} s, before it starts at {float(start):g} s")
    return Interval(start, end, label.strip())


def one_line(label: str, what: str = "label") -> str:
    """A label for a format of lines, without blanks around. Raises DataError on line breaks and control characters."""
    bad = next((c for c in label if unicodedata.category(c) in _NO_TEXT or c in "\ufffe\uffff"), None)
    if bad is not None:
        raise DataError(f"the {what} {label[:80]!r} holds {bad!r}, which this format cannot; write json, or rename it")
    return label.strip()


def video_name(media: str) -> str:
    """Name of the video of a media file or its address: the last part, without .mp4 and the like."""
    last = PurePosixPath(media.strip().replace("\\", "/")).name
    return PurePath(last).stem if PurePath(last).suffix.lower() in _MEDIA else last


def listed(names: Iterable[str]) -> str:
    """Names for a message."""
    return ", ".join(repr(name) for name in names)


def extra(module: str) -> Any:
    """A module of the extra `formats`. Raises ConfigError with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"this format needs {module}, which is not installed; run: pip install 'keyseg[formats]'"
        ) from error
