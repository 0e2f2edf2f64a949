"""Algorithm 1 rule by rule: the result of each rule, and which points became which (supplement, figure 1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from keyseg.keypoints.points import ActionKeypoints, BoundaryKeypoints
from keyseg.keypoints.reassembly import apply_rules, paint
from keyseg.timeline import FloatArray, IntArray, Segmentation

_Points = tuple[ActionKeypoints, BoundaryKeypoints]
_Links = tuple[IntArray, IntArray]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """The keypoints after one rule, in frames.

    title, rule: name and description of the rule. lines: its lines in Algorithm 1, or empty.
    actions_into, boundaries_into: for each point of the previous step, the index of the point in this step that it
    became or was merged into, -1 if the rule deleted it; empty in the first step. segmentation: only in the last step.
    """

    title: str
    rule: str
    lines: str
    actions: ActionKeypoints
    boundaries: BoundaryKeypoints
    actions_into: IntArray
    boundaries_into: IntArray
    segmentation: Segmentation | None = None


def reassembly_steps(
    actions: ActionKeypoints | Iterable[tuple[float, int, float]],
    boundaries: BoundaryKeypoints | Iterable[tuple[float, float]],
    length: int,
    *,
    fallback: int = 0,
) -> tuple[Step, ...]:
    """The keypoints as given, after lines 1-4, 5-8 and 9-15, and painted: `assemble`, one rule per step.

    If points lie outside the video or boundaries between two frames, reading them is a separate step.
    actions, boundaries, length, fallback: as for `reassemble`. Lines 9-15 are one step, since they join whole runs.

    >>> [step.title for step in reassembly_steps(*example_keypoints())]
    ['keypoints', 'merge actions', 'merge boundaries', 'join equal neighbours', 'paint']
    """
    given = ActionKeypoints.of(actions), BoundaryKeypoints.of(boundaries)
    nothing = np.zeros(0, np.int64)
    steps = [Step("keypoints", "as decoded", "", *given, nothing, nothing)]
    before = given
    for (title, rule, lines, follow), after in zip(_RULES, apply_rules(*given, length), strict=True):
        if follow is not _read or not _same_points(before, after):
            steps.append(Step(title, rule, lines, *after, *follow(before, after)))
        before = after
    unchanged = np.arange(len(before[0])), np.arange(len(before[1]))
    words = "paint", "each action point fills the frames between its boundaries", "16-17"
    return (*steps, Step(*words, *before, *unchanged, paint(*before, length, fallback)))


def example_keypoints() -> tuple[ActionKeypoints, BoundaryKeypoints, int]:
    """Keypoints of classes 0 to 3 in which every rule changes something, and the length of the video, 120 frames."""
    actions = [
        *[(7, 0, 0.5), (14, 0, 0.8), (21, 1, 0.4)],  # lines 1-4: two of one class and one of another
        *[(41, 1, 0.7), (59, 1, 0.6)],  # lines 9-15: one action cut in two
        *[(72, 2, 0.3), (79, 2, 0.9), (86, 0, 0.5)],
        (107, 3, 0.8),
    ]
    boundaries = [
        *[(27, 0.8), (33, 0.4)],  # lines 5-8: two between the same action points
        (51, 0.4),
        (66, 0.9),
        *[(92, 0.5), (96, 0.7)],
        (114, 0.2),  # after the last action point: separates nothing
    ]
    return ActionKeypoints.of(actions), BoundaryKeypoints.of(boundaries), 120


def _read(before: _Points, after: _Points) -> _Links:
    kept = np.isin(before[0].time, after[0].time)
    return np.where(kept, np.cumsum(kept) - 1, -1), _places(np.rint(before[1].time), after[1].time)


def _merge_actions(before: _Points, after: _Points) -> _Links:
    """A merged point stays in its interval; points of another class are deleted."""
    edges = before[1].time
    went = _places(*(np.searchsorted(edges, points[0].time, side="right") for points in (before, after)))
    part = before[0].label == after[0].label[went]
    return np.where(part, went, -1), np.arange(len(edges))


def _merge_boundaries(before: _Points, after: _Points) -> _Links:
    """A merged boundary stays between its action points."""
    centres = before[0].time
    gaps = (np.searchsorted(centres, points[1].time, side="left") for points in (before, after))
    return np.arange(len(centres)), _places(*gaps)


def _join_equal(before: _Points, after: _Points) -> _Links:
    """Only the boundaries between unequal neighbours remain."""
    change = np.diff(before[0].label) != 0
    runs = np.concatenate(([False], change))[: len(before[0])]
    return np.cumsum(runs), np.where(change, np.cumsum(change) - 1, -1)


_RULES = (
    ("read", "points outside the video are dropped, boundaries are rounded to whole frames", "", _read),
    ("merge actions", "between two boundaries one action point remains", "1-4", _merge_actions),
    ("merge boundaries", "between two action points one boundary remains", "5-8", _merge_boundaries),
    ("join equal neighbours", "two action points of one class lose the boundary between them", "9-15", _join_equal),
)


def _places(before: FloatArray | IntArray, after: FloatArray | IntArray) -> IntArray:
    """(K,) index of each value of `before` in the increasing `after`; -1 if it is missing."""
    if len(after) == 0:
        return np.full(len(before), -1)
    index = np.minimum(np.searchsorted(after, before), len(after) - 1)
    return np.where(after[index] == before, index, -1)


def _same_points(before: _Points, after: _Points) -> bool:
    return np.array_equal(before[0].time, after[0].time) and np.array_equal(before[1].time, after[1].time)
