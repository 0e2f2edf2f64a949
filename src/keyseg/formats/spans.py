"""Intervals of other tools as the user wants them: points get a length or are left out, and so is what cannot be."""

from __future__ import annotations

from fractions import Fraction

from keyseg.formats.format import ReadSettings
from keyseg.formats.frames import known_rate
from keyseg.formats.text import interval
from keyseg.timeline import Interval


def usable_interval(
    start: Fraction, end: Fraction, label: str, where: str, settings: ReadSettings, length: Fraction | None = None
) -> Interval | None:
    """An interval, or None if `settings` say to leave it out, which is noted. length: of the video, None if unknown.

    Raises DataError at `where` on anything else that cannot be right, and ConfigError where a point has no frame rate.
    """
    text = f"{where}: {label[:80]!r} from {float(start):g} s to {float(end):g} s"
    if start == end and settings.points == "drop":
        settings.note(f"{text} is a point, and is left out")
        return None
    if start == end and settings.points is not None:
        end = start + int(settings.points) / known_rate(settings.fps, where)
    if settings.lenient and (start >= end or not label.strip() or (length is not None and start >= length)):
        settings.note(f"{text} is left out")
        return None
    if settings.lenient and length is not None and end > length:
        settings.note(f"{text} is cut at {float(length):g} s")
        end = length
    return interval(start, end, label, where)
