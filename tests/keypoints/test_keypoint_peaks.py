"""Peaks of heatmaps: local maxima at or above a threshold, one per plateau, the highest if there are too many."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg.keypoints import decode_actions, decode_boundaries
from keyseg.timeline import TimelineError

# Few distinct values, so that plateaus and ties are common.
values = st.sampled_from([0, 0.1, 0.25, 0.5, 0.9, 1])
heatmaps = st.integers(0, 25).flatmap(
    lambda length: st.lists(st.lists(values, min_size=length, max_size=length), min_size=1, max_size=3)
)
radii = st.sampled_from([1, 2, 3, 4, 7, 40])
few = settings(max_examples=60)


def points(result):
    return list(zip(result.time.tolist(), result.label.tolist(), result.confidence.tolist(), strict=True))


def slow_peaks(rows, threshold, radius):
    """(time, label, value), frame by frame; of equal adjacent maxima only the first."""
    result = []
    for label, row in enumerate(rows):
        highest = [max(row[max(0, t - radius) : t + radius + 1]) for t in range(len(row))]
        is_peak = [v > 0 and threshold <= v == top for v, top in zip(row, highest, strict=True)]
        for t, value in enumerate(row):
            again = t > 0 and is_peak[t - 1] and row[t - 1] == value
            if is_peak[t] and not again:
                result.append((t, label, value))
    return sorted(result)


@few
@given(heatmaps, st.sampled_from([0, 0.1, 0.3, 0.9]), radii)
def test_actions_agree_with_a_frame_by_frame_search(rows, threshold, radius):
    result = decode_actions(np.array(rows), threshold, radius=radius)
    assert points(result) == slow_peaks(rows, threshold, radius)


@few
@given(heatmaps, st.sampled_from([0, 0.1, 0.3, 0.9]), radii)
def test_boundaries_agree_with_a_frame_by_frame_search(rows, threshold, radius):
    row = rows[0]
    result = decode_boundaries(np.array(row), threshold, radius=radius)
    expected = slow_peaks([[0, *row[1:]][: len(row)]], threshold, radius)
    assert list(zip(result.time, result.confidence, strict=True)) == [(t, value) for t, _, value in expected]


def test_a_peak_by_hand():
    heatmap = np.array([[0, 0.2, 0.7, 0.3, 0, 0, 0.4], [0.6, 0, 0, 0, 0.5, 0, 0]], np.float32)
    assert points(decode_actions(heatmap, 0.1)) == [
        (0, 1, pytest.approx(0.6)),
        (2, 0, pytest.approx(0.7)),
        (4, 1, 0.5),
        (6, 0, pytest.approx(0.4)),
    ]


@pytest.mark.parametrize("width", [2, 3, 4, 5, 9, 30])
def test_the_first_frame_of_a_plateau_is_its_peak(width):
    heatmap = np.zeros((1, 40))
    heatmap[0, 5 : 5 + width] = 0.5
    assert points(decode_actions(heatmap, 0.1, radius=2)) == [(5, 0, 0.5)]
    assert decode_boundaries(heatmap[0], 0.1, radius=2).time.tolist() == [5]


def test_a_flat_heatmap_is_one_plateau():
    assert points(decode_actions(np.full((2, 7), 0.3), 0.1)) == [(0, 0, 0.3), (0, 1, 0.3)]


def test_a_shoulder_within_the_radius_is_not_a_peak():
    heatmap = np.array([[0, 0.9, 0.1, 0.4, 0, 0]])
    assert points(decode_actions(heatmap, 0.2, radius=1)) == [(1, 0, 0.9), (3, 0, 0.4)]
    assert points(decode_actions(heatmap, 0.2, radius=2)) == [(1, 0, 0.9)]


def test_classes_do_not_suppress_each_other():
    heatmap = np.array([[0, 0.9, 0], [0, 0.3, 0], [0, 0, 0.8]])
    assert points(decode_actions(heatmap, 0.2)) == [(1, 0, 0.9), (1, 1, 0.3), (2, 2, 0.8)]


def test_a_peak_at_the_threshold_counts_and_a_lower_one_does_not():
    heatmap = np.array([[0, 0.5, 0, 0, 0.25, 0]])
    above = np.nextafter([0.25, 0.5], 1)
    for threshold, times in [(0.2, [1, 4]), (0.25, [1, 4]), (above[0], [1]), (0.5, [1]), (above[1], [])]:
        assert decode_actions(heatmap, threshold).time.tolist() == times
        assert decode_boundaries(heatmap[0], threshold).time.tolist() == times


def test_a_float32_peak_at_the_threshold_counts():
    """In double precision, float32 0.7 is below 0.7."""
    heatmap = np.array([[0, 0.7, 0]], np.float32)
    assert heatmap[0, 1].item() < 0.7
    assert decode_actions(heatmap, 0.7).time.tolist() == [1]


def test_zero_is_never_a_peak():
    assert len(decode_actions(np.zeros((3, 9)), 0)) == 0
    assert decode_boundaries(np.array([0, 0, 0.1, 0, 0, 0, 0]), 0).time.tolist() == [2]


def test_the_limit_keeps_the_highest_of_all_classes_in_time_order():
    heatmap = np.zeros((2, 50))
    heatmap[0, [3, 13, 23]] = 0.3, 0.9, 0.5
    heatmap[1, [8, 43]] = 0.8, 0.4
    assert points(decode_actions(heatmap, 0.1, limit=3)) == [(8, 1, 0.8), (13, 0, 0.9), (23, 0, 0.5)]
    assert len(decode_actions(heatmap, 0.1, limit=5)) == 5
    assert decode_boundaries(heatmap[0], 0.1, limit=2).time.tolist() == [13, 23]


def test_step_0_is_not_a_boundary_and_hides_none():
    assert decode_boundaries(np.array([0.9, 0.4, 0.1, 0]), 0.2).time.tolist() == [1]
    assert len(decode_boundaries(np.array([0.9, 0, 0]), 0.2)) == 0
    given = np.array([0.9, 0.4])
    decode_boundaries(given, 0.2)
    assert given.tolist() == [0.9, 0.4]


def test_the_last_step_may_be_a_peak():
    assert decode_boundaries(np.array([0, 0, 0.4]), 0.2).time.tolist() == [2]


@pytest.mark.parametrize("length", [0, 1])
def test_videos_without_peaks(length):
    assert len(decode_actions(np.zeros((3, length)), 0.1)) == 0
    assert len(decode_boundaries(np.ones(length), 0.1)) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_heatmap_that_is_not_finite_is_refused(bad):
    heatmap = np.zeros((2, 5))
    heatmap[1, 3] = bad
    with pytest.raises(TimelineError, match="the heatmap holds NaN or infinite values"):
        decode_actions(heatmap, 0.1)
    with pytest.raises(TimelineError, match="the heatmap holds NaN or infinite values"):
        decode_boundaries(heatmap[1], 0.1)


def test_a_heatmap_of_another_shape_is_refused():
    with pytest.raises(TimelineError, match=r"expected a heatmap with 2 dimensions, got shape \(5,\)"):
        decode_actions(np.zeros(5), 0.1)
    with pytest.raises(TimelineError, match=r"expected a heatmap with 1 dimensions, got shape \(1, 5\)"):
        decode_boundaries(np.zeros((1, 5)), 0.1)
