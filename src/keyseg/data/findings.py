"""What a check of a data set collects: problems and warnings, each with its kind, file and line."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from keyseg.timeline import KeysegError
from keyseg.timeline.errors import ProblemKind
from keyseg.timeline.failures import INPUT_ERRORS, reason_of

_WARNINGS = ("group leak", "unused")
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Problem:
    """Something wrong: its kind, the file, the line from 1 if there is one, and what is expected or to do."""

    kind: ProblemKind
    path: Path
    line: int | None
    message: str

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else str(self.path)
        return f"{where}: {self.message}"


class Findings:
    """Problems and warnings, collected in any order."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []

    def add(self, kind: ProblemKind, path: Path, line: int | None, message: str) -> None:
        """Note a problem; readers that report problems take this function."""
        self._problems.append(Problem(kind, path, line, message))

    def add_error(self, kind: ProblemKind, path: Path, error: Exception) -> None:
        """Note what a reader raised about `path`; the place at the start of its message becomes the problem's."""
        message = str(error.args[0]) if isinstance(error, KeysegError) else reason_of(error)
        place = re.match(rf"{re.escape(str(path))}(?::(\d+))?: ", message)
        line = int(place[1]) if place and place[1] else None
        self.add(kind, path, line, message[place.end() :] if place else message)

    def attempt(
        self, path: Path, read: Callable[..., _Value], *arguments: Any, kind: ProblemKind | None = None
    ) -> _Value | None:
        """What `read(*arguments)` returns; None if it raises INPUT_ERRORS, which are noted as problems of `path`.

        kind: of that problem; default: `missing` or `unreadable`.
        """
        try:
            return read(*arguments)
        except INPUT_ERRORS as error:
            self.add_error(kind or ("unreadable" if path.exists() else "missing"), path, error)
            return None

    def ordered(self, *, warnings: bool) -> tuple[Problem, ...]:
        """The warnings or the problems, sorted by path and line."""
        chosen = (problem for problem in self._problems if (problem.kind in _WARNINGS) == warnings)
        return tuple(sorted(chosen, key=lambda p: (str(p.path), p.line or 0, p.kind, p.message)))
