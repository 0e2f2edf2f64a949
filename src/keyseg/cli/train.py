"""keyseg train: from a data set to bundles and scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from keyseg.cli.options import Background, Changes, Seeds, SplitNumbersOrNone
from keyseg.cli.terminal import note, say, show
from keyseg.cli.verb import command_line, presents
from keyseg.training.train import train

if TYPE_CHECKING:
    from keyseg.training.run import Run


@presents(train, splits=SplitNumbersOrNone, set=Changes, seeds=Seeds, background=Background)
def train_verb(**arguments: Any) -> int:
    from keyseg.cli.training_progress import show_lines, show_training
    from keyseg.training.tables import summary_lines
    from keyseg.training.torchrun import is_main_process

    shown = show_training if arguments["jobs"] == 1 else show_lines
    run = train(**arguments, command=command_line(), report=say, callbacks=shown)
    if is_main_process():
        show("\n".join(summary_lines(run, run.summary)))
        _leave_page(run, run.summary)
    return 0


def _leave_page(run: Run, summary: Mapping[str, Any]) -> None:
    """Write RUN/report.html. It may fail in any way: the training is complete, so that is only a note."""
    try:
        from keyseg.reproduction.pages import write_run_page

        say(f"to look at: {write_run_page(run, summary, report=note)}")
    except Exception as error:
        note(f"the page with the test videos could not be written ({type(error).__name__}: {error})")
