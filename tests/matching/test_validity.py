"""Agreement of keypoints with the annotation: by hand, at the edges of the reach, and against loops."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints
from keyseg.matching.nodes import annotated_keypoints
from keyseg.matching.validity import boundary_distances, segment_labels
from keyseg.timeline import Segmentation

REFERENCE = Segmentation(np.array([0, 10, 40, 140]), np.array([3, 5, 2]))  # lengths 10, 30 and 100
frames = st.lists(st.integers(0, 3), min_size=1, max_size=16).map(
    lambda ids: Segmentation.from_frames(np.repeat(ids, 12))  # long enough for a quarter to be more than 4 steps
)


def distances(times, reference=REFERENCE):
    distance, valid = boundary_distances(BoundaryKeypoints.of([(t, 0.5) for t in times]), reference)
    return distance.tolist(), valid.tolist()


def labels(times, reference=REFERENCE):
    return segment_labels(ActionKeypoints.of([(t, 0, 0.5) for t in times]), reference).tolist()


def test_an_action_gets_the_class_of_the_segment_it_lies_in():
    assert labels([0, 9, 9.5, 10, 39.75, 40, 139]) == [3, 3, 3, 5, 5, 2, 2]
    assert labels([-2, 150]) == [3, 2]  # outside the video, the nearest segment
    assert labels([]) == []


def test_boundaries_by_hand():
    """Boundary 10 reaches 4 steps (a quarter of 10 is less), boundary 40 reaches 7.5, a quarter of 30."""
    result, valid = distances([0, 6, 9.5, 14, 14.5, 32.25, 32.5, 40, 47.5, 48, 139])
    assert result == [10, 4, 0.5, -4, -4.5, 7.75, 7.5, 0, -7.5, -8, -99]
    assert valid == [False, True, True, True, False, False, True, True, True, False, False]


def test_the_shorter_neighbour_counts_on_either_side():
    for bounds in ([0, 40, 64], [0, 24, 64]):
        boundary = bounds[1]
        times = [boundary + step for step in (-6.5, -6, 6, 6.5)]
        assert distances(times, Segmentation(np.array(bounds), np.array([0, 1])))[1] == [False, True, True, False]


def test_half_way_between_two_boundaries_the_earlier_one_counts():
    assert distances([25]) == ([-15], [False])
    close = Segmentation(np.array([0, 10, 14, 30]), np.array([0, 1, 0]))
    assert distances([12], close) == ([-2], [True])


def test_duplicates_are_all_valid():
    assert distances([39, 40, 41])[1] == [True, True, True]


@pytest.mark.parametrize("ids", [[4], [4, 4, 4]])
def test_in_a_video_of_one_segment_no_boundary_is_valid(ids):
    assert distances([0, 1, 2], Segmentation.from_frames(ids)) == ([0, 0, 0], [False, False, False])
    assert distances([], Segmentation.from_frames(ids)) == ([], [])


def test_a_video_with_boundaries_and_no_keypoint():
    assert distances([]) == ([], [])


@settings(max_examples=60, deadline=None)
@given(frames, st.lists(st.integers(-4, 400).map(lambda i: i / 2), max_size=12))
def test_equals_the_loops(reference, times):
    times = sorted(times)
    segments = reference.segments
    inside = [t for t in times if 0 <= t < reference.length]
    assert labels(inside, reference) == [
        next(s.label for s in segments if s.start_frame <= t < s.end_frame) for t in inside
    ]
    for t, distance, valid in zip(times, *distances(times, reference), strict=True):
        meeting = list(pairwise(segments))
        if not meeting:
            assert not valid
            continue
        left, right = min(meeting, key=lambda pair: (abs(pair[1].start_frame - t), pair[1].start_frame))
        assert distance == right.start_frame - t
        assert valid == (abs(distance) <= max(4, min(left.length, right.length) / 4))


@settings(max_examples=30, deadline=None)
@given(frames)
def test_the_keypoints_of_the_annotation_agree_with_it(reference):
    actions, boundaries = annotated_keypoints(reference)
    distance, valid = boundary_distances(boundaries, reference)
    assert segment_labels(actions, reference).tolist() == actions.label.tolist()
    assert (distance == 0).all()
    assert valid.all()
