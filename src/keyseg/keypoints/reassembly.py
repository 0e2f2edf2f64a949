"""Rule-based re-assembly of keypoints into a segmentation (supplement, section B, Algorithm 1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from keyseg.keypoints.points import ActionKeypoints, BoundaryKeypoints
from keyseg.timeline import FloatArray, IntArray, Segmentation, TimelineError


@dataclass(frozen=True, slots=True)
class Assembly:
    """A segmentation with its keypoints; as the result of Algorithm 1 one per segment and per interior boundary."""

    segmentation: Segmentation
    actions: ActionKeypoints
    boundaries: BoundaryKeypoints


def reassemble(
    actions: ActionKeypoints | Iterable[tuple[float, int, float]],
    boundaries: BoundaryKeypoints | Iterable[tuple[float, float]],
    length: int,
    *,
    fallback: int = 0,
) -> Segmentation:
    """Assemble keypoints into a segmentation of [0, length): `assemble` without the surviving keypoints.

    actions: keypoints or (time, label, confidence) triples. boundaries: keypoints or (time, confidence) pairs.

    >>> import keyseg
    >>> actions, boundaries = [(10, 0, 0.9), (14, 1, 0.3), (45, 1, 0.6)], [(28, 0.8), (32, 0.8)]
    >>> for segment in keyseg.reassemble(actions, boundaries, length=60):
    ...     print(segment)
    Segment(start_frame=0, end_frame=30, label=0)
    Segment(start_frame=30, end_frame=60, label=1)
    """
    return assemble(
        ActionKeypoints.of(actions), BoundaryKeypoints.of(boundaries), length, fallback=fallback
    ).segmentation


def assemble(actions: ActionKeypoints, boundaries: BoundaryKeypoints, length: int, *, fallback: int = 0) -> Assembly:
    """Algorithm 1 as a pure function; applied to its own result, it changes nothing.

    length: T, number of frames (or steps). fallback: class of a video without action keypoints. 0 and T are sentinels:
    boundaries at or outside them, and action points outside [0, T - 1], are dropped. A boundary at frame b opens the
    segment of the action points with b <= time < next boundary. Boundaries are rounded to whole frames. Except for
    sorting, the cost is linear in the number of keypoints.

    >>> actions = ActionKeypoints.of([(10, 0, 0.9), (14, 0, 0.3), (45, 1, 0.6)])
    >>> result = assemble(actions, BoundaryKeypoints.of([(30, 0.8)]), 60)
    >>> result.segmentation.boundaries.tolist(), result.actions.time.tolist()
    ([0, 30, 60], [11.0, 45.0])
    """
    *_, (actions, boundaries) = apply_rules(actions, boundaries, length)
    return Assembly(paint(actions, boundaries, length, fallback), actions, boundaries)


def apply_rules(
    actions: ActionKeypoints, boundaries: BoundaryKeypoints, length: int
) -> Iterator[tuple[ActionKeypoints, BoundaryKeypoints]]:
    """The keypoints as Algorithm 1 reads them, then after lines 1-4, after lines 5-8 and after lines 9-15."""
    if length < 0:
        raise TimelineError(f"length must be >= 0 frames, got {length}")
    actions = actions.select((actions.time >= 0) & (actions.time <= length - 1))
    boundaries = _whole_frames(boundaries, length)
    yield actions, boundaries
    actions = merge_actions(actions, boundaries)
    yield actions, boundaries
    boundaries = merge_boundaries(actions, boundaries)
    yield actions, boundaries
    yield join_equal_neighbours(actions, boundaries)


def paint(actions: ActionKeypoints, boundaries: BoundaryKeypoints, length: int, fallback: int = 0) -> Segmentation:
    """Line 16: each action point fills the frames between its boundaries; without any, `fallback` fills the video."""
    if length == 0:
        return Segmentation.from_frames(np.zeros(0, np.int64))
    edges = np.concatenate(([0], boundaries.time, [length])).astype(np.int64)
    return Segmentation(edges, actions.label if len(actions) else np.array([fallback]))


def merge_actions(actions: ActionKeypoints, boundaries: BoundaryKeypoints) -> ActionKeypoints:
    """Lines 1-4: between neighbouring boundaries only the most confident action point is kept.

    Ties go to the first point, and at the same time to the smallest class. The point moves to the confidence-weighted
    mean position of the points of its class in that interval.
    """
    if len(actions) == 0:
        return actions
    interval = np.searchsorted(boundaries.time, actions.time, side="right")
    group = _group_index(interval)
    winner = _most_confident(group, actions)
    same = actions.label == actions.label[winner][group]
    time = _weighted_mean(group[same], actions.time[same], actions.confidence[same])
    return ActionKeypoints(time, actions.label[winner], actions.confidence[winner])


def merge_boundaries(actions: ActionKeypoints, boundaries: BoundaryKeypoints) -> BoundaryKeypoints:
    """Lines 5-8: between neighbouring action points the boundaries become their confidence-weighted mean.

    Boundaries before the first or after the last action point separate nothing and are dropped. The mean is rounded to
    a whole frame that is later than the left action point and not later than the right one.
    """
    gap = np.searchsorted(actions.time, boundaries.time, side="left")  # action points strictly before the boundary
    inside = (gap > 0) & (gap < len(actions))
    boundaries, gap = boundaries.select(inside), gap[inside]
    if len(boundaries) == 0:
        return boundaries
    group = _group_index(gap)
    time = np.rint(_weighted_mean(group, boundaries.time, boundaries.confidence))
    left = gap[np.flatnonzero(np.diff(group, prepend=-1))] - 1
    earliest, latest = np.floor(actions.time[left]) + 1, np.floor(actions.time[left + 1])
    return BoundaryKeypoints(
        np.clip(time, earliest, latest), np.maximum.reduceat(boundaries.confidence, _starts(group))
    )


def join_equal_neighbours(
    actions: ActionKeypoints, boundaries: BoundaryKeypoints
) -> tuple[ActionKeypoints, BoundaryKeypoints]:
    """Lines 9-15: neighbours of the same class lose the boundary between them and become one point.

    Whole runs are joined at once, which gives the result of repeating the pairwise rule until no neighbours are equal.
    The joined point has the highest confidence and the confidence-weighted mean position.
    """
    if len(actions) == 0:
        return actions, boundaries
    change = np.diff(actions.label) != 0
    group = np.concatenate(([0], np.cumsum(change))).astype(np.int64)
    starts = _starts(group)
    time = _weighted_mean(group, actions.time, actions.confidence)
    joined = ActionKeypoints(time, actions.label[starts], np.maximum.reduceat(actions.confidence, starts))
    return joined, boundaries.select(change)


def _whole_frames(boundaries: BoundaryKeypoints, length: int) -> BoundaryKeypoints:
    """Boundaries rounded to frames strictly inside (0, length); of those on one frame, the most confident."""
    rounded = BoundaryKeypoints(np.rint(boundaries.time), boundaries.confidence)
    inside = rounded.select((rounded.time > 0) & (rounded.time < length))
    if len(inside) == 0:
        return inside
    starts = _starts(inside.time)
    return BoundaryKeypoints(inside.time[starts], np.maximum.reduceat(inside.confidence, starts))


def _group_index(values: IntArray) -> IntArray:
    """0, 0, 1, 1, 1, 2 ... for runs of equal values."""
    return np.cumsum(np.diff(values, prepend=values[:1]) != 0).astype(np.int64)


def _starts(values: FloatArray | IntArray) -> IntArray:
    """Index at which each run of equal values starts."""
    return np.concatenate(([0], np.flatnonzero(np.diff(values)) + 1)).astype(np.int64)


def _most_confident(group: IntArray, actions: ActionKeypoints) -> IntArray:
    """Index of the most confident point of each group; ties go to the earliest time, then to the smallest class."""
    order = np.lexsort((actions.label, actions.time, -actions.confidence, group))
    return order[_starts(group[order])]


def _weighted_mean(group: IntArray, values: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted mean of `values` in each group, clipped to its range; unweighted where all weights of a group are 0."""
    starts = _starts(group)
    lowest, highest = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    total = np.add.reduceat(weights, starts)
    weights = np.where((total > 0)[group], weights, 1.0)
    mean = np.add.reduceat(values * weights, starts) / np.add.reduceat(weights, starts)
    return np.clip(mean, lowest, highest)
