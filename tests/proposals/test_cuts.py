"""Merging neighbours in time: planted cuts, a brute-force oracle, and how many segments are chosen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyseg.proposals.cuts import EXPLAINED, OVER_NOISE, MergedRuns, merge_runs


def squares(runs: np.ndarray) -> float:
    return float(np.square(runs - runs.mean(0)).sum())


def greedy(runs: np.ndarray) -> list[tuple[int, float]]:
    """Every cut with the cost of its removal, by trying all cuts at each step."""
    bounds, order = list(range(len(runs) + 1)), []
    while len(bounds) > 2:
        costs = [
            squares(runs[a:c]) - squares(runs[a:b]) - squares(runs[b:c])
            for a, b, c in zip(bounds, bounds[1:], bounds[2:], strict=False)
        ]
        place = int(np.argmin(costs))
        order.append((bounds.pop(place + 1), costs[place]))
    return order


@given(st.integers(0, 2**32 - 1), st.integers(1, 14), st.integers(1, 3))
def test_merging_is_that_of_trying_all_neighbours(seed, count, width):
    runs = np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)
    merged, expected = merge_runs(runs), greedy(runs.astype(np.float64))
    assert merged.cuts.tolist() == [cut for cut, _ in expected]
    assert merged.costs == pytest.approx([cost for _, cost in expected], abs=1e-4)


def test_the_input_stays_as_it_is():
    runs = np.arange(6, dtype=np.float32)[:, None]
    merge_runs(runs)
    assert runs[:, 0].tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(("segments", "bounds"), [(1, [0, 4]), (2, [0, 2, 4]), (3, [0, 1, 2, 4]), (9, [0, 1, 2, 3, 4])])
def test_the_cuts_that_were_removed_last_are_kept(segments, bounds):
    merged = MergedRuns(np.array([3, 1, 2]), np.array([1.0, 2.0, 5.0]), 0.0)
    assert merged.bounds(segments).tolist() == bounds


def test_as_few_segments_as_explain_the_share():
    costs = np.array([1.0, 1.0, 2.0, 3.0, 3.0])  # the last cut explains 0.3 of the variance, the last two 0.6
    assert 0.3 < EXPLAINED < 0.6
    assert MergedRuns(np.arange(1, 6), costs, 0.0).telling == 3


def test_cuts_within_the_noise_do_not_count():
    costs = np.array([1.0, 1.0, 2.0, 3.0, 3.0])
    assert MergedRuns(np.arange(1, 6), costs, 3.0 / OVER_NOISE).telling == 1


@pytest.mark.parametrize("count", [1, 2, 30])
def test_a_video_without_change_is_one_segment(count):
    merged = merge_runs(np.ones((count, 2), np.float32))
    assert merged.telling == 1
    assert merged.bounds(1).tolist() == [0, count]


def test_segments_in_noise_are_found_and_the_noise_is_not():
    random = np.random.default_rng(5)
    truth = [0, 150, 170, 400, 425, 700]
    levels = np.repeat(random.standard_normal((5, 16)), np.diff(truth), axis=0)
    merged = merge_runs((levels + 0.3 * random.standard_normal(levels.shape)).astype(np.float32))
    assert merged.bounds(5).tolist() == truth
    assert 2 <= merged.telling <= 5


def test_white_noise_alone_is_one_segment_or_nearly():
    runs = np.random.default_rng(1).standard_normal((1000, 64)).astype(np.float32)
    assert merge_runs(runs).telling <= 3
