"""What a check of a data set collects: problems and warnings, each with its kind, file and line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from keyseg.timeline import DataError

Kind = Literal[
    "dimension",  # a feature file with another D than the rest of its folder
    "duplicate",  # twice in a bundle or in the mapping
    "empty",  # a file, split or class list with nothing in it
    "leak",  # a video on both sides of a split
    "group leak",  # a subject on both sides of a split (a warning)
    "length",  # labels and features that do not go together
    "missing",  # a file or folder that is not there
    "not finite",  # NaN or infinite features
    "orientation",  # time and channels cannot be told apart
    "origin",  # features that were not made alike, or a sidecar that cannot be read
    "outside",  # a name or link that leads out of the data set
    "unknown label",  # a label that is no class
    "unreadable",  # a file of another format, damaged, or pickled
    "unused",  # a video in no split (a warning)
]


@dataclass(frozen=True)
class Problem:
    """Something wrong: its kind, the file, the line from 1 where there is one, and what is expected or to do."""

    kind: Kind
    path: Path
    line: int | None
    message: str

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else str(self.path)
        return f"{where}: {self.message}"


@dataclass
class Findings:
    """Problems and warnings in the order in which they were found."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def add(self, kind: Kind, path: Path, line: int | None, message: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(kind, path, line, message))

    def warn(self, kind: Kind, path: Path, line: int | None, message: str) -> None:
        """Note a warning."""
        self.warnings.append(Problem(kind, path, line, message))

    def add_error(self, kind: Kind, path: Path, error: DataError) -> None:
        """Note what a reader raised about `path`; the place at the start of its message becomes the problem's."""
        place = re.match(rf"{re.escape(str(path))}(?::(\d+))?: ", str(error))
        line = int(place[1]) if place and place[1] else None
        self.add(kind, path, line, str(error)[place.end() :] if place else str(error))

    @staticmethod
    def ordered(problems: list[Problem]) -> tuple[Problem, ...]:
        """Sorted by path and line."""
        return tuple(sorted(problems, key=lambda p: (str(p.path), p.line or 0, p.kind, p.message)))
