"""The model cards of a run: of each tested model, and of those to keep, which nothing is left to test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keyseg.inference.bundle import CONFIG
from keyseg.inference.model_card import CARD, HeldOutScores, TrainingVideos, write_model_card
from keyseg.metrics import Report, evaluate_labels
from keyseg.training.analysis import pooled_predictions
from keyseg.training.fit import Fit
from keyseg.training.fold_ensemble import ensemble_videos
from keyseg.training.run import Run
from keyseg.training.tables import SCORE_COLUMNS, SCORES

BOOTSTRAP = 1000
"""Resamplings of the test videos for the intervals of a card."""


def write_card(fit: Fit, report: Report) -> None:
    """The model card of a tested bundle, with the scores of the full system."""
    write_model_card(fit.bundle, _trained(fit, fit.dataset.names(fit.split, "train")), _tested(fit, report))


def write_kept_cards(run: Run) -> None:
    """The cards of the final models and of the ensemble, with the scores of the splits, unless they have one.

    Nothing is written before all splits are trained.
    """
    fits = run.fits()
    if not all(fit.scores.exists() for fit in fits):
        return
    for final in run.final_fits():
        _write_kept_card(final.bundle, final, final.dataset.names(None, "train"), fits)
    if run.ensemble:
        _write_kept_card(run.ensemble_bundle, fits[0], ensemble_videos(fits), fits)


def _write_kept_card(bundle: Path, like: Fit, videos: Sequence[str], fits: Sequence[Fit]) -> None:
    """The card of a bundle trained on `videos`. like: a training whose seed the splits that stand for it share."""
    if (bundle / CONFIG).exists() and not (bundle / CARD).exists():
        splits = [fit for fit in fits if fit.seed == like.seed]
        write_model_card(bundle, _trained(like, videos), _tested_splits(splits) if splits else None)


def _tested_splits(fits: Sequence[Fit]) -> HeldOutScores:
    """The scores of the models of all splits on their test videos together."""
    reference, prediction = pooled_predictions(fits)
    background = fits[0].dataset.labels.background
    report = evaluate_labels(reference, prediction, background=background, bootstrap=BOOTSTRAP)
    return _tested(fits[0], report, of_splits=True)


def _trained(fit: Fit, videos: Sequence[str]) -> TrainingVideos:
    counts = [
        np.bincount(fit.dataset.annotation(name).to_frames(), minlength=len(fit.dataset.labels)) for name in videos
    ]
    return TrainingVideos(len(videos), np.sum(counts, axis=0).tolist())


def _tested(fit: Fit, report: Report, *, of_splits: bool = False) -> HeldOutScores:
    seen = {label for label, scores in report.per_class.items() if scores.support}
    values = report.to_json()
    scores = {title: (values[n], report.intervals[n]) for n, title in zip(SCORES, SCORE_COLUMNS, strict=True)}
    unseen = [name for label, name in enumerate(fit.dataset.labels.names) if not {label, name} & seen]
    return HeldOutScores(report.videos, scores, unseen, of_splits)
