"""Keypoint sets: finite arrays of one length, in time order, copied from the input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints
from keyseg.timeline import TimelineError

times = st.floats(-100, 100)
triples = st.lists(st.tuples(times, st.integers(0, 5), st.floats(0, 1)), max_size=20)


@given(triples)
def test_triples_come_out_in_time_order(triples):
    points = ActionKeypoints.of(triples)
    expected = sorted(triples, key=lambda triple: triple[0])  # the order is stable
    assert list(zip(points.time, points.label, points.confidence, strict=True)) == expected
    assert len(points) == len(triples)


@given(st.lists(st.tuples(times, st.floats(0, 1)), max_size=20))
def test_pairs_come_out_in_time_order(pairs):
    points = BoundaryKeypoints.of(pairs)
    assert list(zip(points.time, points.confidence, strict=True)) == sorted(pairs, key=lambda pair: pair[0])
    assert len(points) == len(pairs)


def test_keypoints_pass_through_of():
    actions, boundaries = ActionKeypoints.of([(1, 2, 0.5)]), BoundaryKeypoints.of([(3, 0.5)])
    assert ActionKeypoints.of(actions) is actions
    assert BoundaryKeypoints.of(boundaries) is boundaries


def test_selection_by_mask_and_by_index():
    points = ActionKeypoints.of([(5, 0, 0.2), (1, 1, 0.4), (3, 2, 0.9)])
    strong = points.select(points.confidence > 0.3)
    assert (strong.time.tolist(), strong.label.tolist(), strong.confidence.tolist()) == ([1, 3], [1, 2], [0.4, 0.9])
    assert points.select([2, 0]).time.tolist() == [1, 5]
    assert len(points.select([])) == 0


def test_types_are_fixed_and_arrays_are_copies():
    time, label = np.array([4, 2], np.int32), np.array([1, 0], np.uint8)
    points = ActionKeypoints(time, label, np.array([1, 0], np.float32))
    assert [a.dtype for a in (points.time, points.label, points.confidence)] == [np.float64, np.int64, np.float64]
    time[0] = 99
    assert points.time.tolist() == [2, 4]
    for array in (points.time, points.label, points.confidence):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_are_finite(bad):
    fine = np.array([0.5, 0.5])
    broken = np.array([0.5, bad])
    for message, make in [
        ("keypoint time must be finite", lambda: ActionKeypoints(broken, np.array([0, 1]), fine)),
        ("keypoint confidence must be finite", lambda: ActionKeypoints(fine, np.array([0, 1]), broken)),
        ("keypoint time must be finite", lambda: BoundaryKeypoints(broken, fine)),
        ("keypoint confidence must be finite", lambda: BoundaryKeypoints(fine, broken)),
    ]:
        with pytest.raises(TimelineError, match=f"{message}, got {bad}"):
            make()


def test_arrays_have_one_length_and_one_dimension():
    with pytest.raises(TimelineError, match="the same length, got time 2, label 3, confidence 2"):
        ActionKeypoints(np.zeros(2), np.zeros(3), np.zeros(2))
    with pytest.raises(TimelineError, match="the same length, got time 1, confidence 0"):
        BoundaryKeypoints(np.zeros(1), np.zeros(0))
    with pytest.raises(TimelineError, match=r"keypoint time must have one dimension, got shape \(1, 2\)"):
        BoundaryKeypoints(np.zeros((1, 2)), np.zeros(2))
