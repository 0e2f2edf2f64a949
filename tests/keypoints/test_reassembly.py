"""Properties of Algorithm 1 that hold for any keypoints."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints, assemble, reassemble
from keyseg.timeline import Segmentation

times = st.integers(-6, 46).map(float) | st.floats(-6, 46)
confidences = st.sampled_from([0, 0.5, 1]) | st.floats(0, 1)
action_lists = st.lists(st.tuples(times, st.integers(0, 2), confidences), max_size=25)
boundary_lists = st.lists(st.tuples(times, confidences), max_size=25)
lengths = st.integers(0, 40)
# Their sums are exact, so that only the rules decide.
exact_times = st.integers(0, 39).map(float)
exact_confidences = st.integers(0, 16).map(lambda sixteenths: sixteenths / 16)
exact_actions = st.lists(st.tuples(exact_times, st.integers(0, 2), exact_confidences), min_size=1, max_size=25)
exact_boundaries = st.lists(st.tuples(exact_times, exact_confidences), max_size=25)
many = settings(max_examples=80)


def run(actions, boundaries, length, fallback=0):
    return assemble(ActionKeypoints.of(actions), BoundaryKeypoints.of(boundaries), length, fallback=fallback)


def usable(actions, length):
    return [point for point in actions if 0 <= point[0] <= length - 1]


def content(assembly):
    """Everything in an assembly, for bitwise comparison."""
    actions, boundaries = assembly.actions, assembly.boundaries
    arrays = (actions.time, actions.label, actions.confidence, boundaries.time, boundaries.confidence)
    return assembly.segmentation, [array.tolist() for array in arrays]


@many
@given(action_lists, boundary_lists, lengths)
def test_the_output_tiles_the_video(actions, boundaries, length):
    result = run(actions, boundaries, length).segmentation
    assert result.length == length
    assert result.boundaries[0] == 0
    assert (np.diff(result.boundaries) > 0).all()
    assert len(result.to_frames()) == length


@many
@given(action_lists, boundary_lists, lengths)
def test_no_two_neighbours_share_a_class(actions, boundaries, length):
    assert (np.diff(run(actions, boundaries, length).segmentation.labels) != 0).all()


@many
@given(action_lists, boundary_lists, lengths, st.integers(0, 3))
def test_running_on_its_own_result_changes_nothing(actions, boundaries, length, fallback):
    once = run(actions, boundaries, length, fallback)
    assert content(assemble(once.actions, once.boundaries, length, fallback=fallback)) == content(once)


@many
@given(action_lists, boundary_lists, st.integers(1, 40))
def test_each_segment_holds_its_action_point(actions, boundaries, length):
    result = run(actions, boundaries, length)
    edges = result.segmentation.boundaries
    assert result.boundaries.time.tolist() == edges[1:-1].tolist()
    if usable(actions, length):
        assert result.actions.label.tolist() == result.segmentation.labels.tolist()
        assert (edges[:-1] <= result.actions.time).all()
        assert (result.actions.time < edges[1:]).all()
    else:
        assert len(result.actions) == 0


@many
@given(action_lists, boundary_lists, st.integers(1, 40))
def test_nothing_is_invented(actions, boundaries, length):
    """Classes and confidences are those of keypoints of the video, including the most confident action point."""
    result = run(actions, boundaries, length)
    given = {(label, confidence) for _, label, confidence in usable(actions, length)}
    assert set(zip(result.actions.label.tolist(), result.actions.confidence.tolist(), strict=True)) <= given
    assert max((c for _, c in given), default=0) == max(result.actions.confidence, default=0)
    assert set(result.boundaries.confidence.tolist()) <= {confidence for _, confidence in boundaries}


@given(boundary_lists, st.integers(1, 40), st.integers(0, 5))
def test_without_an_action_point_the_fallback_fills_the_video(boundaries, length, fallback):
    result = run([], boundaries, length, fallback)
    assert result.segmentation == Segmentation([0, length], [fallback])
    assert len(result.actions) == len(result.boundaries) == 0


@many
@given(action_lists, boundary_lists, lengths)
def test_boundaries_at_the_sentinels_and_points_outside_change_nothing(actions, boundaries, length):
    plain = run(actions, boundaries, length)
    outside = [(-0.1, 0, 1), (-5, 1, 1), (length - 0.5, 2, 1), (length, 1, 1), (length + 7, 0, 1)]
    sentinels = [(-3, 1), (0, 1), (0.5, 1), (length - 0.4, 1), (length, 1), (length + 3, 1)]
    assert content(run(actions + outside, boundaries + sentinels, length)) == content(plain)


@many
@given(action_lists, boundary_lists, lengths, st.data())
def test_the_order_of_the_input_changes_nothing(actions, boundaries, length, data):
    plain = run(actions, boundaries, length)
    other = run(data.draw(st.permutations(actions)), data.draw(st.permutations(boundaries)), length)
    assert other.segmentation == plain.segmentation
    assert other.actions.confidence.tolist() == plain.actions.confidence.tolist()
    assert other.actions.time == pytest.approx(plain.actions.time)


@many
@given(exact_actions, exact_boundaries, st.integers(1, 8))
def test_frames_added_at_the_start_shift_everything_else(actions, boundaries, pairs):
    """By an even number of frames, since a mean halfway between two frames is rounded to the even one."""
    shift = 2 * pairs
    boundaries = [(t, c) for t, c in boundaries if t > 0]  # at 0 it is the sentinel, later a boundary
    plain = run(actions, boundaries, 40).segmentation
    later = run([(t + shift, a, c) for t, a, c in actions], [(t + shift, c) for t, c in boundaries], 40 + shift)
    assert later.segmentation.labels.tolist() == plain.labels.tolist()
    assert later.segmentation.boundaries[1:].tolist() == (plain.boundaries[1:] + shift).tolist()


@many
@given(exact_actions, exact_boundaries, st.integers(1, 30))
def test_frames_added_at_the_end_only_extend_the_last_segment(actions, boundaries, more):
    plain = run(actions, boundaries, 40).segmentation
    longer = run(actions, boundaries, 40 + more).segmentation
    assert longer.labels.tolist() == plain.labels.tolist()
    assert longer.boundaries.tolist() == [*plain.boundaries[:-1].tolist(), 40 + more]


@many
@given(exact_actions, exact_boundaries)
def test_only_the_ratio_of_confidences_counts(actions, boundaries):
    plain = run(actions, boundaries, 40)
    fainter = run([(t, a, c / 8) for t, a, c in actions], [(t, c / 8) for t, c in boundaries], 40)
    assert fainter.segmentation == plain.segmentation
    assert fainter.actions.time.tolist() == plain.actions.time.tolist()


@given(action_lists, boundary_lists, lengths)
def test_reassemble_is_assemble_without_the_points(actions, boundaries, length):
    expected = run(actions, boundaries, length, fallback=2).segmentation
    assert reassemble(actions, boundaries, length, fallback=2) == expected
    points = ActionKeypoints.of(actions), BoundaryKeypoints.of(boundaries)
    assert reassemble(*points, length, fallback=2) == expected
