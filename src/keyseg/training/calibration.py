"""Learning how sure a prediction is of its segments, and how well that holds on videos that nothing was learnt from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from scipy.optimize import minimize

from keyseg.inference.confidence import FACTS, Calibration, segment_confidence, segment_facts
from keyseg.inference.decoders import Decoder, Match
from keyseg.inference.prediction import Prediction
from keyseg.matching.alignment import MatchWeights
from keyseg.metrics.reliability import (
    BoolArray,
    ConfidenceBin,
    calibration_error,
    log_loss,
    pooled_reliability,
    reliability,
    right_segments,
)
from keyseg.timeline import FloatArray, Segmentation
from keyseg.training.match_weights import OutputsOfFold

KINDS = ("mean probability", "calibrated")
"""Kinds of confidence that are compared on test videos."""

_FEWEST = 10  # right segments, and wrong ones, to learn from
_SHRINKAGE = 1.0  # half of it times the squared weights of facts with deviation 1 is added to the loss of all segments


def learn_calibration(
    folds: Sequence[OutputsOfFold], decoder: Decoder, weights: MatchWeights | None, classes: int
) -> Calibration | None:
    """The calibration of the segments that inner folds' networks predict for the videos that they hold out.

    folds: as for `learn_match`. decoder: without a match. weights: of the match that the training ends with, None for
    none. Background counts. Returns None as `fit_calibration` does.
    """
    facts, right = [np.empty((0, len(FACTS)))], [np.empty(0, np.bool_)]
    for videos, seen in folds:
        used = decoder if weights is None else decoder.changed(match=Match.to(seen, classes, weights))
        for video in videos.values():
            segmentation = used.segments(video.output).segmentation.merged()
            facts.append(segment_facts(video.output.frames, segmentation))
            right.append(right_segments(video.reference, segmentation))
    return fit_calibration(np.concatenate(facts), np.concatenate(right))


def fit_calibration(facts: FloatArray, right: BoolArray) -> Calibration | None:
    """Logistic regression of `right` (N,) on the facts (N, 3), whose weights are drawn to 0 and may not be negative.

    None if fewer than 10 of the segments are right, or fewer than 10 wrong.
    """
    if min(right.sum(), (~right).sum()) < _FEWEST:
        return None
    centre, spread = facts.mean(0), np.maximum(facts.std(0), 1e-6)
    inputs = np.column_stack((np.ones(len(facts)), (facts - centre) / spread))
    shrinkage = np.array([0.0, *[_SHRINKAGE] * len(FACTS)])

    def loss(weights: FloatArray) -> tuple[float, FloatArray]:
        odds = inputs @ weights
        value = np.sum(np.logaddexp(0, odds) - right * odds) + 0.5 * shrinkage @ weights**2
        slope = inputs.T @ (1 / (1 + np.exp(-odds)) - right) + shrinkage * weights
        return float(value), slope

    limits = [(None, None), *[(0.0, None)] * len(FACTS)]
    best = minimize(loss, np.zeros(len(limits)), jac=True, method="L-BFGS-B", bounds=limits).x
    slopes = best[1:] / spread
    named = dict(zip(FACTS, slopes.tolist(), strict=True))
    return Calibration(intercept=float(best[0] - slopes @ centre), **named, segments=len(right))


class Judged:
    """The predicted segments of test videos: their confidence, their mean probability, and whether they are right."""

    def __init__(self) -> None:
        self._right: list[BoolArray] = []
        self._confidence: dict[str, list[FloatArray]] = {kind: [] for kind in KINDS}

    def add(self, reference: Segmentation, prediction: Prediction) -> None:
        """The segments of one more video."""
        segments, rate = prediction.segmentation, prediction.timebase.sample_rate
        self._right.append(right_segments(reference, segments))
        plain = segment_confidence(prediction.frame_scores, segments, rate)
        self._confidence[KINDS[0]].append(plain)
        if prediction.calibration is not None:
            self._confidence[KINDS[1]].append(np.array(prediction.confidence))

    def summary(self) -> dict[str, Any]:
        """The number of segments, and by kind of confidence the calibration error, the log loss and the table."""
        right = np.concatenate(self._right)
        found: dict[str, Any] = {"segments": len(right)}
        for kind, parts in self._confidence.items():
            if parts:
                confidence = np.concatenate(parts)
                table = reliability(confidence, right)
                found[kind] = _facts(table) | {"log_loss": log_loss(confidence, right)}
        return found


def pooled_summary(summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The segments of several trainings together, by the kinds of confidence that all of them have."""
    found: dict[str, Any] = {"segments": sum(summary["segments"] for summary in summaries)}
    for kind in KINDS:
        if summaries and all(kind in summary for summary in summaries):
            found[kind] = _facts(pooled_reliability(bins_of(summary, kind) for summary in summaries))
    return found


def bins_of(summary: Mapping[str, Any], kind: str) -> list[ConfidenceBin]:
    """The table of one kind of confidence in a summary."""
    return [ConfidenceBin(**item) for item in summary[kind]["bins"]]


def _facts(table: Sequence[ConfidenceBin]) -> dict[str, Any]:
    return {"calibration_error": calibration_error(table), "bins": [asdict(item) for item in table]}
