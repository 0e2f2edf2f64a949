"""A scripted annotator: the fewest seconds of the studio's edits that turn one timeline into another, by a stated model.

The model of time is the keystroke-level model (Card, Moran and Newell, 1980), its operators in seconds below. What an
edit is follows the studio: a boundary is dragged; two neighbours are merged, with the label of either; a segment gets
another label; a new segment is drawn inside another one, which gives way, with one or two new boundaries. A new or
moved boundary is watched once more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product

from keyseg.timeline import Segmentation

KEY, POINT, CLICK, THINK = 0.28, 1.1, 0.1, 1.35  # operators K, P, B and M
REVIEW = 2.0  # watching one second on each side of a boundary
EDITS = {
    "move": THINK + 2 * (POINT + CLICK) + REVIEW,
    "merge": THINK + POINT + CLICK + KEY,
    "relabel": THINK + POINT + CLICK + KEY,
    "insert": THINK + 2 * (POINT + CLICK) + KEY,  # and a review of each new boundary
}


@dataclass(frozen=True)
class Work:
    """Edits by kind, and the reviews of new boundaries. moves: (from, to) of each boundary that is dragged."""

    move: int = 0
    merge: int = 0
    relabel: int = 0
    insert: int = 0
    reviews: int = 0
    moves: tuple[tuple[int, int], ...] = ()

    @property
    def seconds(self) -> float:
        """How long the edits take, without watching the video."""
        return sum(getattr(self, kind) * cost for kind, cost in EDITS.items()) + self.reviews * REVIEW

    @property
    def actions(self) -> int:
        """Number of edits."""
        return self.move + self.merge + self.relabel + self.insert

    def __add__(self, other: Work) -> Work:
        counts = {name: getattr(self, name) + getattr(other, name) for name in (*EDITS, "reviews", "moves")}
        return Work(**counts)


def from_nothing(truth: Segmentation) -> Work:
    """The work without a prediction: each segment is drawn from where the last one ended, the first one over all.

    >>> from_nothing(Segmentation([0, 4, 9], [1, 0])).actions
    2
    """
    others = len(truth.merged().labels) - 1
    return Work(relabel=1, insert=others, reviews=others)


def correct(found: Segmentation, truth: Segmentation, tolerance: int = 0) -> Work:
    """The quickest edits after which `found` has the segments of `truth`, each boundary within `tolerance` frames.

    Dynamic programming over the boundaries that are kept, which may be dragged. Between two that are kept, the found
    segments are merged and the missing ones are drawn. Raises ValueError if the lengths differ.

    >>> found, truth = Segmentation([0, 4, 9], [1, 0]), Segmentation([0, 5, 9], [1, 2])
    >>> correct(found, truth)
    Work(move=1, merge=0, relabel=1, insert=0, reviews=0, moves=((4, 5),))
    >>> correct(found, truth, tolerance=1).actions
    1
    """
    if found.length != truth.length:
        raise ValueError(f"{found.length} frames found, {truth.length} annotated")
    found, truth = found.merged(), truth.merged()
    found_labels, true_labels = found.labels.tolist(), truth.labels.tolist()
    ends = list(product(range(1, len(true_labels) + 1), range(1, len(found_labels) + 1)))
    seconds = {(0, 0): 0.0}
    start_of: dict[tuple[int, int], tuple[int, int]] = {}
    for j, i in ends:
        moved = abs(int(found.boundaries[i] - truth.boundaries[j])) > tolerance
        options = (
            (seconds[k, m] + _seconds(i - k, j - m, _right(found_labels[k:i], true_labels[m:j])), (k, m))
            for k, m in _starts(i, j)
            if (k, m) in seconds
        )
        best = min(options, default=None)
        if best is not None:
            seconds[i, j], start_of[i, j] = best[0] + moved * EDITS["move"], best[1]
    work, end = Work(), (len(found_labels), len(true_labels))
    while end != (0, 0):
        (i, j), (k, m) = end, start_of[end]
        between = _between(i - k, j - m, _right(found_labels[k:i], true_labels[m:j]))
        work = between + _kept(found.boundaries[i], truth.boundaries[j], tolerance) + work
        end = start_of[end]
    return work


def _starts(i: int, j: int, most: int = 8) -> Iterator[tuple[int, int]]:
    """Pairs of boundaries kept before the pair (i, j). Many for many would be more work than drags."""
    for n in range(1, i + 1):
        for m in range(1, j + 1):
            if min(n, m) == 1 or n + m <= most:
                yield i - n, j - m


def _kept(found: int, true: int, tolerance: int) -> Work:
    if abs(found - true) <= tolerance:
        return Work()
    return Work(move=1, moves=((int(found), int(true)),))


def _between(found: int, true: int, right: int) -> Work:
    """Merge so many found segments to one, and draw those of the true ones whose label it has not.

    right: number of true segments with the label that is kept, one of the found ones.
    """
    inserts = true - max(right, 1)
    return Work(merge=found - 1, insert=inserts, relabel=0 if right else 1, reviews=true - 1)


@cache
def _seconds(found: int, true: int, right: int) -> float:
    return _between(found, true, right).seconds


def _right(found: list[int], true: list[int]) -> int:
    return max(true.count(label) for label in found)
