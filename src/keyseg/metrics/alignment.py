"""Two segmentations of one video laid over each other: every score is read off the pieces this makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keyseg.timeline import DataError, IntArray, Segmentation

IdLabels = Segmentation | npt.NDArray[np.integer]
"""One video as class ids: a Segmentation or one id a frame, (T,) integers."""


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """The video cut wherever either side changes class, into N pieces in time order.

    reference, prediction: without neighbours of one class. reference_index, prediction_index: (N,) the segment of each
    side that a piece lies in. frames: (N,) length of each piece. A pair of segments shares at most one piece, so N is
    less than the number of segments of both sides, and a piece's length is the intersection of its pair.
    """

    reference: Segmentation
    prediction: Segmentation
    reference_index: IntArray
    prediction_index: IntArray
    frames: IntArray

    @property
    def agrees(self) -> npt.NDArray[np.bool_]:
        """(N,) whether both sides carry the same class on a piece."""
        same = self.reference.labels[self.reference_index] == self.prediction.labels[self.prediction_index]
        return np.asarray(same, np.bool_)

    @property
    def correct_frames(self) -> int:
        """Number of frames on which both sides carry the same class."""
        return int(self.frames[self.agrees].sum())


def align_pair(reference: IdLabels, prediction: IdLabels) -> Alignment:
    """Lay a prediction over its reference. Raises DataError where the two differ in length."""
    ours, theirs = _segmentation(prediction).merged(), _segmentation(reference).merged()
    if ours.length != theirs.length:
        raise DataError(
            f"a prediction has as many frames as its reference: expected {theirs.length}, got {ours.length};"
            " bring it to the annotation's frame rate and length first"
        )
    cuts = np.union1d(theirs.boundaries, ours.boundaries)
    return Alignment(theirs, ours, _segment_at(theirs, cuts), _segment_at(ours, cuts), np.diff(cuts))


def align_all(reference: Sequence[IdLabels], prediction: Sequence[IdLabels]) -> Iterator[Alignment]:
    """Align video by video. Raises DataError where the numbers of videos differ."""
    if len(reference) != len(prediction):
        raise DataError(f"expected a prediction for each of {len(reference)} videos, got {len(prediction)}")
    return map(align_pair, reference, prediction)


def _segmentation(labels: IdLabels) -> Segmentation:
    return labels if isinstance(labels, Segmentation) else Segmentation.from_frames(labels)


def _segment_at(segmentation: Segmentation, cuts: IntArray) -> IntArray:
    """Index of the segment that each piece [cuts[i], cuts[i + 1]) lies in."""
    return np.searchsorted(segmentation.boundaries, cuts[:-1], side="right") - 1
