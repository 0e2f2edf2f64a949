"""Praat's TextGrid, in its long and its short form: tiers of intervals that tile the time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.seconds import decimal_text, edges, rounded, seconds
from keyseg.formats.text import choose_tier, interval, one_line
from keyseg.timeline import Annotation, DataError, Interval
from keyseg.timeline.files import read_text

_TIER = "actions"
# Praat reads quoted strings, flags and free-standing numbers; everything else is for people.
_TOKEN = re.compile(r'"(?:[^"]|"")*"|(?<!\S)<(?:exists|absent)>|(?<!\S)[-+]?\d[\d.]*(?:[eE][-+]?\d+)?(?!\S)')
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """One video: the interval tier `settings.tier`, or the only one. Raises DataError, ConfigError."""
    tokens = _Tokens(path, _text(path))
    tokens.expect('"ooTextFile"')
    tokens.expect('"TextGrid"')
    tokens.number("a time")
    duration = tokens.number("a time")
    exists = tokens.next("<exists>") == "<exists>"
    tiers = [_tier(tokens) for _ in range(tokens.count())] if exists else []
    usable = [(name, rows) for kind, name, rows in tiers if kind == "IntervalTier"]
    index = choose_tier(path, "interval tier", [name for name, _ in usable], settings.tier)
    if index is None:
        raise DataError(f"{path}: no interval tier in it; points have no length")
    intervals = [_interval(row) for row in usable[index][1] if row[2].strip()]
    return [Annotation(path.stem, tuple(intervals), seconds(duration, str(path)), settings.fps)]


def write(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """The long form, one tier, `actions`, with six decimals; gaps are intervals without text."""
    (annotation,) = annotations
    rows, reached = [], 0
    for start, end, label in edges(annotation, 6):
        if start > reached:
            rows.append((reached, start, ""))
        rows.append((start, end, one_line(label)))
        reached = end
    length = rounded(annotation.duration_seconds or Fraction(0), 6)
    if length > reached:
        rows.append((reached, length, ""))
    span = ["xmin = 0", f"xmax = {decimal_text(max(length, reached))}"]
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", *span, "tiers? <exists>", "size = 1"]
    lines += ["item []:", "    item [1]:"]
    lines += [f"        {line}" for line in ('class = "IntervalTier"', f'name = "{_TIER}"', *span)]
    lines.append(f"        intervals: size = {len(rows)}")
    for number, (start, end, text) in enumerate(rows, 1):
        quoted = text.replace('"', '""')
        fields = (f"xmin = {decimal_text(start)}", f"xmax = {decimal_text(end)}", f'text = "{quoted}"')
        lines += [f"        intervals [{number}]:", *(f"            {field}" for field in fields)]
    return "\n".join(lines) + "\n"


def looks(text: str) -> bool:
    """Praat's first line and the class of object."""
    return '"ooTextFile"' in text[:200] and '"TextGrid"' in text[:400]


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

    def next(self, what: str) -> str:
        match = next(self._matches, None)
        if match is None:
            raise DataError(f"{self._path}: the file ends where {what} was expected; save it with Praat again")
        self._at = match.start()
        return match[0]

    def expect(self, expected: str) -> None:
        token = self.next(expected)
        if token != expected:
            raise DataError(f"{self.place}: expected {expected}, got {token[:40]}; is it a TextGrid in text form?")

    def number(self, what: str) -> str:
        token = self.next(what)
        if token.startswith(('"', "<")):
            raise DataError(f"{self.place}: expected {what}, got {token[:40]}")
        return token

    def count(self) -> int:
        token = self.number("a number of tiers or intervals")
        if not token.isdecimal() or len(token) > 9:
            raise DataError(f"{self.place}: expected a whole number, got {token[:40]}")
        return int(token)

    def text(self) -> str:
        token = self.next("a string in quotes")
        if not token.startswith('"'):
            raise DataError(f"{self.place}: expected a string in quotes, got {token[:40]}")
        return " ".join(token[1:-1].replace('""', '"').split("\n"))


_TierRow = tuple[str, str, str, str]  # start, end, text, place


def _tier(tokens: _Tokens) -> tuple[str, str, list[_TierRow]]:
    """Class, name and rows of the next tier."""
    kind, name = tokens.text(), tokens.text()
    if kind not in ("IntervalTier", "TextTier"):
        raise DataError(f"{tokens.place}: expected an IntervalTier or a TextTier, got {kind[:40]!r}")
    tokens.number("a time")
    tokens.number("a time")
    rows = []
    for _ in range(tokens.count()):
        start = tokens.number("a time")
        end = tokens.number("a time") if kind == "IntervalTier" else start
        rows.append((start, end, tokens.text(), tokens.place))
    return kind, name, rows


def _interval(row: _TierRow) -> Interval:
    start, end, text, place = row
    return interval(seconds(start, place), seconds(end, place), text, place)


def _text(path: Path) -> str:
    """Praat writes UTF-8, or UTF-16 if a label is not ASCII."""
    try:
        with path.open("rb") as file:
            start = file.read(2)
        if start in _UTF16:
            return path.read_text(encoding="utf-16").replace("\r\n", "\n")
    except (OSError, UnicodeError) as error:
        raise DataError(f"{path}: cannot read it ({error}); it should hold a TextGrid") from error
    return read_text(path, "a TextGrid")
