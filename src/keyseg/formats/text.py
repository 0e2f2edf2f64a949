"""What readers and writers share: checked intervals, labels that fit a line, names in messages, choosing a tier."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path, PurePath, PurePosixPath

from keyseg.timeline import ConfigError, DataError, Interval, nearest

# Suffixes of media files; they do not belong to a video's name.
_MEDIA = {".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".mts", ".wav", ".mp3"}
_NO_TEXT = {"Cc", "Cs", "Zl", "Zp"}  # Unicode categories: control characters, surrogates, line separators


def interval(start: Fraction, end: Fraction, label: str, where: str) -> Interval:
    """An interval, or a DataError at `where` that says what is wrong with it."""
    if not label.strip():
        raise DataError(f"{where}: expected a label for {float(start):g} s to {float(end):g} s")
    if start == end:
        raise DataError(f"{where}: {label[:80]!r} is a point at {float(start):g} s; give it a length, or remove it")
    if start > end:
        raise DataError(f"{where}: {label[:80]!r} ends at {float(end):g} s, before it starts at {float(start):g} s")
    return Interval(start, end, label.strip())


def one_line(label: str, what: str = "label") -> str:
    """A label that fits on one line, stripped. Raises DataError on line breaks and control characters."""
    bad = next((c for c in label if unicodedata.category(c) in _NO_TEXT or c in "\ufffe\uffff"), None)
    if bad is not None:
        raise DataError(f"the {what} {label[:80]!r} holds {bad!r}, which this format cannot store; rename it")
    return label.strip()


def video_name(media: str) -> str:
    """Name of a video by its file or address: the last part, without .mp4 and the like."""
    last = PurePosixPath(media.strip().replace("\\", "/")).name
    return PurePath(last).stem if PurePath(last).suffix.lower() in _MEDIA else last


def listed(names: Iterable[str]) -> str:
    """Quoted names for a message."""
    return ", ".join(map(repr, names)) or "none"


def choose_tier(path: Path, kind: str, names: Sequence[str], wanted: str | None) -> int | None:
    """Index of the tier to read: the one called `wanted`, or the only one; None if there is no tier.

    kind: what the format calls a tier. Raises ConfigError if there is no tier of that name, or a choice to make.
    """
    if wanted is not None and wanted not in names:
        raise ConfigError(f"{path}: no {kind} {wanted!r}{nearest(wanted, names)}; it has {listed(names)}")
    if wanted is None and len(names) > 1:
        raise ConfigError(f"{path}: several {kind}s: {listed(names)}; choose one with --tier")
    return names.index(wanted) if wanted is not None else 0 if names else None
