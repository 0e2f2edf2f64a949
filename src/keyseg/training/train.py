"""Training as one function: from a data set to bundles and scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from keyseg.training.fit import FitCallbacks
from keyseg.training.recipe import recipe_for
from keyseg.training.results import run_all
from keyseg.training.run import Run, is_main_process, start_run


def train(
    data: Path,
    *,
    out: Path,
    model: str | None = None,
    recipe: Path | None = None,
    changes: Sequence[str] = (),
    splits: Sequence[int] = (1,),
    seeds: Sequence[int] = (0,),
    epochs: int | None = None,
    background: Sequence[str] | None = None,
    resume: bool = False,
    force: bool = False,
    command: str = "keyseg.training.train",
    report: Callable[[str], None] = lambda line: None,
    callbacks: FitCallbacks = lambda fit: (),
) -> tuple[Run, dict[str, Any] | None]:
    """Train a system on splits and seeds of a data set, and leave bundles, predictions, scores and logs in `out`.

    model, recipe, changes, background, epochs: see `recipe_for`. splits: numbers; () for all. resume, force: see
    `start_run`. command: what bundles and tables name as their origin. report: called with a line before training.
    callbacks: Lightning callbacks of each training. Returns the run and its summary, or None in secondary processes.
    """
    chosen, source = recipe_for(data, model, recipe, changes, background=background, epochs=epochs)
    run = start_run(out, data, chosen, splits, seeds, command, resume=resume, force=force)
    if is_main_process():
        report(f"recipe: {source}; {len(run.fits())} training(s) -> {out}")
    return run, run_all(run, lambda fit: callbacks(fit) if is_main_process() else ())
