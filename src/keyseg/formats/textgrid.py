"""Praat's TextGrid, in its long and its short form: tiers of intervals that tile the time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from keyseg.formats.format import Reading, Writing
from keyseg.formats.seconds import decimal_text, edges, rounded, seconds
from keyseg.formats.text import interval, listed, one_line
from keyseg.timeline import Annotation, ConfigError, DataError, nearest
from keyseg.timeline.files import read_text

_TIER = "actions"
# Praat reads texts in quotes, flags and numbers that stand alone; whatever else is there is for people.
_TOKEN = re.compile(r'"(?:[^"]|"")*"|(?<!\S)<(?:exists|absent)>|(?<!\S)[-+]?\d[\d.]*(?:[eE][-+]?\d+)?(?!\S)')
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class _Tier:
    name: str
    kind: str
    rows: list[tuple[str, str, str, str]]  # start, end, text, place


def read(path: Path, reading: Reading) -> list[Annotation]:
    """One video: the interval tier that `reading` names, or the only one. Raises DataError, ConfigError."""
    tokens = _Tokens(path, _text(path))
    tokens.expect('"ooTextFile"')
    tokens.expect('"TextGrid"')
    tokens.time()
    duration = tokens.time()
    tiers = [_tier(tokens) for _ in range(tokens.count())] if tokens.flag() else []
    found = [
        interval(seconds(start, place), seconds(end, place), text, place)
        for start, end, text, place in _chosen(path, tiers, reading.tier)
        if text.strip()
    ]
    return [Annotation(path.stem, tuple(found), seconds(duration, str(path)), reading.fps)]


def write(annotations: Sequence[Annotation], writing: Writing) -> str:
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
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0"]
    lines += [
        f"xmax = {decimal_text(max(length, reached))}",
        "tiers? <exists>",
        "size = 1",
        "item []:",
        "    item [1]:",
    ]
    lines += [f"        {line}" for line in ('class = "IntervalTier"', f'name = "{_TIER}"', *lines[3:5])]
    lines.append(f"        intervals: size = {len(rows)}")
    for number, (start, end, text) in enumerate(rows, 1):
        told = (f"xmin = {decimal_text(start)}", f"xmax = {decimal_text(end)}", f"text = {_quoted(text)}")
        lines += [f"        intervals [{number}]:", *(f"            {line}" for line in told)]
    return "\n".join(lines) + "\n"


def looks(text: str) -> bool:
    """Praat's first line and the class of object."""
    return '"ooTextFile"' in text[:200] and '"TextGrid"' in text[:400]


class _Tokens:
    """What Praat reads of a file, one after the other."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._text = path, text
        self._found: Iterator[re.Match[str]] = _TOKEN.finditer(text)
        self._at = 0

    @property
    def place(self) -> str:
        """File and line of the last token."""
        return f"{self._path}:{self._text.count(chr(10), 0, self._at) + 1}"

    def next(self, what: str) -> str:
        token = next(self._found, None)
        if token is None:
            raise DataError(f"{self._path}: the file ends where {what} was expected; save it with Praat again")
        self._at = token.start()
        return token[0]

    def expect(self, token: str) -> None:
        found = self.next(token)
        if found != token:
            raise DataError(f"{self.place}: expected {token}, got {found[:40]}; is it a TextGrid in text form?")

    def flag(self) -> bool:
        return self.next("<exists>") == "<exists>"

    def time(self) -> str:
        return self._number("a time")

    def count(self) -> int:
        found = self._number("a number of tiers or intervals")
        if not found.isdecimal() or len(found) > 9:
            raise DataError(f"{self.place}: expected a whole number, got {found[:40]}")
        return int(found)

    def text(self) -> str:
        found = self.next("a text in quotes")
        if not found.startswith('"'):
            raise DataError(f"{self.place}: expected a text in quotes, got {found[:40]}")
        return " ".join(found[1:-1].replace('""', '"').split("\n"))

    def _number(self, what: str) -> str:
        found = self.next(what)
        if found.startswith(('"', "<")):
            raise DataError(f"{self.place}: expected {what}, got {found[:40]}")
        return found


def _tier(tokens: _Tokens) -> _Tier:
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
    return _Tier(name, kind, rows)


def _chosen(path: Path, tiers: list[_Tier], wanted: str | None) -> list[tuple[str, str, str, str]]:
    usable = [tier for tier in tiers if tier.kind == "IntervalTier"]
    names = [tier.name for tier in usable]
    if wanted is not None:
        usable = [tier for tier in usable if tier.name == wanted]
        if not usable:
            raise ConfigError(
                f"{path}: no interval tier {wanted!r}{nearest(wanted, names)}; it has {listed(names) or 'none'}"
            )
    if not usable:
        raise DataError(f"{path}: no interval tier in it; points have no length")
    if len(usable) > 1:
        raise ConfigError(f"{path}: several interval tiers: {listed(names)}; choose one with --tier")
    return usable[0].rows


def _text(path: Path) -> str:
    """Praat writes UTF-8, or UTF-16 where a label is not ASCII."""
    try:
        with path.open("rb") as file:
            start = file.read(2)
        if start in _UTF16:
            return path.read_text(encoding="utf-16").replace("\r\n", "\n")
    except (OSError, UnicodeError) as error:
        raise DataError(f"{path}: cannot read it ({error}); it should hold a TextGrid") from error
    return read_text(path, "a TextGrid")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
