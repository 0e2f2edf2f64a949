"""Progress on stderr: bars on a terminal, else a line now and then."""

from __future__ import annotations

import sys
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn

_LINES = 20  # of a log file, per task


class ProgressDisplay:
    """A bar per task on a terminal; elsewhere, or where `lines` are asked for, whoever uses it prints lines."""

    def __init__(self, *columns: ProgressColumn, transient: bool = False, lines: bool = False) -> None:
        console = Console(stderr=True)
        self.terminal = console.is_terminal and not lines
        shown = (TextColumn("{task.description}"), BarColumn(), *columns)
        self.bars = Progress(*shown, console=console, disable=not self.terminal, transient=transient)

    def __enter__(self) -> Self:
        self.bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bars.stop()

    def print(self, line: str) -> None:
        """Print a line, above the bars."""
        if self.terminal:
            self.bars.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=sys.stderr, flush=True)


def worth_a_line(before: int, done: int, total: int) -> bool:
    """Whether a log gets a line when progress moves from `before` to `done`: about 20 lines per task."""
    return done * _LINES // total > before * _LINES // total
