"""Class names and ids of a data set, with the background classes by name."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from keyseg.timeline.errors import DataError, ReportProblem, TimelineError, nearest, refuse
from keyseg.timeline.files import read_text
from keyseg.timeline.segmentation import IntArray

_MOST_DIGITS = 6  # of an id
_CONTROL = frozenset(map(chr, (*range(32), *range(127, 160))))
MOST_LETTERS = 1000
"""Of the name of a class."""


@dataclass(frozen=True)
class LabelMap:
    """The classes of a data set: id i has the name `names[i]`; those in `background` are not actions.
    Names are kept and looked up in Unicode's form NFC, in which letters with accents have one spelling.

    Raises TimelineError on names that are duplicate, empty or have white space, and on a background that is no class.

    >>> labels = LabelMap(("background", "cut", "pour"), background=("background",))
    >>> labels.encode(["cut", "pour", "cut"])
    array([1, 2, 1])
    >>> labels.decode([0, 2])
    ['background', 'pour']
    """

    names: tuple[str, ...]
    background: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(unicodedata.normalize("NFC", name) for name in self.names))
        object.__setattr__(self, "background", tuple(unicodedata.normalize("NFC", name) for name in self.background))
        twice = sorted(name for name, count in Counter(self.names).items() if count > 1)
        if twice:
            raise TimelineError(f"class names must differ, got {', '.join(twice)[:200]} more than once")
        bad = [name for name in self.names if not name or any(c.isspace() for c in name)]
        if bad:
            raise TimelineError(f"class names must be non-empty and without white space, got {str(bad)[:200]}")
        odd = next((name for name in self.names if len(name) > MOST_LETTERS or not _CONTROL.isdisjoint(name)), None)
        if odd is not None:
            raise TimelineError(
                f"class names have up to {MOST_LETTERS} letters and no control characters, got {odd[:80]!r}"
            )
        known = set(self.names)
        for name in self.background:
            if name not in known:
                raise TimelineError(f"background {name[:80]!r} is not a class{nearest(name[:80], self.names)}")

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.names)}

    @cached_property
    def background_ids(self) -> frozenset[int]:
        """Ids of the background classes."""
        return frozenset(self._ids[name] for name in self.background)

    def __len__(self) -> int:
        return len(self.names)

    def id(self, name: str) -> int:
        """Id of a class name. Raises TimelineError naming the nearest known class."""
        composed = unicodedata.normalize("NFC", name)
        if composed not in self._ids:
            raise TimelineError(f"unknown class {name!r}{nearest(name, self.names)}")
        return self._ids[composed]

    def encode(self, names: Iterable[str]) -> IntArray:
        """Ids of many names, (T,) int64. Raises TimelineError naming the first unknown one and its index."""
        names = list(names)
        ids = [self._ids.get(unicodedata.normalize("NFC", name), -1) for name in names]
        if -1 in ids:
            where = ids.index(-1)
            raise TimelineError(f"unknown class {names[where]!r}{nearest(names[where], self.names)} at index {where}")
        return np.array(ids, np.int64)

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Names of many ids. Raises TimelineError naming the first id outside 0..C-1 and its index."""
        ids = list(ids)
        if ids and not 0 <= min(ids) <= max(ids) < len(self):
            where = next(i for i, value in enumerate(ids) if not 0 <= value < len(self))
            raise TimelineError(f"class ids are 0..{len(self) - 1}, got {ids[where]} at index {where}")
        return [self.names[i] for i in ids]

    @classmethod
    def read(cls, path: Path, background: Iterable[str] | None = None) -> LabelMap:
        """Read `mapping.txt` in the layout of MS-TCN: lines of `id name`, ids 0..C-1 in any order.

        background: names, or None for `background` where there is such a class. Raises DataError with file and line.
        """
        names = read_class_list(path)
        if background is None:
            background = ("background",) if "background" in names else ()
        try:
            return cls(names, tuple(background))
        except TimelineError as error:
            raise DataError(f"{path}: {error}") from error


def read_class_list(path: Path, report: ReportProblem = refuse) -> tuple[str, ...]:
    """Class names in order of their ids, from lines of `id name`; problems go to `report`, and their lines are skipped.

    Raises DataError if the file cannot be read as text.
    """
    ids: dict[int, int] = {}  # id: its line
    names: dict[str, tuple[int, int]] = {}  # name: its id and line
    text = unicodedata.normalize("NFC", read_text(path, "one 'id name' per line"))
    for number, line in enumerate(text.split("\n"), 1):
        parts = line.split()
        if not parts:
            continue
        if len(parts) != 2 or not parts[0].isdecimal() or len(parts[0]) > _MOST_DIGITS:
            report("unreadable", path, number, f"expected 'id name', got {line[:80]!r}")
            continue
        label, name = int(parts[0]), parts[1]
        if label in ids:
            report("duplicate", path, number, f"id {label} is on line {ids[label]} already")
        if name in names:
            report("duplicate", path, number, f"class {name!r} is on line {names[name][1]} already")
        ids.setdefault(label, number)
        names.setdefault(name, (label, number))
    gaps = [str(label) for label in range(max(ids, default=-1)) if label not in ids][:10]
    if gaps:
        report("missing", path, None, f"ids must be 0..C-1 without gaps; missing: {', '.join(gaps)}")
    if not ids:
        report("empty", path, None, "no classes in it; expected one 'id name' per line")
    return tuple(sorted(names, key=lambda name: names[name]))
