"""Counts of each video, and the scores made of them: pooled, averaged, or resampled for intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keyseg.metrics.alignment import Alignment
from keyseg.metrics.edit import edit_similarity
from keyseg.metrics.percent import percent
from keyseg.metrics.segmental_f1 import OVERLAPS, BoolArray, segment_hits
from keyseg.timeline import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class VideoTally:
    """Counts of V videos, with the segments of background left out.

    correct, frames: (V,) frames. edit: (V,) percent. tp: (V, 3) hits at each of OVERLAPS. predicted, annotated: (V,)
    segments.
    """

    correct: IntArray
    frames: IntArray
    edit: FloatArray
    tp: IntArray
    predicted: IntArray
    annotated: IntArray

    def each(self) -> FloatArray:
        """(V, 5): accuracy, edit and F1 at OVERLAPS of each video, in percent."""
        f1 = percent(2 * self.tp, (self.predicted + self.annotated)[:, None])
        return np.column_stack([percent(self.correct, self.frames), self.edit, f1])

    def pooled(self, weights: npt.ArrayLike) -> FloatArray:
        """(5,): the scores of all videos together, each counted `weights` (V,) times; edit is always a mean."""
        weights = np.asarray(weights)
        f1 = percent(2 * (weights @ self.tp), weights @ (self.predicted + self.annotated))
        edit = weights @ self.edit / weights.sum()
        return np.hstack([percent(weights @ self.correct, weights @ self.frames), edit, f1])

    def averaged(self, weights: npt.ArrayLike) -> FloatArray:
        """(5,): mean of the scores per video, each counted `weights` (V,) times."""
        weights = np.asarray(weights)
        return np.asarray(weights @ self.each() / weights.sum(), np.float64)


def tally_videos(pairs: Sequence[Alignment], hits: Sequence[BoolArray], background: IntArray) -> VideoTally:
    """Count V videos; hits: for each video the (3, P) result of `segment_hits`."""
    counted = [~np.isin(pair.prediction.labels, background) for pair in pairs]
    return VideoTally(
        correct=_column(pair.correct_frames for pair in pairs),
        frames=_column(pair.reference.length for pair in pairs),
        edit=np.array([edit_similarity(pair, background) for pair in pairs]),
        tp=np.array([(hit & count).sum(axis=1) for hit, count in zip(hits, counted, strict=True)]),
        predicted=_column(count.sum() for count in counted),
        annotated=_column((~np.isin(pair.reference.labels, background)).sum() for pair in pairs),
    )


@dataclass(frozen=True, slots=True, eq=False)
class ClassTally:
    """Counts of C classes over all videos, background included.

    correct, predicted_frames, annotated_frames: (C,). tp: (3, C) hits at each of OVERLAPS. predicted, annotated: (C,)
    segments.
    """

    correct: IntArray
    predicted_frames: IntArray
    annotated_frames: IntArray
    tp: IntArray
    predicted: IntArray
    annotated: IntArray


def tally_classes(pairs: Sequence[Alignment], hits: Sequence[BoolArray], classes: int) -> ClassTally:
    """Count `classes` classes; hits: for each video the (3, P) result of `segment_hits`."""

    def per_class(labels: IntArray, frames: IntArray | None = None) -> IntArray:
        return np.bincount(labels, frames, classes).astype(np.int64)

    predicted = np.concatenate([pair.prediction.labels for pair in pairs])
    annotated = np.concatenate([pair.reference.labels for pair in pairs])
    agreed = np.concatenate([pair.reference.labels[pair.reference_index[pair.agrees]] for pair in pairs])
    return ClassTally(
        correct=per_class(agreed, np.concatenate([pair.frames[pair.agrees] for pair in pairs])),
        predicted_frames=per_class(predicted, np.concatenate([np.diff(pair.prediction.boundaries) for pair in pairs])),
        annotated_frames=per_class(annotated, np.concatenate([np.diff(pair.reference.boundaries) for pair in pairs])),
        tp=np.array([per_class(predicted[hit]) for hit in np.concatenate(hits, axis=1)]),
        predicted=per_class(predicted),
        annotated=per_class(annotated),
    )


def hit_videos(pairs: Iterable[Alignment], last_frame_short: bool) -> list[BoolArray]:
    """For each video, (3, P) which predicted segments hit at OVERLAPS."""
    return [segment_hits(pair, OVERLAPS, last_frame_short=last_frame_short) for pair in pairs]


def _column(counts: Iterable[int]) -> IntArray:
    return np.fromiter(counts, np.int64)
