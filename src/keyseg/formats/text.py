"""What readers and writers share: exact times, checked intervals, labels that fit a line, choosing a tier."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise, takewhile
from operator import eq
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from keyseg.formats.format import ReadSettings
from keyseg.timeline import Annotation, ConfigError, DataError, Interval, TimelineError, nearest
from keyseg.timeline.rates import parse_rate

_NUMBER = re.compile(r"[+-]?(\d{1,20}(\.\d{0,40})?|\.\d{1,40})([eE](-\d{1,3}|[+]?\d{1,2}))?", re.ASCII)
_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2}(?:[.,]\d{1,9})?)", re.ASCII)
# No annotated video is longer, and larger numbers would fill the memory with frames.
LONGEST = 10_000_000
# Rates that tools round to decimals: 23.976 and 29.97 mean these.
_NTSC = tuple(Fraction(rate * 1000, 1001) for rate in (24, 30, 48, 60, 120))
_VIDEOS = "mp4 m4v mov mkv webm avi mpg mpeg ts mts m2ts flv wmv asf ogv mxf dv vob"
VIDEO_SUFFIXES = frozenset(f".{ending}" for ending in _VIDEOS.split())
# Suffixes of media files; they do not belong to a video's name.
_MEDIA = VIDEO_SUFFIXES | {".wav", ".mp3"}
_NO_TEXT = {"Cc", "Cs", "Zl", "Zp"}  # Unicode categories: control characters, surrogates, line separators


def seconds(value: object, where: str) -> Fraction:
    """Exact seconds of a number or its text. Raises DataError at `where` unless it is a time in a video."""
    return bounded(number(value, where), where)


def bounded(exact: Fraction, where: str) -> Fraction:
    """The same seconds. Raises DataError at `where` unless they can be a time in a video."""
    if not 0 <= exact <= LONGEST:
        raise DataError(f"{where}: expected a time from 0 to {LONGEST} seconds, got {float(exact):g}")
    return exact


def number(value: object, where: str) -> Fraction:
    """The exact value of a number or its text. Raises DataError at `where` on anything else, such as NaN."""
    text = str(value).strip() if isinstance(value, str | int | Decimal) and not isinstance(value, bool) else ""
    if not _NUMBER.fullmatch(text):
        raise DataError(f"{where}: expected a number, got {str(value)[:40]!r}")
    return Fraction(text)


def clock_seconds(text: str, where: str) -> Fraction:
    """Exact seconds of [HH:]MM:SS with decimals after a dot or comma. Raises DataError at `where`."""
    match = _CLOCK.fullmatch(text.strip())
    if not match or int(match[2]) > 59 or Fraction(match[3].replace(",", ".")) >= 60:
        raise DataError(f"{where}: expected a time such as HH:MM:SS.mmm, got {text[:40]!r}")
    return int(match[1] or 0) * 3600 + int(match[2]) * 60 + Fraction(match[3].replace(",", "."))


def nominal_rate(value: object, where: str) -> Fraction:
    """Frames per second as a tool writes them: a fraction is exact, a decimal may be rounded, as 29.97 for 30000/1001.

    Raises DataError at `where`.
    """
    try:
        exact = parse_rate(value)
    except TimelineError as error:
        raise DataError(f"{where}: {error}") from None
    if "/" in str(value):
        return exact
    near = next((rate for rate in _NTSC if abs(exact - rate) < Fraction(1, 200)), None)
    return near or exact.limit_denominator(1001) or exact


def clock_text(time: Decimal) -> str:
    """HH:MM:SS.mmm; hours have two digits or more."""
    minutes, rest = divmod(time, 60)
    return f"{int(minutes) // 60:02d}:{int(minutes) % 60:02d}:{rest:06.3f}"


def rounded(exact: Fraction, digits: int) -> Decimal:
    """Seconds with so many decimals, also when they are written; half a unit is rounded up."""
    return Decimal(f"{(exact * 10**digits + Fraction(1, 2)) // 1}e-{digits}")


def edges(annotation: Annotation, digits: int) -> Iterator[tuple[Decimal, Decimal, str]]:
    """Start, end and label of each interval; the seconds have so many decimals.

    Raises TimelineError where that is too coarse to find the frame again, or to distinguish start and end.
    """
    if annotation.fps is not None and annotation.fps >= 10**digits:
        raise TimelineError(
            f"{annotation.video}: at {annotation.fps} frames per second, {digits} decimals do not identify a frame;"
            " write json instead"
        )
    for interval in annotation.intervals:
        start, end = rounded(interval.start_seconds, digits), rounded(interval.end_seconds, digits)
        if start == end:
            raise TimelineError(
                f"{annotation.video}: {interval} is too short for {digits} decimals; write json instead"
            )
        yield start, end, interval.label


def interval(start: Fraction, end: Fraction, label: str, where: str) -> Interval:
    """An interval, or a DataError at `where` that says what is wrong with it."""
    if not label.strip():
        raise DataError(f"{where}: expected a label for {float(start):g} s to {float(end):g} s")
    if start == end:
        raise DataError(f"{where}: {label[:80]!r} is a point at {float(start):g} s; give it a length, or remove it")
    if start > end:
        raise DataError(f"{where}: {label[:80]!r} ends at {float(end):g} s, before it starts at {float(start):g} s")
    return Interval(start, end, label.strip())


def point_intervals(
    points: Sequence[tuple[Fraction, str, str]],
    settings: ReadSettings,
    fps: Fraction | None = None,
    length: Fraction | None = None,
) -> list[Interval]:
    """Events without a length as `settings.points` wants them: left out with one note, or so many frames long.

    points: time in seconds, label and place of each. fps: frames per second that the file states; those of `settings`
    go first. length: of the video, in seconds; a point at its end keeps at least the last frame.

    Raises DataError at the first point if there is no choice, and if it has no label; ConfigError if the number of
    frames is below 1, or has no rate.
    """
    if not points:
        return []
    time, label, where = points[0]
    if settings.points is None:
        raise DataError(
            f"{where}: {label[:80]!r} is a point at {float(time):g} s, and points have no length; leave them out with"
            " --points drop, or give each a number of frames with --points FRAMES"
        )
    if settings.points == "drop":
        some = ", ".join(sorted({repr(label[:80]) for _, label, _ in points})[:5])
        settings.note(f"{len(points)} event{'s' * (len(points) > 1)} without a length left out: {some}; see --points")
        return []
    rate = settings.fps or fps
    if settings.points < 1:
        raise ConfigError(f"expected drop or a number of frames from 1 for --points, got {settings.points}")
    if rate is None:
        raise ConfigError(f"{where}: --points counts frames, and the frame rate is unknown; give --fps")
    intervals = []
    for time, label, where in points:
        start, end = time, time + settings.points / rate
        if length is not None and time <= length:
            start, end = max(min(start, length - 1 / rate), Fraction(0)), min(end, length)
        intervals.append(interval(start, end, label, where))
    return intervals


def one_line(label: str, what: str = "label") -> str:
    """A label that fits on one line, stripped. Raises DataError on line breaks and control characters."""
    bad = next((c for c in label if unicodedata.category(c) in _NO_TEXT or c in "\ufffe\uffff"), None)
    if bad is not None:
        raise DataError(f"the {what} {label[:80]!r} holds {bad!r}, which this format cannot store; rename it")
    return label.strip()


def path_parts(media: str) -> tuple[str, ...]:
    """The folders and the file name of a path of any system, or of an address, decoded and without its query."""
    path = media.strip()
    if "://" in path:
        path = unquote(re.split("[?#]", path.partition("://")[2])[0])
    parts = unicodedata.normalize("NFC", path).replace("\\", "/").split("/")
    return tuple(part for part in parts if part not in ("", "."))


def video_name(media: str) -> str:
    """Name of a video by its path or address: the last part, without .mp4 and the like; empty if there is none.

    >>> video_name("C:\\\\clips\\\\day1.1.MP4"), video_name("https://example.org/my%20day.mp4?v=2"), video_name("a.b")
    ('day1.1', 'my day', 'a.b')
    """
    last = "".join(path_parts(media)[-1:])
    return PurePosixPath(last).stem if PurePosixPath(last).suffix.lower() in _MEDIA else last


def distinguishing_depth(folders: Collection[tuple[str, ...]]) -> int:
    """How many folders, from the last, distinguish these paths as well as all of their folders do.

    >>> distinguishing_depth([("P01", "raw"), ("P02", "raw")]), distinguishing_depth([("P01", "raw")])
    (2, 0)
    """
    alike = pairwise(sorted({path[::-1] for path in folders}))
    return max((1 + sum(1 for _ in takewhile(bool, map(eq, *two))) for two in alike), default=0)


def choose_tier(path: Path, kind: str, names: Sequence[str], wanted: Sequence[str]) -> int | None:
    """Index of the tier to read: the first of `wanted` that there is, or the only one; None if there is no tier.

    kind: what the format calls a tier. Raises ConfigError if there is no tier of these names, or a choice to make.
    """
    listed = ", ".join(map(repr, names)) or "none"
    found = next((names.index(name) for name in wanted if name in names), None)
    if wanted and found is None:
        raise ConfigError(
            f"{path}: no {kind} {' or '.join(map(repr, wanted))}{nearest(wanted[0], names)}; it has {listed}"
        )
    if not wanted and len(names) > 1:
        raise ConfigError(f"{path}: several {kind}s: {listed}; choose one with --tier")
    return found if wanted else 0 if names else None
