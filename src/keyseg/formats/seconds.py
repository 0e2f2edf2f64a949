"""Times as text: exact numbers in, and numbers out that lead back to the same frame."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from keyseg.timeline import Annotation, DataError, TimelineError

_NUMBER = re.compile(r"[+-]?(\d{1,20}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,3})?", re.ASCII)
_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2}(?:[.,]\d{1,9})?)", re.ASCII)
# Nothing that people label is longer, and numbers beyond it would fill the memory with frames.
_LONGEST = 10_000_000
# Rates that tools write as decimals: 29.97 and 23.976 mean these.
_NTSC = tuple(Fraction(rate * 1000, 1001) for rate in (24, 30, 48, 60, 120))


def seconds(value: object, where: str) -> Fraction:
    """Seconds of a number or its text, exact. Raises DataError at `where` unless it is a time >= 0."""
    return bounded(number(value, where), where)


def bounded(exact: Fraction, where: str) -> Fraction:
    """Seconds that can be a time in a video. Raises DataError at `where` on others."""
    if not 0 <= exact <= _LONGEST:
        raise DataError(f"{where}: expected a time from 0 to {_LONGEST} seconds, got {float(exact):g}")
    return exact


def number(value: object, where: str) -> Fraction:
    """A number or its text, exact. Raises DataError at `where` on anything else, also on NaN and infinity."""
    text = str(value).strip() if isinstance(value, str | int | Decimal) and not isinstance(value, bool) else ""
    if not _NUMBER.fullmatch(text):
        raise DataError(f"{where}: expected a number, got {str(value)[:40]!r}")
    return Fraction(text)


def clock(text: str, where: str) -> Fraction:
    """Seconds of [HH:]MM:SS with decimals after a dot or comma, exact. Raises DataError at `where`."""
    found = _CLOCK.fullmatch(text.strip())
    if not found or int(found[2]) > 59 or Fraction(found[3].replace(",", ".")) >= 60:
        raise DataError(f"{where}: expected a time as HH:MM:SS.mmm, got {text[:40]!r}")
    return int(found[1] or 0) * 3600 + int(found[2]) * 60 + Fraction(found[3].replace(",", "."))


def frame_rate(value: object, where: str) -> Fraction:
    """Frames a second from a decimal that a tool has rounded: 29.97 is 30000/1001. Raises DataError at `where`."""
    exact = number(value, where)
    if not 0 < exact <= 100_000:
        raise DataError(f"{where}: expected a positive frame rate, got {str(value)[:40]!r}")
    near = next((rate for rate in _NTSC if abs(exact - rate) < Fraction(1, 200)), None)
    return near or exact.limit_denominator(1001)


def clock_text(milliseconds: int, mark: str = ".") -> str:
    """HH:MM:SS.mmm, hours with two digits or more."""
    rest, thousandths = divmod(milliseconds, 1000)
    return f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}{mark}{thousandths:03d}"


def decimal_text(microseconds: int) -> str:
    """Seconds with six decimals."""
    return f"{microseconds // 10**6}.{microseconds % 10**6:06d}"


def rounded(exact: Fraction, digits: int) -> int:
    """Seconds in units of 10**-digits."""
    return int((exact * 10**digits + Fraction(1, 2)) // 1)


def edges(annotation: Annotation, digits: int) -> Iterator[tuple[int, int, str]]:
    """Start, end and label of each interval, in units of 10**-digits seconds.

    Raises TimelineError where that is too coarse to find the frame again, or to tell start from end.
    """
    if annotation.fps is not None and annotation.fps >= 10**digits:
        raise TimelineError(
            f"{annotation.video}: at {annotation.fps} frames a second, {digits} decimals do not find the frame again;"
            " write json instead"
        )
    for interval in annotation.intervals:
        start, end = rounded(interval.start_seconds, digits), rounded(interval.end_seconds, digits)
        if start == end:
            raise TimelineError(
                f"{annotation.video}: {interval} is too short for {digits} decimals; write json instead"
            )
        yield start, end, interval.label
