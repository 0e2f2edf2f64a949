"""The trainings of a run, one after the other; `keyseg.training.jobs` runs them side by side."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from keyseg.data.folders import claimed
from keyseg.inference.systems import SYSTEMS
from keyseg.timeline import TrainingError
from keyseg.training.cards import write_cards
from keyseg.training.choice import SideBySide
from keyseg.training.complete import run_fit
from keyseg.training.fit import Fit, FitCallbacks
from keyseg.training.fold_ensemble import save_ensemble
from keyseg.training.results import summarise
from keyseg.training.run import Run
from keyseg.training.scoring import score_fit
from keyseg.training.torchrun import ending_together, is_main_process, process_count


def run_all(run: Run, callbacks: FitCallbacks) -> dict[str, Any] | None:
    """Train and score every unfinished split and seed of a run, then summarise and write the model cards.

    Returns the summary, None in secondary processes. The same command may run several times at once with --resume: each
    takes trainings that no other works on.
    """
    summary = None
    for fit in (*run.fits(), *run.final_fits()):
        if run_one(run, fit, callbacks):
            summary = summarise(run)
    if not is_main_process():
        return None
    if run.ensemble:
        save_ensemble(run)
        summary = None
    write_cards(run)
    return summary or summarise(run)


def run_one(run: Run, fit: Fit, callbacks: FitCallbacks, jobs: int = 1) -> bool:
    """Train one split and seed of a run and score it, unless it is finished or another command works on it.

    jobs: inner folds at a time, each in a process of its own; then callbacks is a function at the top of a module.
    Returns whether this process finished it.
    """
    together = SideBySide(jobs, callbacks) if jobs > 1 else None
    main_process = is_main_process()
    with claimed(fit.folder) if main_process else nullcontext(True) as mine:
        if not mine and process_count() > 1:  # the other processes cannot know
            raise TrainingError(f"{fit.folder}: another command is training this; wait for it, or run without torchrun")
        if not mine or fit.is_finished:
            return False
        with SYSTEMS.blaming(run.recipe.model), ending_together():
            predictor = run_fit(replace(fit, callbacks=callbacks(fit)), run.provenance(), together)
            if main_process and fit.split is not None:
                score_fit(fit, predictor)
    return main_process
