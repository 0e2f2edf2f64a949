"""Model cards of a run: of its folds with their scores, of the final models and the ensemble with what to expect."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keyseg.data.dataset import Dataset
from keyseg.data.folders import claimed
from keyseg.inference.bundle import name_digest, read_config
from keyseg.inference.model_card import HeldOutScores, TrainingVideos, write_model_card
from keyseg.metrics.resampling import confidence_interval, mean_score, resampled
from keyseg.metrics.scoring import SCORE_KEYS, score_videos
from keyseg.timeline import IntArray
from keyseg.training.analysis import kept_predictions
from keyseg.training.fit import Fit
from keyseg.training.run import Run
from keyseg.training.tables import SCORE_COLUMNS, SCORES

_RESAMPLINGS = 1000  # sets of test videos for the intervals


def write_cards(run: Run) -> None:
    """Write the card of each finished training of a run, and of its ensemble.

    No video is left to test a final model or an ensemble on: their cards state the mean of the scored trainings.
    """
    scored, final = ([fit for fit in fits if fit.is_finished] for fits in (run.fits(), run.final_fits()))
    for fit in scored:
        write_model_card(fit.bundle, _trained(fit.dataset, training_videos(fit)), _tested([fit]))
    expected = _tested(scored, expected=True) if scored else None
    for fit in final:
        write_model_card(fit.bundle, _trained(fit.dataset, training_videos(fit)), expected)
    if run.ensemble_bundle.exists():
        with claimed(run.ensemble_bundle.parent) as mine:  # another command may be replacing it
            if mine:
                names = dict.fromkeys(name for fit in scored for name in training_videos(fit))
                write_model_card(run.ensemble_bundle, _trained(scored[0].dataset, list(names)), expected)


def training_videos(fit: Fit) -> list[str]:
    """Names of the videos that a finished training was trained on; videos that were labelled later are not."""
    names = fit.dataset.names(fit.split, "train")
    seen = read_config(fit.bundle).seen if fit.split is None else None
    return [name for name in names if seen is None or name_digest(name) in seen]


def _trained(dataset: Dataset, names: Sequence[str]) -> TrainingVideos:
    counts = np.sum([_frames_by_class(dataset, name) for name in names], axis=0)
    return TrainingVideos(len(names), counts.tolist())


def _frames_by_class(dataset: Dataset, name: str) -> IntArray:
    return np.bincount(dataset.annotation(name).to_frames(), minlength=len(dataset.labels))


def _tested(fits: Sequence[Fit], *, expected: bool = False) -> HeldOutScores:
    """The mean of the scores of some trainings on their test videos, each with its interval."""
    labels = fits[0].dataset.labels
    kept = [kept_predictions(fit) for fit in fits]
    trainings = [score_videos(one.reference, one.prediction, labels.background, "ms-tcn") for one in kept]
    means = dict(zip(SCORE_KEYS, mean_score(trainings).tolist(), strict=True))
    videos = {video for one in kept for video in one.reference}
    intervals = {}
    if len(videos) > 1:  # one video drawn again is always the same
        limits = confidence_interval(resampled([trainings], _RESAMPLINGS, seed=0)[0])
        intervals = {key: (low, high) for key, (low, high) in zip(SCORE_KEYS, limits.T.tolist(), strict=True)}
    shown = {label for one in kept for names in one.reference.values() for label in names}
    return HeldOutScores(
        videos=len(videos),
        scores={title: (means[n], intervals.get(n)) for n, title in zip(SCORES, SCORE_COLUMNS, strict=True)},
        unseen=[name for name in labels.names if name not in shown],
        trainings=len(fits) if expected else None,
    )
