"""Whether a keypoint agrees with the annotation; duplicates count. Refinement learns to keep those that do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints
from keyseg.timeline import FloatArray, IntArray, Segmentation

_REACH = 4.0  # steps
_REACH_SHARE = 0.25  # of the shorter of the two segments that meet at a boundary


def segment_labels(actions: ActionKeypoints, reference: Segmentation) -> IntArray:
    """Class of the annotated segment that each action keypoint lies in, (Ka,)."""
    segment = np.searchsorted(reference.boundaries, actions.time, side="right") - 1
    return reference.labels[np.clip(segment, 0, len(reference) - 1)]


def boundary_distances(
    boundaries: BoundaryKeypoints, reference: Segmentation
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Signed steps from each boundary keypoint to the nearest annotated boundary, and whether it is within reach.

    The reach, max(4, a quarter of the shorter neighbouring segment), is wider than the gate of `assign`, since a
    boundary that is slightly off is better than none and can be moved.
    """
    interior, lengths = reference.boundaries[1:-1], np.diff(reference.boundaries)
    if len(interior) == 0:
        return np.zeros(len(boundaries)), np.zeros(len(boundaries), bool)
    after = np.clip(np.searchsorted(interior, boundaries.time), 0, len(interior) - 1)
    before = np.maximum(after - 1, 0)
    closer = np.abs(interior[before] - boundaries.time) <= np.abs(interior[after] - boundaries.time)
    nearest = np.where(closer, before, after)
    distance = interior[nearest] - boundaries.time
    reach = np.maximum(_REACH, _REACH_SHARE * np.minimum(lengths[nearest], lengths[nearest + 1]))
    return distance, np.abs(distance) <= reach
