"""Frame accuracy."""

from __future__ import annotations

from collections.abc import Sequence

from keyseg.metrics.alignment import IdLabels, align_all
from keyseg.metrics.percent import percent


def frame_accuracy(reference: Sequence[IdLabels], prediction: Sequence[IdLabels]) -> float:
    """Percentage of frames with the right class, the frames of all videos pooled; 100 where there are none.

    reference, prediction: the videos in the same order, each a Segmentation or (T,) class ids. Background frames count.
    Raises DataError where the number of videos or a video's length differs.
    """
    pairs = list(align_all(reference, prediction))
    return float(percent(sum(pair.correct_frames for pair in pairs), sum(pair.reference.length for pair in pairs)))
