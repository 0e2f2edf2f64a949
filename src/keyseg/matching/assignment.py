"""Ground-truth assignment of keypoints to the annotation, for the losses of matching and refinement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints
from keyseg.timeline import FloatArray, IntArray, Segmentation

_SMALLEST_GATE = 2.0  # steps
_GATE_SHARE = 0.1  # of the shorter of the two segments that meet at a boundary


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """One-to-one matches of keypoints; -1 for a keypoint without a match.

    action_to_segment: (Ka,) int64 index into the reference's segments. boundary_to_boundary: (Kb,) int64 index into
    its interior boundaries `reference.boundaries[1:-1]`.
    """

    action_to_segment: IntArray
    boundary_to_boundary: IntArray


def assign(actions: ActionKeypoints, boundaries: BoundaryKeypoints, reference: Segmentation) -> Assignment:
    """Match keypoints to the annotation: as many allowed pairs as possible, then the smallest total |dt|.

    Keypoints and annotation share one unit of time. An action keypoint may match the segment [s, e) that it lies in if
    the classes agree; dt is measured from the centre (s + e - 1) / 2. A boundary keypoint may match an interior
    boundary at |dt| <= max(2, 10 % of the shorter neighbouring segment).

    >>> reference = Segmentation.from_frames([0] * 10 + [1] * 20)
    >>> actions = ActionKeypoints.of([(3, 0, 0.9), (4, 0, 0.8), (20, 0, 0.7)])
    >>> matches = assign(actions, BoundaryKeypoints.of([(11, 0.6)]), reference)
    >>> matches.action_to_segment.tolist(), matches.boundary_to_boundary.tolist()
    ([-1, 0, -1], [0])
    """
    return Assignment(_assign_actions(actions, reference), _assign_boundaries(boundaries, reference))


def _assign_actions(actions: ActionKeypoints, reference: Segmentation) -> IntArray:
    """A keypoint lies in one segment only, so the best matching takes the keypoint nearest to each centre."""
    matches = np.full(len(actions), -1, np.int64)
    inside = np.flatnonzero((actions.time >= 0) & (actions.time < reference.length))
    segment = np.searchsorted(reference.boundaries, actions.time[inside], side="right") - 1
    same = reference.labels[segment] == actions.label[inside]
    inside, segment = inside[same], segment[same]
    centre = (reference.boundaries[segment] + reference.boundaries[segment + 1] - 1) / 2
    nearest_first = np.lexsort((np.abs(actions.time[inside] - centre), segment))
    matched, first = np.unique(segment[nearest_first], return_index=True)
    matches[inside[nearest_first[first]]] = matched
    return matches


def _assign_boundaries(boundaries: BoundaryKeypoints, reference: Segmentation) -> IntArray:
    """The keypoints within the gate of a boundary are consecutive, so only allowed pairs are listed."""
    interior, lengths = reference.boundaries[1:-1], np.diff(reference.boundaries)
    gate = np.maximum(_SMALLEST_GATE, _GATE_SHARE * np.minimum(lengths[:-1], lengths[1:]))
    first = np.searchsorted(boundaries.time, interior - gate, side="left")
    count = np.searchsorted(boundaries.time, interior + gate, side="right") - first
    column = np.repeat(np.arange(len(interior)), count)
    row = np.arange(len(column)) + np.repeat(first - np.cumsum(count) + count, count)
    if len(row) == 0:
        return np.full(len(boundaries), -1, np.int64)
    distance = np.abs(boundaries.time[row] - interior[column])
    return _hungarian(row, column, distance, (len(boundaries), len(interior)))


def _hungarian(row: IntArray, column: IntArray, distance: FloatArray, shape: tuple[int, int]) -> IntArray:
    """Column of each row, or -1: as many of the listed pairs as possible, then the least total distance.

    Every row also has a dummy column, which costs more than all pairs together, so that a full matching exists.
    """
    rows, columns = shape
    dummy = np.arange(rows)
    # 1 is added to each distance, since a sparse matrix has no entries of cost 0
    cost = np.concatenate((distance + 1, np.full(rows, distance.sum() + 2)))
    at = (np.concatenate((row, dummy)), np.concatenate((column, columns + dummy)))
    matched = min_weight_full_bipartite_matching(csr_array((cost, at), shape=(rows, columns + rows)))[1]
    return np.where(matched < columns, matched, -1)
