"""A scripted annotator: the quickest edits of the studio that turn one timeline into another, by a stated model.

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

import numpy as np

from keyseg.timeline import Segmentation

KEY, POINT, CLICK, THINK = 0.28, 1.1, 0.1, 1.35  # operators K, P, B and M
REVIEW = 2.0  # watching one second on each side of a boundary
REACH = 150  # frames over which a boundary is dragged, at most
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
    """The work without a prediction, which is to correct one segment without a label.

    >>> from_nothing(Segmentation([0, 4, 9], [1, 0])).actions
    2
    """
    return correct(Segmentation([0, truth.length], [truth.labels.max() + 1]), truth)


def correct(found: Segmentation, truth: Segmentation, tolerance: int = 0) -> Work:
    """The quickest edits after which `found` has the segments of `truth`, each boundary within `tolerance` frames.

    Dynamic programming over the boundaries that are kept, which may be dragged. The found segments between two that are
    kept are merged, and the true ones are made of the result as `_Drawings` says.

    Raises ValueError if the lengths differ.

    >>> found, truth = Segmentation([0, 4, 9], [1, 0]), Segmentation([0, 5, 9], [1, 2])
    >>> correct(found, truth)
    Work(move=1, merge=0, relabel=1, insert=0, reviews=0, moves=((4, 5),))
    >>> correct(found, truth, tolerance=1).actions
    1
    """
    if found.length != truth.length:
        raise ValueError(f"{found.length} frames found, {truth.length} annotated")
    found, truth = found.merged(), truth.merged()
    labels, drawings = found.labels.tolist(), _Drawings(truth.labels.tolist())
    seconds = {(0, 0): 0.0}
    before: dict[tuple[int, int], tuple[int, int]] = {}
    distance = np.abs(found.boundaries[1:, None] - truth.boundaries[None, 1:]).tolist()
    for j, i in product(range(1, len(truth.labels) + 1), range(1, len(labels) + 1)):
        if distance[i - 1][j - 1] > REACH:
            continue
        options = [
            (seconds[k, m] + (i - k - 1) * EDITS["merge"] + drawings.best(labels[k:i], m, j)[0], (k, m))
            for k, m in _starts(i, j)
            if (k, m) in seconds
        ]
        if options:
            cheapest, before[i, j] = min(options)
            moved = distance[i - 1][j - 1] > tolerance
            seconds[i, j] = cheapest + moved * EDITS["move"]
    work, (i, j) = Work(), (len(labels), len(truth.labels))
    while (i, j) != (0, 0):
        k, m = before[i, j]
        between = Work(merge=i - k - 1) + drawings.best(labels[k:i], m, j)[1]
        work = between + _kept(int(found.boundaries[i]), int(truth.boundaries[j]), tolerance) + work
        i, j = k, m
    return work


def _starts(i: int, j: int, most: int = 10) -> Iterator[tuple[int, int]]:
    """Pairs of boundaries kept before the pair (i, j): so many segments back, found and true ones, or none before."""
    yield 0, 0
    for n in range(1, min(i, most) + 1):
        for m in range(1, min(j, most - n) + 1):
            yield i - n, j - m


def _kept(found: int, true: int, tolerance: int) -> Work:
    if abs(found - true) <= tolerance:
        return Work()
    return Work(move=1, moves=((found, true),))


class _Drawings:
    """How true segments are drawn on one found segment: some are inserted, and the others are what is left of it.

    No two neighbours are left, or there would be no boundary between them. Those left that have another label than the
    found segment are relabelled, each or, before anything is inserted, all at once. Nothing is drawn over a drawing.
    """

    def __init__(self, true: list[int]) -> None:
        self.true = true
        self.kept = cache(self._kept_label)
        self.relabelled = cache(self._relabelled)

    def best(self, found: list[int], start: int, end: int) -> tuple[float, Work]:
        """Seconds and work for the true segments from start to end (excluded), on the merged found ones."""
        options = [self.kept(label, start, end) for label in found]
        return min([self.relabelled(start, end), *options], key=_first)

    def _relabelled(self, start: int, end: int) -> tuple[float, Work]:
        seconds, work = min((self.kept(label, start, end) for label in set(self.true[start:end])), key=_first)
        return seconds + EDITS["relabel"], work + Work(relabel=1)

    def _kept_label(self, label: int, start: int, end: int) -> tuple[float, Work]:
        drawn, left = Work(insert=1), Work(relabel=0 if self.true[end - 1] == label else 1)
        if end - start == 1:
            return left.seconds, left
        review = Work(reviews=1)
        options = [self.kept(label, start, end - 1)[1] + drawn + review]
        if end - start == 2:
            options.append(drawn + left + review)
        else:
            options.append(self.kept(label, start, end - 2)[1] + drawn + left + review + review)
        best = min(options, key=lambda work: work.seconds)
        return best.seconds, best


def _first(option: tuple[float, Work]) -> float:
    return option[0]
