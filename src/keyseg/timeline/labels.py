"""Class names and ids of a data set, with the background classes by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from keyseg.timeline.errors import DataError, TimelineError, nearest
from keyseg.timeline.segmentation import IntArray


@dataclass(frozen=True)
class LabelMap:
    """The classes of a data set: id i has the name `names[i]`; `background` names are not actions (may be empty).

    Raises TimelineError on duplicate or empty names, or a background that is no class.
    """

    names: tuple[str, ...]
    background: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "background", tuple(self.background))
        if len(set(self.names)) != len(self.names):
            twice = sorted({name for name in self.names if self.names.count(name) > 1})
            raise TimelineError(f"class names must differ, got {', '.join(twice)} more than once")
        if not all(name and not any(c.isspace() for c in name) for name in self.names):
            bad = [name for name in self.names if not name or any(c.isspace() for c in name)]
            raise TimelineError(f"class names must be non-empty and without white space, got {bad!r}")
        for name in self.background:
            if name not in self.names:
                raise TimelineError(f"background {name!r} is not a class{nearest(name, self.names)}")

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
        try:
            return self._ids[name]
        except KeyError:
            raise TimelineError(f"unknown class {name!r}{nearest(name, self.names)}") from None

    def encode(self, names: Iterable[str]) -> IntArray:
        """Ids of many names, (T,) int64. Raises TimelineError naming the first unknown one and its index."""
        names = list(names)
        ids = [self._ids.get(name, -1) for name in names]
        if -1 in ids:
            where = ids.index(-1)
            raise TimelineError(f"unknown class {names[where]!r}{nearest(names[where], self.names)} at index {where}")
        return np.array(ids, np.int64)

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Names of many ids. Raises TimelineError naming the first that is no class and its index."""
        ids = list(ids)
        if ids and not 0 <= min(ids) <= max(ids) < len(self):
            where = next(i for i, value in enumerate(ids) if not 0 <= value < len(self))
            raise TimelineError(f"class ids are 0..{len(self) - 1}, got {ids[where]} at index {where}")
        return [self.names[i] for i in ids]

    def with_background(self, background: Iterable[str]) -> LabelMap:
        """The same classes with other background names."""
        return LabelMap(self.names, tuple(background))

    @classmethod
    def read(cls, path: Path, background: Iterable[str] | None = None) -> LabelMap:
        """Read the field's `mapping.txt`: lines of `id name`, ids 0..C-1 in any order.

        background: names, or None for `background` where there is such a class. Raises DataError with file and line.
        """
        found: dict[int, str] = {}
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: cannot read the class list ({error}); it holds one 'id name' a line") from error
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            parts = line.split()
            if len(parts) != 2 or not parts[0].isdecimal():
                raise DataError(f"{path}:{number}: expected 'id name', got {line!r}")
            if int(parts[0]) in found:
                raise DataError(f"{path}:{number}: id {parts[0]} stands twice ({found[int(parts[0])]} and {parts[1]})")
            found[int(parts[0])] = parts[1]
        if sorted(found) != list(range(len(found))) or not found:
            raise DataError(f"{path}: ids must be 0..C-1 without gaps, got {sorted(found)}")
        names = tuple(found[i] for i in range(len(found)))
        if background is None:
            background = ("background",) if "background" in names else ()
        try:
            return cls(names, tuple(background))
        except TimelineError as error:
            raise DataError(f"{path}: {error}") from error
