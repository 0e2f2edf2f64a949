"""Whether the annotation bears a keypoint out, doubles included: what the refinement learns to keep."""

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
    """Steps from each boundary keypoint to the nearest annotated boundary (signed), and whether that is within reach.

    The reach is wider than the gate of the one-to-one matching: max(4, a quarter of the shorter neighbour), since a
    boundary a little off is worth more than none, and can be moved.
    """
    interior, lengths = reference.boundaries[1:-1], np.diff(reference.boundaries)
    if len(interior) == 0:
        return np.zeros(len(boundaries)), np.zeros(len(boundaries), bool)
    behind = np.clip(np.searchsorted(interior, boundaries.time), 0, len(interior) - 1)
    before = np.maximum(behind - 1, 0)
    closer = np.abs(interior[before] - boundaries.time) <= np.abs(interior[behind] - boundaries.time)
    nearest = np.where(closer, before, behind)
    distance = interior[nearest] - boundaries.time
    reach = np.maximum(_REACH, _REACH_SHARE * np.minimum(lengths[nearest], lengths[nearest + 1]))
    return distance, np.abs(distance) <= reach
