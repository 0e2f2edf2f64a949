"""Counts of frames and segments per video and per class, and the scores made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from keyseg.metrics.overlay import Overlay
from keyseg.metrics.percent import percent
from keyseg.metrics.segmental_f1 import OVERLAPS, segment_hits
from keyseg.timeline import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Counts of N videos, without the segments of ignored classes, or of N classes, ignored ones included.

    correct, predicted_frames, annotated_frames: (N,). tp: (N, 3) predicted segments that hit at each of OVERLAPS.
    predicted, annotated: (N,) segments.
    """

    correct: IntArray
    predicted_frames: IntArray
    annotated_frames: IntArray
    tp: IntArray
    predicted: IntArray
    annotated: IntArray

    def each(self, edit: FloatArray) -> FloatArray:
        """(V, 5): accuracy, edit and F1 at OVERLAPS of each video, in percent; edit: (V,)."""
        f1 = percent(2 * self.tp, (self.predicted + self.annotated)[:, None])
        return np.column_stack([percent(self.correct, self.annotated_frames), edit, f1])

    def pooled(self, edit: FloatArray, weights: IntArray) -> FloatArray:
        """(R, 5): the scores of all videos together, each counted `weights` (R, V) times; edit is always a mean."""
        f1 = percent(2 * (weights @ self.tp), (weights @ (self.predicted + self.annotated))[:, None])
        accuracy = percent(weights @ self.correct, weights @ self.annotated_frames)
        return np.column_stack([accuracy, _mean(edit, weights), f1])

    def averaged(self, edit: FloatArray, weights: IntArray) -> FloatArray:
        """(R, 5): mean of the scores per video, each counted `weights` (R, V) times."""
        return _mean(self.each(edit), weights)


def _mean(values: FloatArray, weights: IntArray) -> FloatArray:
    """(R,) or (R, n): mean of values (V,) or (V, n), each counted `weights` (R, V) times; 0 for a row of zeros."""
    counts = np.maximum(weights.sum(axis=1), 1)
    return np.asarray((weights @ values).T / counts, np.float64).T


def tally_pairs(
    pairs: Iterable[Overlay], classes: int, ignored: IntArray, *, last_frame_short: bool
) -> tuple[Tally, Tally]:
    """Counts of the videos, and of the classes 0 to `classes` - 1."""
    scored = ~np.isin(np.arange(classes), ignored)
    by_class, by_video = np.zeros((8, classes), np.int64), []
    for pair in pairs:
        counts = _class_counts(pair, classes, last_frame_short)
        by_class += counts
        by_video.append([*counts[:3].sum(axis=1), *counts[3:, scored].sum(axis=1)])
    return _named(np.transpose(by_video)), _named(by_class)


def _named(counts: IntArray) -> Tally:
    correct, predicted_frames, annotated_frames, *tp, predicted, annotated = counts
    return Tally(correct, predicted_frames, annotated_frames, np.column_stack(tp), predicted, annotated)


def _class_counts(pair: Overlay, classes: int, last_frame_short: bool) -> IntArray:
    """(8, C): the counts of one video per class, in the order of Tally."""
    annotated, predicted = pair.reference, pair.prediction
    hits = segment_hits(pair, OVERLAPS, last_frame_short=last_frame_short)
    weighted = [
        (annotated.labels[pair.reference_index], pair.frames * pair.agrees),
        (predicted.labels, np.diff(predicted.boundaries)),
        (annotated.labels, np.diff(annotated.boundaries)),
        *((predicted.labels, hit) for hit in hits),
        (predicted.labels, None),
        (annotated.labels, None),
    ]
    return np.array([np.bincount(labels, weights, classes) for labels, weights in weighted], np.int64)
