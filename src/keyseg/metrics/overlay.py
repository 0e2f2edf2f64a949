"""Two segmentations of one video laid over each other; every score is computed from the resulting pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keyseg.timeline import DataError, IntArray, Segmentation

IdLabels = Segmentation | npt.NDArray[np.integer]
"""One video as class ids: a Segmentation, or one id per frame, (T,) integers."""


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """A video cut into N pieces in time order, wherever the reference or the prediction changes class.

    reference, prediction: merged, so that neighbours have different classes. reference_index, prediction_index: (N,)
    the segments that a piece lies in. frames: (N,) length of each piece. Two segments share at most one piece, so N is
    less than the number of all segments, and the length of a piece is the intersection of its two segments.
    """

    reference: Segmentation
    prediction: Segmentation
    reference_index: IntArray
    prediction_index: IntArray
    frames: IntArray

    @property
    def agrees(self) -> npt.NDArray[np.bool_]:
        """(N,) whether reference and prediction have the same class on a piece."""
        same = self.reference.labels[self.reference_index] == self.prediction.labels[self.prediction_index]
        return np.asarray(same, np.bool_)

    @property
    def correct_frames(self) -> int:
        """Number of frames on which reference and prediction have the same class."""
        return int(self.frames[self.agrees].sum())


def overlay_pair(reference: IdLabels, prediction: IdLabels) -> Overlay:
    """Lay a prediction over its reference. Raises DataError if their lengths differ."""
    annotated, predicted = _segmentation(reference).merged(), _segmentation(prediction).merged()
    if predicted.length != annotated.length:
        raise DataError(
            f"a prediction must have as many frames as its reference: expected {annotated.length}, got"
            f" {predicted.length}; convert it to the annotation's frame rate and length first"
        )
    cuts = np.union1d(annotated.boundaries, predicted.boundaries)
    return Overlay(annotated, predicted, _segment_at(annotated, cuts), _segment_at(predicted, cuts), np.diff(cuts))


def overlay_all(reference: Sequence[IdLabels], prediction: Sequence[IdLabels]) -> Iterator[Overlay]:
    """Overlay video by video. Raises DataError if the numbers of videos differ."""
    if len(reference) != len(prediction):
        raise DataError(f"expected a prediction for each of {len(reference)} videos, got {len(prediction)}")
    return map(overlay_pair, reference, prediction)


def _segmentation(labels: IdLabels) -> Segmentation:
    return labels if isinstance(labels, Segmentation) else Segmentation.from_frames(labels)


def _segment_at(segmentation: Segmentation, cuts: IntArray) -> IntArray:
    """Index of the segment that each piece [cuts[i], cuts[i + 1]) lies in."""
    return np.searchsorted(segmentation.boundaries, cuts[:-1], side="right") - 1
