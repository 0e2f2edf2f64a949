"""Praat's TextGrid, in its long and its short form: tiers of intervals that tile the time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.text import choose_tier, edges, interval, one_line, rounded, seconds
from keyseg.timeline import Annotation, DataError
from keyseg.timeline.files import read_text

_HEAD = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = {end}
tiers? <exists>
size = 1
item []:
    item [1]:
        class = "IntervalTier"
        name = "{tier}"
        xmin = 0
        xmax = {end}
        intervals: size = {count}
"""
_INTERVAL = """        intervals [{number}]:
            xmin = {start}
            xmax = {end}
            text = "{text}"
"""
# Praat reads quoted strings, flags and free-standing numbers; everything else is for people.
_TOKEN = re.compile(r'"(?:[^"]|"")*"|(?<!\S)<(?:exists|absent)>|(?<!\S)[-+]?\d[\d.]*(?:[eE][-+]?\d+)?(?!\S)')
looks = re.compile(r'(?=.{0,188}"ooTextFile").{0,390}"TextGrid"', re.DOTALL).match


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """One video: the interval tier `settings.tier`, or the only one. Raises DataError, ConfigError."""
    tokens = _Tokens(path, read_text(path, "a TextGrid", settings.encoding))
    for word in ('"ooTextFile"', '"TextGrid"'):
        tokens.take(word, word, "; is it a TextGrid in text form?")
    tokens.time()
    duration = tokens.time()
    exists = tokens.take("<exists>") == "<exists>"
    tiers = [_tier(tokens) for _ in range(tokens.count())] if exists else []
    usable = [(name, rows) for kind, name, rows in tiers if kind == "IntervalTier"]
    index = choose_tier(path, "interval tier", [name for name, _ in usable], settings.tier)
    if index is None:
        raise DataError(f"{path}: no interval tier in it; points have no length")
    intervals = [
        interval(seconds(start, place), seconds(end, place), text, place)
        for start, end, text, place in usable[index][1]
        if text.strip()
    ]
    return [Annotation(path.stem, tuple(intervals), seconds(duration, str(path)), settings.fps)]


def write(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """The long form, one tier with six decimals; gaps are intervals without text."""
    (annotation,) = annotations
    rows, reached = [], Decimal("0.000000")
    for start, end, label in edges(annotation, 6):
        if start > reached:
            rows.append((reached, start, ""))
        rows.append((start, end, one_line(label)))
        reached = end
    length = rounded(annotation.duration_seconds or Fraction(0), 6)
    if length > reached:
        rows.append((reached, length, ""))
    intervals = (
        _INTERVAL.format(number=number, start=start, end=end, text=label.replace('"', '""'))
        for number, (start, end, label) in enumerate(rows, 1)
    )
    tier = one_line(settings.tier, "tier").replace('"', '""')
    return _HEAD.format(end=max(length, reached), count=len(rows), tier=tier) + "".join(intervals)


class _Tokens:
    """What Praat reads of a file, token by token."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._text = path, text
        self._matches = _TOKEN.finditer(text)
        self._at = 0

    @property
    def place(self) -> str:
        """File and line of the last token."""
        return f"{self._path}:{self._text.count(chr(10), 0, self._at) + 1}"

    def take(self, what: str, pattern: str = ".*", hint: str = "") -> str:
        """The next token. Raises DataError if there is none, or if it does not match the whole pattern."""
        match = next(self._matches, None)
        if match is None:
            raise DataError(f"{self._path}: the file ends where {what} was expected; save it with Praat again")
        self._at = match.start()
        if not re.fullmatch(pattern, match[0], re.DOTALL):
            raise DataError(f"{self.place}: expected {what}, got {match[0][:40]}{hint}")
        return match[0]

    def time(self) -> str:
        return self.take("a time", '[^"<].*')

    def count(self) -> int:
        return int(self.take("a whole number of tiers or intervals", r"\d{1,9}"))

    def text(self) -> str:
        return self.take("a string in quotes", '".*')[1:-1].replace('""', '"').replace("\n", " ")


_TierRow = tuple[str, str, str, str]  # start, end, text, place


def _tier(tokens: _Tokens) -> tuple[str, str, list[_TierRow]]:
    """Class, name and rows of the next tier."""
    kind, name = tokens.text(), tokens.text()
    if kind not in ("IntervalTier", "TextTier"):
        raise DataError(f"{tokens.place}: expected an IntervalTier or a TextTier, got {kind[:40]!r}")
    tokens.time()
    tokens.time()
    rows = []
    for _ in range(tokens.count()):
        start = tokens.time()
        end = tokens.time() if kind == "IntervalTier" else start
        rows.append((start, end, tokens.text(), tokens.place))
    return kind, name, rows
