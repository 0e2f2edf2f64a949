"""What the inner folds of a split choose: mixed segments or none, rules, the weights of the match, the calibration."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from filelock import FileLock
from pydantic import Field, TypeAdapter, ValidationError

from keyseg.inference.confidence import Calibration
from keyseg.inference.decoders import KeypointDecoder
from keyseg.inference.decoding import Rules
from keyseg.timeline import DataError
from keyseg.timeline.files import remove_folder, write_json
from keyseg.timeline.json_text import read_json, read_object
from keyseg.timeline.validation import Section, problem_text
from keyseg.training.calibration import learn_calibration
from keyseg.training.fit import Fit, FitCallbacks, annotations_in_steps, train_network
from keyseg.training.inner_folds import InnerFold, inner_folds, read_outputs, run_held_out, save_outputs
from keyseg.training.jobs import finished_futures, processes
from keyseg.training.learnt_rules import learn_rules, video_scores
from keyseg.training.match_weights import LearntMatch, OutputsOfFold, beyond_chance, learn_match
from keyseg.training.module import SegmentationModule
from keyseg.training.settings import Recipe
from keyseg.training.systems import trainable
from keyseg.training.torchrun import is_main_process

MIXED = 0.3
"""Share of mixed segments that is compared with none."""

_Function = Callable[[Fit, InnerFold, float], Any]
_Train = Callable[[_Function, Sequence[tuple[InnerFold, float]]], list[Any]]


@dataclass(frozen=True)
class SideBySide:
    """How many inner trainings may run at a time, each in a process of its own, which makes its own callbacks."""

    jobs: int
    callbacks: FitCallbacks


class Chosen(Section):
    """What the inner folds of a split chose.

    mixed_segments: share for the training. rules, match, calibration: None where nothing was learnt; rules are those
    of Algorithm 1. seconds: of inner trainings and of learning, without those of a call that was interrupted. mixing:
    the mean of F1@50, Edit and Acc of the first fold's videos without and with mixed segments, in the middle of its
    training, where both were tried.
    """

    mixed_segments: float
    rules: Rules | None = None
    match: LearntMatch | None = None
    calibration: Calibration | None = None
    mixing: tuple[float, float] | None = None
    seconds: float = 0.0


def read_chosen(path: Path) -> Chosen:
    """What inner folds chose earlier. Raises DataError if the file is damaged."""
    try:
        return Chosen.model_validate(read_object(path, "what the inner folds of a split chose", nan=True))
    except ValidationError as error:
        raise DataError(
            f"{path}: not what inner folds chose ({problem_text(error.errors()[0])}); delete it to choose again"
        ) from None


def choose(fit: Fit, together: SideBySide | None = None) -> Chosen:
    """What the inner folds of the split say; from an earlier training of the split if there is one, with these videos.

    Without inner folds, or training videos to divide, nothing is matched, and `fit` mixes 0.3 of the segments. The
    folds are trained with seed 0, whatever the seed of the training. They start from the bundle that the training
    starts from, unless it has seen a video that a fold holds out, or does not say what it has seen.

    together: None to train one fold after the other, in this process.
    """
    file, recipe = fit.inner / "chosen.json", fit.recipe
    given = recipe.augmentation.mixed_segments
    folds = inner_folds(fit.dataset, fit.split, recipe.matching.folds) if recipe.needs_inner_folds else ()
    if not folds:
        return Chosen(mixed_segments=MIXED if given == "fit" else given)
    held_out = [name for fold in folds for name in fold.held_out]
    if fit.start is not None and fit.start.has_seen(fit.dataset, held_out) != []:
        fit = replace(fit, start=None)
    if is_main_process():
        fit.inner.mkdir(parents=True, exist_ok=True)
    with FileLock(fit.inner / ".lock") if is_main_process() else nullcontext():  # trainings with other seeds wait
        if is_main_process():
            _forget_other_videos(fit.inner, folds)
        if file.exists():
            return read_chosen(file)
        start = time.monotonic()
        with _trainer(fit, together) as train:
            share, mixing = (given, None) if given != "fit" else _better_mixing(fit, folds[0], train)
            learning = folds if recipe.matching.fit else ()
            train(_train_whole, [(fold, share) for fold in learning if not _outputs(fit, fold, share).exists()])
        found = [read_outputs(_outputs(fit, fold, share), recipe.decoder()) for fold in learning]
        outputs = [
            (held_out, list(annotations_in_steps(fit.dataset, fold.seen)))
            for fold, held_out in zip(learning, found, strict=True)
        ]
        chosen = Chosen(mixed_segments=share, mixing=mixing)
        if outputs:
            chosen = _learn(fit, outputs, chosen)  # the same in every process
        chosen = chosen.changed(seconds=round(time.monotonic() - start, 1))
        if is_main_process():
            write_json(file, chosen.model_dump(mode="json"))
            for folder in fit.inner.glob("fold*/"):  # checkpoints and logs
                remove_folder(folder)
    return chosen


def _forget_other_videos(folder: Path, folds: Sequence[InnerFold]) -> None:
    """Remove what earlier folds left, if they held out or trained on other videos: a network may have been trained on
    what is held out now."""
    file, videos = folder / "videos.json", [[list(fold.seen), list(fold.held_out)] for fold in folds]
    if file.exists() and read_json(file, "the videos of inner folds")[1] != videos:
        for path in [*folder.glob("*.npz"), *folder.glob("*.json")]:
            path.unlink()
        for path in folder.glob("fold*/"):
            remove_folder(path)
    write_json(file, videos)


def _learn(fit: Fit, outputs: Sequence[OutputsOfFold], chosen: Chosen) -> Chosen:
    """Rules first, since they decode where nothing is matched, and the match has to be better."""
    labels, decoder, rules = fit.dataset.labels, fit.recipe.decoder(), None
    background = tuple(labels.background_ids)
    if isinstance(decoder, KeypointDecoder):
        rules = learn_rules([videos for videos, _ in outputs], decoder, background)
        decoder = decoder.changed(rules=rules)
    match = learn_match(outputs, decoder, len(labels), background)
    calibration = learn_calibration(outputs, decoder, match.weights, len(labels))
    return chosen.changed(rules=rules, match=match, calibration=calibration)


@contextmanager
def _trainer(fit: Fit, together: SideBySide | None) -> Iterator[_Train]:
    """What applies a function to each fold with a share of mixed segments: one after the other, or in processes."""
    if together is None:
        yield lambda function, trainings: [function(fit, *training) for training in trainings]
        return
    with processes(together.jobs) as pool:

        def train(function: _Function, trainings: Sequence[tuple[InnerFold, float]]) -> list[Any]:
            if len(trainings) == 1:
                return [function(fit, *trainings[0])]
            alone, callbacks = replace(fit, callbacks=()), together.callbacks
            futures = [pool.submit(_apart, function, alone, callbacks, *training) for training in trainings]
            for future in finished_futures(futures):
                future.result()  # an error stops the others
            return [future.result() for future in futures]

        yield train


def _apart(function: _Function, fit: Fit, callbacks: FitCallbacks, fold: InnerFold, share: float) -> Any:
    return function(replace(fit, callbacks=callbacks(fit)), fold, share)


def _better_mixing(fit: Fit, fold: InnerFold, train: _Train) -> tuple[float, tuple[float, float]]:
    """Mixed segments or none, by what the first inner fold scores with either halfway; and the mean scores of both.

    Features that were learnt on the training videos of the split mislead, and there segments are mixed unless none is
    better beyond chance; elsewhere none are unless mixing is (decision 023). Only the training with that share
    continues (successive halving: Jamieson and Talwalkar 2016).
    """
    file = fit.inner / "mixing.json"
    if file.exists():
        scores = _two_scores(file, len(fold.held_out))
    else:
        scores = train(_train_half, [(fold, 0.0), (fold, MIXED)])
        if is_main_process():
            write_json(file, scores)
    without, with_mixing = np.array(scores)
    if fit.dataset.belongs_to_split(fit.split):
        mixes = not beyond_chance(with_mixing, without)
    else:
        mixes = beyond_chance(without, with_mixing)
    return (MIXED if mixes else 0.0), (round(float(without.mean()), 2), round(float(with_mixing.mean()), 2))


def _two_scores(file: Path, videos: int) -> list[list[float]]:
    each = Annotated[list[float], Field(min_length=videos, max_length=videos)]
    try:
        return list(TypeAdapter(tuple[each, each]).validate_python(read_json(file, "two scores", nan=True)[1]))
    except ValidationError:
        raise DataError(f"{file}: not two scores of each video; delete it to choose again") from None


def _train_half(fit: Fit, fold: InnerFold, share: float) -> list[float]:
    """Scores of the held-out videos in the middle of a fold's training, or once all of the network is trained."""
    recipe = _recipe(fit, fold, share)
    objective = trainable(recipe.model).objective(recipe, fit.dataset.labels)
    later = range((recipe.epochs + 1) // 2, recipe.epochs + 1)
    until = next(epochs for epochs in later if objective.is_whole(epochs - 1))
    module, refine = _trained(fit, fold, share, until=until), objective.refines(until - 1)
    videos = run_held_out(module.predictor, fit.dataset, fold, refine=refine)
    scores = video_scores(videos, recipe.decoder(), tuple(fit.dataset.labels.background_ids))
    return [round(float(score), 2) for score in scores]


def _train_whole(fit: Fit, fold: InnerFold, share: float) -> None:
    """Keep what a network says about the videos that an inner fold holds out."""
    module = _trained(fit, fold, share)
    if module.global_rank == 0:
        save_outputs(_outputs(fit, fold, share), run_held_out(module.predictor, fit.dataset, fold))
    module.trainer.strategy.barrier()


def _trained(fit: Fit, fold: InnerFold, share: float, until: int | None = None) -> SegmentationModule:
    recipe = _recipe(fit, fold, share)
    inner, folder = replace(fit, split=fold.split, seed=0), _outputs(fit, fold, share).with_suffix("")
    return train_network(inner, recipe, recipe.decoder(), fold.seen, (), folder, until=until)[0]


def _recipe(fit: Fit, fold: InnerFold, share: float) -> Recipe:
    videos = len(fit.dataset.names(fit.split, "train"))
    return fit.recipe.mixing(share).for_inner_fold(len(fold.seen), videos)


def _outputs(fit: Fit, fold: InnerFold, share: float) -> Path:
    return fit.inner / f"fold{fold.number}-mixed{share:g}.npz"
