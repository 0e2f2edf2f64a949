"""Praat's TextGrid, in its long and its short form: tiers of intervals that tile the time, and of points."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.text import choose_tier, edges, interval, one_line, point_intervals, rounded, seconds
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
    """One video: the tier `settings.tier`, or the only one; or each tier with `settings.per_subject`.

    An interval tier and a point tier of one name are one: BORIS writes the states and points of a subject so. Raises
    DataError, ConfigError.
    """
    tokens = _Tokens(path, read_text(path, "a TextGrid", settings.encoding))
    for word in ('"ooTextFile"', '"TextGrid"'):
        tokens.take(word, word, "; is it a TextGrid in text form?")
    tokens.time()
    duration = seconds(tokens.time(), str(path))
    exists = tokens.take("<exists>") == "<exists>"
    tiers = [_tier(tokens) for _ in range(tokens.count())] if exists else []
    chosen = _chosen(path, tiers, settings)
    rows_of = {(kind, name): rows for kind, name, rows in tiers}
    if not isinstance(settings.points, int):
        point_intervals([point for name in chosen for point in _points(rows_of.get(("TextTier", name), ()))], settings)
    found = []
    for name in chosen:
        rows = rows_of.get(("IntervalTier", name), ())
        spans = [
            interval(seconds(start, at), seconds(end, at), text, at) for start, end, text, at in rows if text.strip()
        ]
        if isinstance(settings.points, int):
            spans += point_intervals(_points(rows_of.get(("TextTier", name), ())), settings, length=duration)
        track = name if settings.per_subject else ""
        found.append(Annotation(path.stem, tuple(spans), duration, settings.fps, track=track))
    empty = [annotation.track for annotation in found if not annotation.intervals]
    if not settings.per_subject or len(empty) in (0, len(found)):
        return found
    settings.note(f"nothing is labelled in {', '.join(map(repr, empty))}; left out")
    return [annotation for annotation in found if annotation.intervals]


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
        self._at, self._line = 0, 1

    @property
    def place(self) -> str:
        """File and line of the last token."""
        return f"{self._path}:{self._line}"

    def take(self, what: str, pattern: str = ".*", hint: str = "") -> str:
        """The next token. Raises DataError if there is none, or if it does not match the whole pattern."""
        match = next(self._matches, None)
        if match is None:
            raise DataError(f"{self._path}: the file ends where {what} was expected; save it with Praat again")
        self._line += self._text.count("\n", self._at, match.start())
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
_Tier = tuple[str, str, list[_TierRow]]  # class, name, rows


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
    return kind, name, rows


def _chosen(path: Path, tiers: Sequence[_Tier], settings: ReadSettings) -> list[str]:
    """Names of the tiers to read. A note says which points are left out because there is an interval tier."""
    intervals = {name for kind, name, _ in tiers if kind == "IntervalTier"}
    wanted = intervals if intervals and not settings.tier and not isinstance(settings.points, int) else None
    names = list(dict.fromkeys(name for _, name, _ in tiers if wanted is None or name in wanted))
    if not names:
        raise DataError(f"{path}: no tier in it")
    left_out = {name: len(rows) for _, name, rows in tiers if name not in names and rows}
    if left_out:
        count = sum(left_out.values())
        tiers_left = ", ".join(map(repr, left_out))
        settings.note(
            f"{count} event{'s' * (count > 1)} without a length left out, of {tiers_left}; see --tier and --points"
        )
    if settings.tier or not settings.per_subject:
        index = choose_tier(path, "tier", names, settings.tier)
        names = names[index or 0 :][:1]
    chosen = set(names)
    kinds = Counter((kind, name) for kind, name, _ in tiers if name in chosen)
    twice = next((name for (_, name), times in kinds.items() if times > 1), None)
    if twice is not None:
        raise DataError(f"{path}: two tiers are called {twice!r}; rename one in Praat")
    return names


def _points(rows: Sequence[_TierRow]) -> list[tuple[Fraction, str, str]]:
    return [(seconds(start, place), text, place) for start, _, text, place in rows if text.strip()]
