"""Tuning as one function: the recipe that is best on inner folds of a split's training videos."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keyseg.training.jobs import no_callbacks

if TYPE_CHECKING:  # imported by the tuning itself, so that its help is shown at once
    from keyseg.training.fit import FitCallbacks
    from keyseg.training.trials import Tuned


def tune(
    data: Path | str,
    *,
    out: Path | str,
    split: int = 1,
    model: str | None = None,
    recipe: Path | str | None = None,
    set: Mapping[str, Any] | Sequence[str] = (),
    epochs: int | None = None,
    features: str | None = None,
    background: Sequence[str] | None = None,
    space: Path | str | None = None,
    trials: int = 30,
    minutes: float | None = None,
    seed: int = 0,
    jobs: int = 1,
    command: str = "keyseg.tune",
    report: Callable[[str], None] = lambda line: None,
    callbacks: FitCallbacks = no_callbacks,
) -> Tuned:
    """Try values of a recipe on inner folds of the training videos; write the best recipe, for --recipe.

    A trial trains on each inner fold of the split's training videos, for the share of the epochs that matching.pace
    names, and is measured by the mean of F1@50, Edit and Acc of the videos that are held out. Features and labels of
    the split's test videos are never opened. The first trial is the recipe as it is, so the best is never worse by this
    measure. Trials worse than the median of the earlier ones are stopped early.

    After an interruption the same command continues; with one job it tries the same values as without one.

    Args:
        data: Folder with mapping.txt, groundTruth/, splits/ and features/ (or features_split1/ ...). See: keyseg check
        out: Folder for recipe.yaml, trials.csv, results.md, and what is needed to continue.
        split: Number of the split. Other splits test on its training videos, so each is tuned by itself.
        model: System to tune. Default: that of --recipe, else rtk.
        recipe: YAML file to start from. Default: the system's shipped recipe for this data set, else its defaults.
        set: Change one value of the recipe to start from, such as optimiser.batch_size=2. Can be repeated.
        epochs: Number of epochs of a whole training.
        features: Name of the features folder below DATA. Default: as DATA/dataset.yaml states, else features.
        background: Names of classes that are not actions; none for no such class. Default: as DATA/dataset.yaml states,
            else the class 'background'.
        space: YAML file of the keys to try, each with a list of values, or with a range that has low, high and, where
            it is tried on a logarithmic scale, log: true. Default: those of the system.
        trials: Number of trials, with those that the folder has. More can be added later.
        minutes: After these no trial starts.
        seed: Of the tried values, and of every training.
        jobs: Number of trials at a time, each in a process, as in keyseg train. With several, what is tried depends on
            which ends first.
        command: Recorded as the origin of the result.
        report: Called with a line after each trial.
        callbacks: Lightning callbacks of each training. With several jobs, a function at the top of a module.

    Returns:
        The trials, and where the best recipe is.

    >>> import keyseg
    >>> keyseg.tune("data", out="tuning", trials=0)
    Traceback (most recent call last):
    ...
    keyseg.timeline.errors.ConfigError: --trials takes a number >= 1, got 0
    """
    from keyseg.timeline import ConfigError
    from keyseg.timeline.extras import extra
    from keyseg.training.jobs import check_jobs

    if trials < 1:
        raise ConfigError(f"--trials takes a number >= 1, got {trials}")
    check_jobs(jobs)
    with extra("tune", "tuning"):
        from keyseg.training.trials import run_trials
        from keyseg.training.tuning import start_tuning
    from keyseg.training.recipe import changes_of, recipe_for

    data, out = Path(data), Path(out)
    recipe, space = (None if path is None else Path(path) for path in (recipe, space))
    changes = list(changes_of(set))
    chosen, source = recipe_for(data, model, recipe, changes, features=features, background=background, epochs=epochs)
    tuning = start_tuning(out, data, chosen, split, seed, space, command)
    report(f"recipe: {source}; {trials} trials on {len(tuning.folds())} inner folds of split {split} -> {out}")
    return run_trials(tuning, trials, minutes, jobs, callbacks, report)
