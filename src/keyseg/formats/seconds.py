"""Times as text: read as exact numbers, and written so that they lead back to the same frame."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from keyseg.timeline import Annotation, DataError, TimelineError
from keyseg.timeline.rates import parse_rate

_NUMBER = re.compile(r"[+-]?(\d{1,20}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,3})?", re.ASCII)
_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2}(?:[.,]\d{1,9})?)", re.ASCII)
# No annotated video is longer, and larger numbers would fill the memory with frames.
_LONGEST = 10_000_000
# Rates that tools round to decimals: 23.976 and 29.97 mean these.
_NTSC = tuple(Fraction(rate * 1000, 1001) for rate in (24, 30, 48, 60, 120))


def seconds(value: object, where: str) -> Fraction:
    """Exact seconds of a number or its text. Raises DataError at `where` unless it is a time in a video."""
    return bounded(number(value, where), where)


def bounded(exact: Fraction, where: str) -> Fraction:
    """The same seconds. Raises DataError at `where` unless they can be a time in a video."""
    if not 0 <= exact <= _LONGEST:
        raise DataError(f"{where}: expected a time from 0 to {_LONGEST} seconds, got {float(exact):g}")
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
