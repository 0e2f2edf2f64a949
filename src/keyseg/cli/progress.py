"""Progress on stderr: bars on a terminal, else a line now and then."""

from __future__ import annotations

from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TextColumn

from keyseg.cli.terminal import said, say
from keyseg.timeline.printable import printable

_LINES = 20  # of a log file, per task
_TITLE = 60  # characters


class ProgressDisplay:
    """A bar per task on a terminal; elsewhere, or where `lines` are asked for, whoever uses it prints lines."""

    def __init__(self, *columns: ProgressColumn, transient: bool = False, lines: bool = False) -> None:
        console = Console(stderr=True)
        self.terminal = console.is_terminal and not lines
        shown = (plain_column("{task.description}"), BarColumn(), *columns)
        self.bars = Progress(*shown, console=console, disable=not self.terminal, transient=transient)

    def __enter__(self) -> Self:
        self.bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bars.stop()

    def add(self, title: str, *, total: float | None, completed: int = 0, **fields: Any) -> TaskID:
        """Add the bar of a task."""
        return self.bars.add_task(printable(title, _TITLE), total=total, completed=completed, **fields)

    def print(self, line: str) -> None:
        """Print a line, above the bars."""
        if self.terminal:
            self.bars.console.print(said(line), markup=False, emoji=False, highlight=False, soft_wrap=True)
        else:
            say(line)


def plain_column(text: str) -> TextColumn:
    """A column whose text is shown as it is: a video may be called `[red]`, which elsewhere is a colour."""
    return TextColumn(text, markup=False)


def worth_a_line(before: int, done: int, total: int) -> bool:
    """Whether a log gets a line when progress moves from `before` to `done`: about 20 lines per task."""
    return done * _LINES // total > before * _LINES // total
