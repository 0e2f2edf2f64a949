"""A tuning: one recipe, one split, one resumable folder; and how one trial of it is trained and measured."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import numpy as np
import optuna
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from optuna.storages import JournalStorage
from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, ValidationError

from keyseg.data.dataset import Dataset
from keyseg.timeline import DataError, KeysegError, OutputExistsError, TrainingError
from keyseg.timeline.files import is_empty, refuse_file, write_text
from keyseg.timeline.json_text import need, read_object
from keyseg.timeline.version import __version__
from keyseg.training.choice import MIXED
from keyseg.training.fit import Fit, FitCallbacks, train_network
from keyseg.training.inner_folds import InnerFold, inner_folds
from keyseg.training.journal import Journal
from keyseg.training.recipe import validate_recipe
from keyseg.training.run import check_seeds, differences, refuse_overlap, source_commit
from keyseg.training.search_space import changed_recipe, read_space, space_around
from keyseg.training.settings import Range, Recipe

TUNING = "tuning.json"
MEASURED = ("f1@50", "edit", "acc")
# What Optuna raises when it reads a journal that is none.
_DAMAGE = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_STARTUP = 5  # trials that are never stopped, and after which the sampler learns from the earlier ones


class Tuning(BaseModel):
    """What a tuning was made from. data: folder of the data set; command: as typed, without the folders of absolute
    paths."""

    model_config = ConfigDict(frozen=True)

    folder: Path = Field(exclude=True)
    keyseg: str = __version__
    command: str
    commit: str
    data: Path
    split: int
    seed: int
    recipe: SerializeAsAny[Recipe]
    space: dict[str, Range | tuple[Any, ...]]

    def open_dataset(self) -> Dataset:
        """The data set, read with the options of the recipe."""
        return Dataset.open(self.data, **dict(self.recipe.data))

    def folds(self) -> tuple[InnerFold, ...]:
        """The inner folds of the training videos. Raises DataError if they cannot be divided."""
        folds = inner_folds(self.open_dataset(), self.split, self.recipe.matching.folds)
        if not folds:
            raise DataError(
                f"{self.data}: the training videos of split {self.split} cannot be divided into inner folds; a tuning"
                " needs at least two of them, or two groups"
            )
        return folds

    def study(self, index: int = 0) -> optuna.Study:
        """The trials so far. index: number of the next trial, on which, with the seed, its values depend."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        entropy = np.random.SeedSequence((self.seed, index)).generate_state(1)
        inner = self.recipe.at_pace(self.recipe.matching.pace)
        with self.reading_journal() as journal:
            return optuna.create_study(
                storage=JournalStorage(Journal(journal)),
                study_name="tuning",
                load_if_exists=True,
                direction="maximize",
                sampler=optuna.samplers.TPESampler(n_startup_trials=_STARTUP, seed=int(entropy[0])),
                pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTUP, n_warmup_steps=inner.epochs // 2),
            )

    @contextmanager
    def reading_journal(self) -> Iterator[Path]:
        """The journal of the trials, which this process reads. Raises DataError if it is not one of keyseg tune."""
        journal = self.folder / "trials.journal"
        try:
            yield journal
        except _DAMAGE as error:
            if isinstance(error, KeysegError):
                raise
            reason = f"{type(error).__name__}: {error}"
            raise DataError(f"{journal}: not a journal of keyseg tune ({reason}); tune in another folder") from error


@dataclass(frozen=True)
class Measured:
    """How a trial ended. scores: F1@50, Edit and Acc, the mean over the inner folds that it finished or began."""

    state: Literal["finished", "stopped", "failed"]
    scores: Mapping[str, float]
    folds: int
    seconds: float
    message: str = ""


def start_tuning(
    folder: Path, data: Path, recipe: Recipe, split: int, seed: int, space: Path | None, command: str
) -> Tuning:
    """Make the folder of a tuning, or continue one with the same data, split, seed, recipe and space.

    Raises OutputExistsError if the folder holds anything else, TrainingError if it holds another tuning.
    """
    check_seeds((seed,))
    tried = read_space(space) if space else recipe.space
    new = Tuning(
        folder=folder,
        command=command,
        commit=source_commit(),
        data=data.resolve(),
        split=split,
        seed=seed,
        recipe=recipe,
        space=dict(space_around(recipe, tried, str(space) if space else f"space of {recipe.model}")),
    )
    refuse_file(folder, "tuning")
    refuse_overlap(Dataset.open(data, **dict(recipe.data)), split)
    new.folds()
    if (folder / TUNING).exists():
        return _continued(new, read_tuning(folder))
    if not is_empty(folder):
        raise OutputExistsError(f"{folder} is not empty and not a tuning of keyseg; choose another --out")
    write_text(folder / TUNING, new.model_dump_json(indent=1) + "\n")
    return new


def read_tuning(folder: Path) -> Tuning:
    """The tuning in a folder. Raises DataError if it cannot be read."""
    file = folder / TUNING
    content = read_object(file, "a tuning of keyseg tune")
    recipe = validate_recipe(need(content, "recipe", dict, str(file)), str(file))
    try:
        return Tuning(folder=folder, **content | {"recipe": recipe})
    except (ValidationError, TypeError) as error:
        raise DataError(f"{file}: cannot be read as a tuning ({type(error).__name__}: {error})") from error


def _continued(new: Tuning, old: Tuning) -> Tuning:
    changed = [f"{key} was {before} and is now {now}" for key, before, now in differences(old.recipe, new.recipe)]
    for name in ("data", "split", "seed", "space"):
        before, now = getattr(old, name), getattr(new, name)
        if before != now:
            changed.append(f"{name} was {before} and is now {now}")
    if changed:
        raise TrainingError(f"{old.folder} holds another tuning: {'; '.join(changed)}; choose another --out")
    return old


def measure(tuning: Tuning, trial_id: int, index: int, values: dict[str, Any], callbacks: FitCallbacks) -> Measured:
    """Train and score one trial on the inner folds, until it is finished or worse than the median of the others.

    It also runs in a process of its own, where the trial is found by its id in the study.
    """
    study = tuning.study()
    study.sampler = optuna.samplers.RandomSampler()  # the values are chosen
    trial, start = optuna.Trial(study, trial_id), time.monotonic()
    recipe = changed_recipe(tuning.recipe, values)
    if recipe.augmentation.mixed_segments == "fit":
        recipe = recipe.mixing(MIXED)
    recipe = recipe.at_pace(recipe.matching.pace)
    folds, done = tuning.folds(), list[dict[str, float]]()
    state, message = "finished", ""
    place = tuning.folder / f"trial{index}"
    shutil.rmtree(place, ignore_errors=True)  # of a trial that was interrupted
    fit = Fit(tuning.open_dataset(), tuning.split, tuning.seed, recipe, place)
    fit = replace(fit, callbacks=callbacks(fit))
    try:
        for fold in folds:
            judge = Judge(trial, recipe.model, done, last=fold is folds[-1], may_stop=index > 0)
            inner = replace(fit, split=fold.split, callbacks=(judge, *fit.callbacks))
            train_network(inner, recipe, recipe.decoder(), fold.seen, fold.held_out, place / f"fold{fold.number}")
            done.append(judge.scores)
            if judge.stopped:
                state = "stopped"
                break
    except (TrainingError, torch.OutOfMemoryError) as error:  # these values are not for these data or this machine
        state, message = "failed", str(error)
    shutil.rmtree(place, ignore_errors=True)
    return Measured(state, mean_scores(done), len(done), round(time.monotonic() - start, 1), message)  # type: ignore[arg-type]


def mean_scores(folds: list[dict[str, float]]) -> dict[str, float]:
    """The mean of each score over folds; no scores without folds."""
    return {name: fmean(scores[name] for scores in folds) for name in MEASURED} if folds else {}


class Judge(Callback):
    """Measures the held-out videos at each validation, and stops the training if the trial is not worth it.

    done: scores of the finished folds. scores: of this fold, at its last validation. last: whether no fold follows.
    may_stop: whether the trial may be stopped at all.
    """

    def __init__(
        self, trial: optuna.Trial, variant: str, done: list[dict[str, float]], *, last: bool, may_stop: bool
    ) -> None:
        self.trial, self.variant, self.done = trial, variant, done
        self.last, self.may_stop = last, may_stop
        self.scores: dict[str, float] = {}
        self.stopped = False

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report the mean over the finished folds and this one; the step is the epoch, counted over all folds."""
        found = trainer.callback_metrics
        if f"{self.variant}/{MEASURED[0]}" not in found:  # only a part of the system is trained as yet
            return
        self.scores = {name: float(found[f"{self.variant}/{name}"]) for name in MEASURED}
        epochs = trainer.max_epochs or 1
        ended = trainer.current_epoch + 1 == epochs
        step = len(self.done) * epochs + trainer.current_epoch
        self.trial.report(fmean(mean_scores([*self.done, self.scores]).values()), step)
        if self.may_stop and not (ended and self.last) and self.trial.should_prune():
            self.stopped = trainer.should_stop = True
