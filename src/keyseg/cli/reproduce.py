"""keyseg reproduce: the supplement's table and figures, on any data set in the usual layout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from keyseg.cli.options import Background, Changes, Seeds, SplitNumbers
from keyseg.cli.terminal import say, show
from keyseg.cli.verb import command_line, presents, printing
from keyseg.reproduction.figures import fig1, fig2, fig3, table1

reproduce = App(name="reproduce")

_Models = Annotated[tuple[str, ...], Parameter(consume_multiple=True, show_default=False)]


@reproduce.command(name="table1")
@presents(table1, models=_Models, splits=SplitNumbers, seeds=Seeds, set=Changes, background=Background)
def table1_verb(**arguments: Any) -> int:
    from keyseg.cli.training_progress import show_row, show_row_lines

    shown = show_row if arguments["jobs"] == 1 else show_row_lines
    if table1(**arguments, command=command_line(), callbacks=shown) is None:
        say("other commands are still training; the last one to finish writes the table")
    else:
        _print_tables(arguments["out"] / "table1.md", "table1.tex, table1.json")
    return 0


@reproduce.command(name="ablations")
def ablations_verb(run: Path, /, *, out: Path) -> int:
    """Tables of what each part of RTK contributes, with oracles as upper bounds; ablations.md and ablations.json.

    Nothing is trained: the test videos of a finished run are decoded without one part after the other.

    Args:
        run: Folder of a finished run of rtk: the --out of keyseg train, or OUT/equal-terms/rtk of keyseg reproduce
            table1.
        out: Folder for the two tables.
    """
    from keyseg.reproduction.ablations import ablate
    from keyseg.training.run import read_run

    ablate(read_run(run), out)
    _print_tables(out / "ablations.md", "ablations.json")
    return 0


def _print_tables(table: Path, others: str) -> None:
    show(table.read_text(encoding="utf-8"))
    show(f"tables: {table}, {others}")


reproduce.command(printing(fig1), name="fig1")
reproduce.command(printing(fig2), name="fig2")


@reproduce.command(name="fig3")
@presents(fig3, splits=SplitNumbers, seeds=Seeds)
def fig3_verb(**arguments: Any) -> int:
    from keyseg.cli.training_progress import show_training

    show(fig3(**arguments, command=command_line(), callbacks=show_training))
    return 0
