"""Frame accuracy."""

from __future__ import annotations

from collections.abc import Sequence

from keyseg.metrics.overlay import IdLabels, overlay_all
from keyseg.metrics.percent import percent


def frame_accuracy(reference: Sequence[IdLabels], prediction: Sequence[IdLabels]) -> float:
    """Percentage of frames with the right class, pooled over all videos; 100 if there are no frames.

    reference, prediction: the videos in the same order, each a Segmentation or (T,) class ids. Background frames count.
    Raises DataError if the numbers of videos or the lengths of a video differ.

    >>> import numpy as np
    >>> frame_accuracy([np.array([0, 0, 1, 1])], [np.array([0, 1, 1, 1])])
    75.0
    """
    pairs = list(overlay_all(reference, prediction))
    return float(percent(sum(pair.correct_frames for pair in pairs), sum(pair.reference.length for pair in pairs)))
