"""Ground-truth assignment of keypoints to the annotation, for the matching and refinement losses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints
from keyseg.timeline import IntArray, Segmentation

_SMALLEST_GATE = 2.0  # steps
_GATE_SHARE = 0.1  # of the shorter of the two segments that meet at a boundary


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """One-to-one matches of keypoints, -1 where there is none.

    action_to_segment: (Ka,) int64 index into the reference's segments. boundary_to_boundary: (Kb,) int64 index into
    its interior boundaries `reference.boundaries[1:-1]`.
    """

    action_to_segment: IntArray
    boundary_to_boundary: IntArray


def assign(actions: ActionKeypoints, boundaries: BoundaryKeypoints, reference: Segmentation) -> Assignment:
    """Match keypoints to the annotation: as many gated pairs as possible, then the smallest total |dt|.

    All three share one unit of time. An action keypoint may match the segment [s, e) that it lies in, of its own
    class, with dt from the centre (s + e - 1) / 2. A boundary keypoint may match an interior boundary with |dt| of at
    most max(2, 10 % of the shorter neighbouring segment).
    """
    return Assignment(_assign_actions(actions, reference), _assign_boundaries(boundaries, reference))


def _assign_actions(actions: ActionKeypoints, reference: Segmentation) -> IntArray:
    """A keypoint lies in one segment only, so the best matching takes the nearest keypoint of each segment."""
    found = np.full(len(actions), -1, np.int64)
    inside = np.flatnonzero((actions.time >= 0) & (actions.time < reference.length))
    segment = np.searchsorted(reference.boundaries, actions.time[inside], side="right") - 1
    same = reference.labels[segment] == actions.label[inside]
    inside, segment = inside[same], segment[same]
    centre = (reference.boundaries[segment] + reference.boundaries[segment + 1] - 1) / 2
    nearest_first = np.lexsort((np.abs(actions.time[inside] - centre), segment))
    matched, first = np.unique(segment[nearest_first], return_index=True)
    found[inside[nearest_first[first]]] = matched
    return found


def _assign_boundaries(boundaries: BoundaryKeypoints, reference: Segmentation) -> IntArray:
    """Hungarian matching on the keypoints and boundaries that have a gated pair at all."""
    found = np.full(len(boundaries), -1, np.int64)
    lengths = np.diff(reference.boundaries)
    gate = np.maximum(_SMALLEST_GATE, _GATE_SHARE * np.minimum(lengths[:-1], lengths[1:]))
    distance = np.abs(boundaries.time[:, None] - reference.boundaries[None, 1:-1])
    gated = distance <= gate
    rows, columns = np.flatnonzero(gated.any(1)), np.flatnonzero(gated.any(0))
    row, column = _hungarian(distance[np.ix_(rows, columns)], gated[np.ix_(rows, columns)])
    found[rows[row]] = columns[column]
    return found


def _hungarian(distance: npt.NDArray[np.float64], gated: npt.NDArray[np.bool_]) -> tuple[IntArray, IntArray]:
    """Rows and columns of the gated pairs matched: the most pairs, then the least distance."""
    forbidden = 1.0 + distance[gated].max(initial=0.0) * (1 + min(distance.shape))
    row, column = linear_sum_assignment(np.where(gated, distance, forbidden))
    kept = gated[row, column]
    return row[kept], column[kept]
