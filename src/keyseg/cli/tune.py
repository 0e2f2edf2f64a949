"""keyseg tune: the recipe that is best on inner folds of the training videos."""

from __future__ import annotations

from shlex import quote
from typing import Any

from keyseg.cli.options import Background, Changes
from keyseg.cli.terminal import say, show
from keyseg.cli.verb import command_line, presents
from keyseg.training.tune import tune


@presents(tune, set=Changes, background=Background)
def tune_verb(**arguments: Any) -> int:
    from keyseg.cli.training_progress import show_trial, show_trial_lines

    shown = show_trial if arguments["jobs"] == 1 else show_trial_lines
    tuned = tune(**arguments, command=command_line(), report=say, callbacks=shown)
    show((tuned.tuning.folder / "results.md").read_text(encoding="utf-8"))
    show(f"trials: {tuned.tuning.folder / 'trials.csv'}")
    data, recipe = (quote(str(path)) for path in (arguments["data"], tuned.recipe))
    show(f"next:   keyseg train {data} --split {tuned.tuning.split} --recipe {recipe} --out RUN")
    return 0
