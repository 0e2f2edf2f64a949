"""Cuts of one video without labels: neighbours in time are merged, the most similar first."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np

from keyseg.proposals.runs import Runs
from keyseg.timeline import FloatArray, IntArray

EXPLAINED = 0.4
"""Share of the variance of a video that its segments explain, where their number is not given."""
OVER_NOISE = 3.0
"""How many times the noise of one run every cut is worth then."""


@dataclass(frozen=True)
class MergedRuns:
    """The order in which the N - 1 cuts between N runs were removed.

    cuts: (N - 1,) the first run after each cut; the cut that was removed first is the first one. costs: (N - 1,) by how
    much each removal increased the sum of squared distances of the runs to the means of their segments. noise: half the
    median of the squared distances between neighbouring runs, which is what a cut inside an action is worth.
    """

    cuts: IntArray
    costs: FloatArray
    noise: float

    def bounds(self, segments: int) -> IntArray:
        """First run of each of at most `segments` segments, and N: (S + 1,) from 0 to N."""
        kept = self.cuts[max(0, len(self.cuts) + 1 - segments) :]
        return np.array([0, *sorted(kept.tolist()), len(self.cuts) + 1])

    @property
    def telling(self) -> int:
        """The smallest number of segments that explain the share EXPLAINED of the variance, but no more than there are
        cuts worth OVER_NOISE times the noise, and one."""
        explained = np.cumsum(self.costs[::-1])
        if not len(explained) or explained[-1] <= 0:
            return 1
        enough = 1 + int(np.searchsorted(explained, EXPLAINED * explained[-1]))
        return 1 + min(enough, int((self.costs > OVER_NOISE * self.noise).sum()))


def merge_runs(runs: Runs) -> MergedRuns:
    """Ward's clustering of the runs of a video in which only neighbours in time merge.

    Time is N log N, memory N. The constraint is that of CONISS (Grimm, Computers & Geosciences 13, 1987).

    >>> merged = merge_runs(np.array([[0], [0], [5], [5], [5], [9]], np.float32))
    >>> merged.bounds(2), merged.bounds(3)
    (array([0, 2, 6]), array([0, 2, 5, 6]))
    """
    count = len(runs)
    means, weights = runs.copy(), [1] * count
    before, after = list(range(-1, count - 1)), list(range(1, count + 1))
    first_costs = np.square(np.diff(runs, axis=0)).sum(1, dtype=np.float64) / 2
    cost_now = [np.inf, *first_costs.tolist()]  # of removing the cut before each run
    heap = [(cost, cut) for cut, cost in enumerate(cost_now) if cut]
    heapify(heap)
    cuts, costs = [], []

    def update(left: int, right: int) -> None:
        difference = means[right] - means[left]
        share = weights[left] * weights[right] / (weights[left] + weights[right])
        cost_now[right] = share * float(difference @ difference)
        heappush(heap, (cost_now[right], right))

    while heap:
        cost, cut = heappop(heap)
        if cost != cost_now[cut]:
            continue  # the segments beside it have grown since, and so it is in the heap once more
        left, right = before[cut], after[cut]
        total = weights[left] + weights[cut]
        means[left] += (means[cut] - means[left]) * (weights[cut] / total)
        weights[left], after[left], cost_now[cut] = total, right, np.inf
        cuts.append(cut)
        costs.append(cost)
        if right < count:
            before[right] = left
            update(left, right)
        if left > 0:
            update(before[left], left)
    return MergedRuns(np.array(cuts, np.int64), np.array(costs, np.float64), _median(first_costs))


def _median(values: FloatArray) -> float:
    return float(np.median(values)) if len(values) else 0.0
