"""Algorithm 1: its invariants for any keypoints, a worked example, and degenerate input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints, assemble, reassemble
from keyseg.timeline import Segmentation, TimelineError

times = st.integers(-6, 46).map(float) | st.floats(-6, 46)
confidences = st.sampled_from([0, 0.5, 1]) | st.floats(0, 1)
action_lists = st.lists(st.tuples(times, st.integers(0, 2), confidences), max_size=25)
boundary_lists = st.lists(st.tuples(times, confidences), max_size=25)
lengths = st.integers(0, 40)
# Sums of these are exact, so that nothing but the rules decides.
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
    """Everything in an assembly, to compare to the last bit."""
    actions, boundaries = assembly.actions, assembly.boundaries
    arrays = (actions.time, actions.label, actions.confidence, boundaries.time, boundaries.confidence)
    return assembly.segmentation, [array.tolist() for array in arrays]


@many
@given(action_lists, boundary_lists, lengths)
def test_the_output_tiles_the_video(actions, boundaries, length):
    found = run(actions, boundaries, length).segmentation
    assert found.length == length
    assert found.boundaries[0] == 0
    assert (np.diff(found.boundaries) > 0).all()
    assert len(found.to_frames()) == length


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
def test_each_segment_holds_its_own_action_point(actions, boundaries, length):
    found = run(actions, boundaries, length)
    edges = found.segmentation.boundaries
    assert found.boundaries.time.tolist() == edges[1:-1].tolist()
    if usable(actions, length):
        assert found.actions.label.tolist() == found.segmentation.labels.tolist()
        assert (edges[:-1] <= found.actions.time).all()
        assert (found.actions.time < edges[1:]).all()
    else:
        assert len(found.actions) == 0


@many
@given(action_lists, boundary_lists, st.integers(1, 40))
def test_nothing_is_made_up(actions, boundaries, length):
    """Classes and confidences come from keypoints of the video, the most confident action point among them."""
    found = run(actions, boundaries, length)
    given = {(label, confidence) for _, label, confidence in usable(actions, length)}
    assert set(zip(found.actions.label.tolist(), found.actions.confidence.tolist(), strict=True)) <= given
    assert max((c for _, c in given), default=0) == max(found.actions.confidence, default=0)
    assert set(found.boundaries.confidence.tolist()) <= {confidence for _, confidence in boundaries}


@given(boundary_lists, st.integers(1, 40), st.integers(0, 5))
def test_without_an_action_point_the_fallback_fills_the_video(boundaries, length, fallback):
    found = run([], boundaries, length, fallback)
    assert found.segmentation == Segmentation([0, length], [fallback])
    assert len(found.actions) == len(found.boundaries) == 0


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
def test_frames_in_front_move_everything_but_the_start(actions, boundaries, pairs):
    """By an even number of frames, since a mean half-way between two frames goes to the even one."""
    shift = 2 * pairs
    boundaries = [(t, c) for t, c in boundaries if t > 0]  # at 0 it is the sentinel, behind it a boundary
    plain = run(actions, boundaries, 40).segmentation
    later = run([(t + shift, a, c) for t, a, c in actions], [(t + shift, c) for t, c in boundaries], 40 + shift)
    assert later.segmentation.labels.tolist() == plain.labels.tolist()
    assert later.segmentation.boundaries[1:].tolist() == (plain.boundaries[1:] + shift).tolist()


@many
@given(exact_actions, exact_boundaries, st.integers(1, 30))
def test_frames_behind_only_stretch_the_last_segment(actions, boundaries, more):
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


def test_the_worked_example():
    """Every rule once, in the manner of the supplement's Figure 1: over-complete points in, three segments out.

    Line 3: [0, 30) keeps class 0 (0.9) at (10 * 0.9 + 14 * 0.3) / 1.2 = 11, and the 1 at frame 20 goes; [30, 34) holds
    nothing; [34, 60) keeps class 1 (0.6) at (40 * 0.6 + 50 * 0.2) / 0.8 = 42.5. Line 7: between frames 11 and 42.5 the
    boundaries become (30 * 0.8 + 34 * 0.2) / 1 = 30.8, so 31. Lines 12-13: 1 at 42.5 and 1 at 70 lose the boundary at
    60 and become one at (42.5 * 0.6 + 70 * 0.5) / 1.1 = 55.
    """
    found = run(
        [(10, 0, 0.9), (14, 0, 0.3), (20, 1, 0.5), (40, 1, 0.6), (50, 1, 0.2), (70, 1, 0.5), (90, 0, 0.4)],
        [(30, 0.8), (34, 0.2), (60, 0.6), (80, 0.7)],
        100,
    )
    assert found.segmentation == Segmentation([0, 31, 80, 100], [0, 1, 0])
    assert found.actions.time.tolist() == pytest.approx([11, 55, 90])
    assert found.actions.confidence.tolist() == [0.9, 0.6, 0.4]
    assert found.boundaries.confidence.tolist() == [0.8, 0.7]


def test_the_points_class_wins_not_the_sum_of_its_class():
    assert reassemble([(2, 0, 0.5), (3, 0, 0.5), (4, 1, 0.6)], [], 9) == Segmentation([0, 9], [1])


def test_a_point_on_a_boundary_belongs_to_the_segment_that_starts_there():
    assert reassemble([(3, 0, 1), (5, 1, 1)], [(5, 1)], 9) == Segmentation([0, 5, 9], [0, 1])


def test_boundaries_outside_the_outermost_points_go():
    found = run([(20, 0, 1), (30, 1, 1)], [(5, 1), (9, 1), (25, 1), (35, 1)], 40)
    assert found.segmentation == Segmentation([0, 25, 40], [0, 1])


def test_a_spurious_boundary_inside_an_action_is_deleted():
    points = [(5, 0, 0.4), (15, 0, 0.7), (25, 1, 0.9)]
    assert reassemble(points, [(10, 1), (20, 1)], 30) == Segmentation([0, 20, 30], [0, 1])


def test_a_run_of_one_class_becomes_one_segment():
    points = [(5, 1, 0.1), (15, 1, 0.9), (25, 1, 0.2), (35, 1, 0.3)]
    found = run(points, [(10, 1), (20, 1), (30, 1)], 40)
    assert found.segmentation == Segmentation([0, 40], [1])
    assert found.actions.confidence.tolist() == [0.9]
    assert found.actions.time.tolist() == pytest.approx([(0.5 + 13.5 + 5 + 10.5) / 1.5])


@pytest.mark.parametrize(
    ("confidence", "label"), [((0.7, 0.7), 2), ((0.7, 0.8), 1)], ids=["of equals the first", "the more confident"]
)
def test_the_first_of_equals_wins(confidence, label):
    assert reassemble([(3, 2, confidence[0]), (4, 1, confidence[1])], [], 9).labels.tolist() == [label]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_equals_at_one_frame_the_smallest_class_wins(order):
    points = [(3, 2, 0.7), (3, 1, 0.7)]
    assert reassemble([points[i] for i in order], [], 9).labels.tolist() == [1]


def test_an_empty_video():
    found = run([(0, 1, 1), (3, 2, 1)], [(0, 1), (1, 1)], 0)
    assert found.segmentation == Segmentation.from_frames([])
    assert len(found.actions) == len(found.boundaries) == 0


@pytest.mark.parametrize("boundary", [0, 0.4, 0.5, 1])
def test_a_video_of_one_frame(boundary):
    assert reassemble([(0, 3, 0.2)], [(boundary, 1)], 1) == Segmentation([0, 1], [3])
    assert reassemble([(0.5, 3, 0.2)], [(boundary, 1)], 1, fallback=4) == Segmentation([0, 1], [4])


def test_all_points_at_one_time():
    points = [(7, 0, 0.3), (7, 1, 0.8), (7, 2, 0.5), (7, 1, 0.1)]
    found = run(points, [(7, 0.5), (7, 0.9), (7, 0.1)], 20)
    assert found.segmentation == Segmentation([0, 20], [1])
    assert found.actions.time.tolist() == [7]


def test_points_of_no_confidence_count_evenly():
    found = run([(2, 0, 0), (4, 0, 0), (6, 1, 0), (16, 1, 0)], [(8, 0), (14, 0)], 20)
    assert found.segmentation == Segmentation([0, 11, 20], [0, 1])
    assert found.actions.time.tolist() == [3, 16]


def test_more_boundaries_than_frames():
    crowd = [(t / 10, 0.5) for t in range(51)]
    assert reassemble([(t, t % 2, 0.5) for t in range(5)], crowd, 5) == Segmentation(np.arange(6), [0, 1, 0, 1, 0])


def test_boundaries_that_meet_on_a_frame_are_one_of_the_higher_confidence():
    found = run([(2, 0, 1), (12, 1, 1)], [(5.2, 0.25), (4.8, 0.75), (5, 0.5), (9, 0.25)], 20)
    # frame 5 counts once, with 0.75: (5 * 0.75 + 9 * 0.25) / 1 = 6
    assert found.boundaries.time.tolist() == [6]
    assert found.boundaries.confidence.tolist() == [0.75]


def test_a_negative_length_is_refused():
    with pytest.raises(TimelineError, match="length must be >= 0 frames, got -1"):
        reassemble([], [], -1)


def test_200000_keypoints_of_each_kind():
    """Planted: segments of five frames, an action point in the middle of each, every boundary twice."""
    segments = 200_000
    labels = np.arange(segments) % 7
    actions = ActionKeypoints(np.arange(segments) * 5.0 + 2, labels, np.full(segments, 0.5))
    starts = np.arange(1, segments) * 5.0
    boundaries = BoundaryKeypoints(np.concatenate((starts - 0.2, starts + 0.2)), np.full(2 * segments - 2, 0.5))
    found = assemble(actions, boundaries, 5 * segments).segmentation
    assert found == Segmentation(np.arange(segments + 1) * 5, labels)
