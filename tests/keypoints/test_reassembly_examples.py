"""Algorithm 1 by hand: a worked example, each rule alone, ties, degenerate input, and very many keypoints."""

import numpy as np
import pytest

from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints, assemble, reassemble
from keyseg.keypoints.reassembly import merge_boundaries
from keyseg.timeline import Segmentation, TimelineError


def run(actions, boundaries, length):
    return assemble(ActionKeypoints.of(actions), BoundaryKeypoints.of(boundaries), length)


def test_the_worked_example():
    """Every rule once, as in Figure 1 of the supplement: too many points become three segments.

    Line 3: [0, 30) keeps class 0 (0.9) at (10 * 0.9 + 14 * 0.3) / 1.2 = 11 and drops the 1 at frame 20; [30, 34) is
    empty; [34, 60) keeps class 1 (0.6) at (40 * 0.6 + 50 * 0.2) / 0.8 = 42.5. Line 7: between frames 11 and 42.5 the
    boundaries become (30 * 0.8 + 34 * 0.2) / 1 = 30.8, so 31. Lines 12-13: 1 at 42.5 and 1 at 70 lose the boundary at
    60 and become one at (42.5 * 0.6 + 70 * 0.5) / 1.1 = 55.
    """
    result = run(
        [(10, 0, 0.9), (14, 0, 0.3), (20, 1, 0.5), (40, 1, 0.6), (50, 1, 0.2), (70, 1, 0.5), (90, 0, 0.4)],
        [(30, 0.8), (34, 0.2), (60, 0.6), (80, 0.7)],
        100,
    )
    assert result.segmentation == Segmentation([0, 31, 80, 100], [0, 1, 0])
    assert result.actions.time.tolist() == pytest.approx([11, 55, 90])
    assert result.actions.confidence.tolist() == [0.9, 0.6, 0.4]
    assert result.boundaries.confidence.tolist() == [0.8, 0.7]


def test_the_most_confident_point_wins_not_the_largest_sum_of_a_class():
    assert reassemble([(2, 0, 0.5), (3, 0, 0.5), (4, 1, 0.6)], [], 9) == Segmentation([0, 9], [1])


def test_a_point_on_a_boundary_belongs_to_the_segment_that_starts_there():
    assert reassemble([(3, 0, 1), (5, 1, 1)], [(5, 1)], 9) == Segmentation([0, 5, 9], [0, 1])


def test_boundaries_outside_the_outermost_points_are_dropped():
    result = run([(20, 0, 1), (30, 1, 1)], [(5, 1), (9, 1), (25, 1), (35, 1)], 40)
    assert result.segmentation == Segmentation([0, 25, 40], [0, 1])


def test_a_spurious_boundary_inside_an_action_is_deleted():
    points = [(5, 0, 0.4), (15, 0, 0.7), (25, 1, 0.9)]
    assert reassemble(points, [(10, 1), (20, 1)], 30) == Segmentation([0, 20, 30], [0, 1])


def test_a_run_of_one_class_becomes_one_segment():
    points = [(5, 1, 0.1), (15, 1, 0.9), (25, 1, 0.2), (35, 1, 0.3)]
    result = run(points, [(10, 1), (20, 1), (30, 1)], 40)
    assert result.segmentation == Segmentation([0, 40], [1])
    assert result.actions.confidence.tolist() == [0.9]
    assert result.actions.time.tolist() == pytest.approx([(0.5 + 13.5 + 5 + 10.5) / 1.5])


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
    result = run([(0, 1, 1), (3, 2, 1)], [(0, 1), (1, 1)], 0)
    assert result.segmentation == Segmentation.from_frames([])
    assert len(result.actions) == len(result.boundaries) == 0


@pytest.mark.parametrize("boundary", [0, 0.4, 0.5, 1])
def test_a_video_of_one_frame(boundary):
    assert reassemble([(0, 3, 0.2)], [(boundary, 1)], 1) == Segmentation([0, 1], [3])
    assert reassemble([(0.5, 3, 0.2)], [(boundary, 1)], 1, fallback=4) == Segmentation([0, 1], [4])


def test_all_points_at_one_time():
    points = [(7, 0, 0.3), (7, 1, 0.8), (7, 2, 0.5), (7, 1, 0.1)]
    result = run(points, [(7, 0.5), (7, 0.9), (7, 0.1)], 20)
    assert result.segmentation == Segmentation([0, 20], [1])
    assert result.actions.time.tolist() == [7]


def test_points_without_confidence_count_equally():
    result = run([(2, 0, 0), (4, 0, 0), (6, 1, 0), (16, 1, 0)], [(8, 0), (14, 0)], 20)
    assert result.segmentation == Segmentation([0, 11, 20], [0, 1])
    assert result.actions.time.tolist() == [3, 16]


def test_more_boundaries_than_frames():
    crowd = [(t / 10, 0.5) for t in range(51)]
    assert reassemble([(t, t % 2, 0.5) for t in range(5)], crowd, 5) == Segmentation(np.arange(6), [0, 1, 0, 1, 0])


def test_boundaries_on_one_frame_become_one_of_the_higher_confidence():
    result = run([(2, 0, 1), (12, 1, 1)], [(5.2, 0.25), (4.8, 0.75), (5, 0.5), (9, 0.25)], 20)
    # frame 5 counts once, with 0.75: (5 * 0.75 + 9 * 0.25) / 1 = 6
    assert result.boundaries.time.tolist() == [6]
    assert result.boundaries.confidence.tolist() == [0.75]


@pytest.mark.parametrize(("boundary", "frame"), [(3.45, 4), (3.6, 4), (6.2, 6), (8.7, 8)])
def test_a_merged_boundary_stays_between_its_action_points(boundary, frame):
    """Rounding alone would move 3.45 before the left point and 8.7 after the right one."""
    points = ActionKeypoints.of([(3.4, 0, 1), (8.9, 1, 1)])
    assert merge_boundaries(points, BoundaryKeypoints.of([(boundary, 1)])).time.tolist() == [frame]


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
    result = assemble(actions, boundaries, 5 * segments).segmentation
    assert result == Segmentation(np.arange(segments + 1) * 5, labels)
