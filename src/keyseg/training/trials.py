"""The trials of a tuning: chosen, measured one after the other or side by side, and written as tables and a recipe."""

from __future__ import annotations

import csv
import io
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import fmean
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from pydantic import TypeAdapter

from keyseg.data.folders import claimed
from keyseg.timeline import TrainingError
from keyseg.timeline.files import write_text
from keyseg.timeline.yaml_text import to_yaml
from keyseg.training.complete import machine
from keyseg.training.fit import FitCallbacks
from keyseg.training.jobs import check_importable, finished_futures, processes
from keyseg.training.search_space import changed_recipe, own_values, suggested
from keyseg.training.tables import markdown
from keyseg.training.tuning import MEASURED, Measured, Tuning, measure

_MEASURED = TypeAdapter(Measured)


@dataclass(frozen=True)
class Tried:
    """One trial. values: by key of the recipe; measured: how it ended."""

    number: int
    values: dict[str, Any]
    measured: Measured

    @property
    def score(self) -> float:
        """Mean of F1@50, Edit and Acc of the held-out videos, in percent."""
        return fmean(self.measured.scores.values())


@dataclass(frozen=True)
class Tuned:
    """A tuning with its trials; the first one is the recipe as it was."""

    tuning: Tuning
    trials: tuple[Tried, ...]

    @property
    def best(self) -> Tried:
        """The best of the finished trials, the earlier of equals."""
        return max((trial for trial in self.trials if trial.measured.state == "finished"), key=lambda t: t.score)

    @property
    def default(self) -> Tried:
        """The recipe as it was."""
        return self.trials[0]

    @property
    def recipe(self) -> Path:
        """File of the best recipe."""
        return self.tuning.folder / "recipe.yaml"


def run_trials(
    tuning: Tuning,
    trials: int,
    minutes: float | None,
    jobs: int,
    callbacks: FitCallbacks,
    report: Callable[[str], None],
) -> Tuned:
    """Try values until the tuning has `trials` trials, or until no time is left to start one; write what was found.

    Raises TrainingError if another command works on the folder, or if the recipe as it is cannot be trained.
    """
    with claimed(tuning.folder) as mine:
        if not mine:
            raise TrainingError(f"{tuning.folder}: another command is tuning here; wait for it")
        for left in tuning.study().get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            tuning.study().tell(left.number, state=TrialState.FAIL)  # interrupted: tried again under the same index
        end = None if minutes is None else time.monotonic() + 60 * minutes
        running: dict[Future[Measured], tuple[optuna.Trial, int]] = {}
        with _workers(jobs, callbacks) as submit:
            while True:
                while len(running) < jobs and len(used := _used(tuning)) < trials and not _over(end, used):
                    index = lowest_free(used)
                    trial, values = _asked(tuning, index)
                    running[submit(measure, tuning, trial._trial_id, index, values, callbacks)] = (trial, index)
                if not running:
                    break
                future = next(finished_futures(list(running)))
                _tell(tuning, *running.pop(future), future.result())
                tuned = tuned_so_far(tuning)
                _write(tuned)
                report(_line(tuned, trials))
        tuned = tuned_so_far(tuning)
        _write(tuned)  # again, since an earlier command may have been interrupted just before
        for place in tuning.folder.glob("trial[0-9]*"):  # likewise, or because the disk failed
            shutil.rmtree(place, ignore_errors=True)
        return tuned


def _over(end: float | None, used: set[int]) -> bool:
    """Whether it is too late to start a trial; the first one always starts."""
    return 0 in used and end is not None and time.monotonic() >= end


@contextmanager
def _workers(jobs: int, callbacks: FitCallbacks) -> Iterator[Callable[..., Future[Measured]]]:
    """What runs a function: this process, or one of several."""
    if jobs == 1:
        yield _at_once
        return
    check_importable(callbacks)
    with processes(jobs) as pool:
        yield pool.submit


def _at_once(function: Callable[..., Measured], *arguments: Any) -> Future[Measured]:
    future: Future[Measured] = Future()
    future.set_result(function(*arguments))
    return future


def _used(tuning: Tuning) -> set[int]:
    """Numbers of the trials so far, without those that were interrupted."""
    states = (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED)
    with tuning.reading_journal():
        return {_index(trial) for trial in tuning.study().get_trials(deepcopy=False, states=states)}


def _index(trial: FrozenTrial) -> int:
    """The number that keyseg gave a trial; interrupted ones and those that repeat them have the same."""
    index = trial.user_attrs["index"]
    if type(index) is not int or index < 0:
        raise ValueError(f"the index of a trial is a number, got {index!r}")
    return index


def lowest_free(used: Collection[int]) -> int:
    """The number of the next trial: of one that was interrupted, else a new one.

    >>> lowest_free({0, 2}), lowest_free({0, 1})
    (1, 2)
    """
    return min(set(range(len(used) + 1)).difference(used))


def _asked(tuning: Tuning, index: int) -> tuple[optuna.Trial, dict[str, Any]]:
    """The next trial, and what it tries. The first one tries what the recipe has."""
    study = tuning.study(index)
    if index == 0 and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        study.enqueue_trial(own_values(tuning.recipe, tuple(tuning.space)))
    trial = study.ask()
    trial.set_user_attr("index", index)
    return trial, suggested(trial, tuning.space)


def _tell(tuning: Tuning, trial: optuna.Trial, index: int, measured: Measured) -> None:
    """Record how a trial ended; one that failed counts as the worst, unless it is the first."""
    if measured.state == "failed" and index == 0:
        raise TrainingError(f"the recipe cannot be trained as it is: {measured.message}")
    for field in fields(measured):
        trial.set_user_attr(field.name, getattr(measured, field.name))
    if measured.state == "finished":
        tuning.study().tell(trial.number, fmean(measured.scores.values()))
    else:
        tuning.study().tell(trial.number, state=TrialState.PRUNED)


def tuned_so_far(tuning: Tuning) -> Tuned:
    """The trials of a tuning that have ended, in the order in which they were chosen."""
    states = (TrialState.COMPLETE, TrialState.PRUNED)
    with tuning.reading_journal():
        found = [_tried(tuning, trial) for trial in tuning.study().get_trials(deepcopy=False, states=states)]
    return Tuned(tuning, tuple(sorted(found, key=lambda trial: trial.number)))


def _tried(tuning: Tuning, trial: FrozenTrial) -> Tried:
    found = {field.name: trial.user_attrs[field.name] for field in fields(Measured)}
    measured = _MEASURED.validate_python(found)
    return Tried(_index(trial), {key: trial.params[key] for key in tuning.space}, measured)


def _line(tuned: Tuned, trials: int) -> str:
    finished = [trial for trial in tuned.trials if trial.measured.state == "finished"]
    best = f"; best {tuned.best.score:.1f}, of trial {tuned.best.number}" if finished else ""
    return f"{len(tuned.trials)} of {trials} trials{best}"


def _write(tuned: Tuned) -> None:
    """Write trials.csv, and once the first trial has ended, so that there is a comparison, the rest."""
    folder, buffer = tuned.tuning.folder, io.StringIO()
    keys = tuple(tuned.tuning.space)
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("trial", "state", "score", *MEASURED, "folds", "seconds", *keys, "message"))
    for trial in tuned.trials:
        how = trial.measured
        scores = [f"{how.scores[name]:.2f}" for name in MEASURED] if how.scores else [""] * len(MEASURED)
        score = f"{trial.score:.2f}" if how.scores else ""
        values = [trial.values[key] for key in keys]
        writer.writerow((trial.number, how.state, score, *scores, how.folds, how.seconds, *values, how.message))
    write_text(folder / "trials.csv", buffer.getvalue())
    if tuned.trials and tuned.default.number == 0:
        write_text(tuned.recipe, _recipe_text(tuned))
        write_text(folder / "results.md", tuning_markdown(tuned))


def _recipe_text(tuned: Tuned) -> str:
    tuning, best = tuned.tuning, tuned.best
    recipe = changed_recipe(tuning.recipe, best.values).model_dump(mode="json")
    head = (
        f"# Trial {best.number} of {len(tuned.trials)} on inner folds of the training videos of split {tuning.split} of"
        f" {tuning.data.name}: {best.score:.1f};\n# the recipe as it was: {tuned.default.score:.1f} (mean of F1@50,"
        " Edit and Acc of held-out videos). See results.md.\n"
    )
    return head + to_yaml(recipe)


def tuning_markdown(tuned: Tuned) -> str:
    """The best trial beside the recipe as it was, and where both come from, as Markdown."""
    tuning, best, default = tuned.tuning, tuned.best, tuned.default
    folds, recipe = tuning.folds(), tuning.recipe
    held_out = len({name for fold in folds for name in fold.held_out})
    ended = [trial.measured.state for trial in tuned.trials]
    mixing = ", with 0.3 of the segments mixed, since `fit` is chosen in each training"
    return markdown(
        f"# Tuning of {recipe.model} on {tuning.data.name}, split {tuning.split}",
        f"Mean over {len(folds)} inner folds of the training videos, {held_out} videos held out; last epoch of"
        f" {recipe.at_pace(recipe.matching.pace).epochs}; without the match"
        f"{mixing if recipe.augmentation.mixed_segments == 'fit' else ''}. In percent; the measure is the mean of the"
        " three scores.",
        score_rows({f"trial {best.number}, the best": best, "trial 0, the recipe as it was": default}),
        "The best of many trials looks better than it is: by chance alone the best of them is above the first one. Its"
        " score on the test videos says whether it helps.",
        "## Values",
        ["| | best | before |", "|---|---|---|"]
        + [f"| `{key}` | {_short(best.values[key])} | {_short(default.values[key])} |" for key in tuning.space],
        "## What was not touched",
        f"No features and no labels of the test videos of split {tuning.split} were opened.{_other_splits(tuning)}",
        "## Where this comes from",
        [
            f"- command: `{tuning.command}`",
            f"- commit {tuning.commit}, keyseg {tuning.keyseg}, seed {tuning.seed}, {machine()}",
            f"- {len(ended)} trials: {ended.count('finished')} finished, {ended.count('stopped')} stopped early,"
            f" {ended.count('failed')} failed; {sum(trial.measured.seconds for trial in tuned.trials):.0f} s",
        ],
    )


def score_rows(trials: dict[str, Tried]) -> list[str]:
    """A table of trials by title."""
    rows = [
        f"| {title} | {trial.score:.1f} | {' | '.join(f'{trial.measured.scores[name]:.1f}' for name in MEASURED)} |"
        for title, trial in trials.items()
    ]
    return ["| | measure | F1@50 | Edit | Acc |", "|---|---|---|---|---|", *rows]


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _other_splits(tuning: Tuning) -> str:
    """Which splits test on videos that this tuning used."""
    dataset = tuning.open_dataset()
    used = set(dataset.names(tuning.split, "train"))
    splits = [n for n in dataset.splits if n != tuning.split and used & set(dataset.names(n, "test"))]
    if not splits:
        return ""
    return (
        f" Videos that split {', '.join(map(str, splits))} tests on are among those that were used: report scores of"
        " this recipe on those splits as tuned on their test videos, or tune for each split by itself."
    )
