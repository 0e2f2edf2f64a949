"""Heatmap targets: the bumps of a segmentation, against the formula and by hand."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg.keypoints import encode
from keyseg.timeline import Segmentation

CLASSES = 4
segmentations = st.lists(st.tuples(st.integers(0, CLASSES - 1), st.integers(1, 40)), min_size=1, max_size=8).map(
    lambda runs: Segmentation(np.cumsum([0, *(n for _, n in runs)]), np.array([label for label, _ in runs]))
)
few = settings(max_examples=60)
CUT = math.exp(-8)  # a bump ends at four sigma


def bump(t, centre, sigma):
    return math.exp(-((t - centre) ** 2) / (2 * sigma**2))


def slow_encode(segmentation):
    """Every bump at every frame, not truncated; then 1 at every keypoint."""
    action = np.zeros((CLASSES, segmentation.length))
    boundary = np.zeros(segmentation.length)
    frames = range(segmentation.length)
    segments = segmentation.segments
    for s in segments:
        for t in frames:
            value = bump(t, (s.start_frame + s.end_frame - 1) / 2, max(1, s.length / 6))
            action[s.label, t] = max(action[s.label, t], value)
    for left, right in pairwise(segments):
        for t in frames:
            value = bump(t, right.start_frame, max(1, 0.1 * min(left.length, right.length)))
            boundary[t] = max(boundary[t], value)
    for s in segments:
        action[s.label, (s.start_frame + s.end_frame - 1) // 2] = 1
    return action, boundary


@few
@given(segmentations)
def test_targets_are_the_highest_bump_at_every_frame(segmentation):
    heatmaps = encode(segmentation, CLASSES)
    action, boundary = slow_encode(segmentation)
    np.testing.assert_allclose(heatmaps.action, action, rtol=1e-6, atol=CUT)
    np.testing.assert_allclose(heatmaps.boundary, boundary, rtol=1e-6, atol=CUT)


@few
@given(segmentations)
def test_exactly_the_keypoints_are_exactly_1(segmentation):
    heatmaps = encode(segmentation, CLASSES)
    centres = {(s.label, (s.start_frame + s.end_frame - 1) // 2) for s in segmentation}
    assert set(zip(*(index.tolist() for index in np.nonzero(heatmaps.action == 1)), strict=True)) == centres
    assert np.flatnonzero(heatmaps.boundary == 1).tolist() == segmentation.boundaries[1:-1].tolist()


@few
@given(segmentations)
def test_values_are_probabilities_and_absent_classes_are_zero(segmentation):
    heatmaps = encode(segmentation, CLASSES)
    assert heatmaps.action.shape == (CLASSES, segmentation.length)
    assert heatmaps.boundary.shape == (segmentation.length,)
    for array in (heatmaps.action, heatmaps.boundary):
        assert array.dtype == np.float32
        assert (array >= 0).all()
        assert (array <= 1).all()
    absent = sorted(set(range(CLASSES)) - set(segmentation.labels.tolist()))
    assert not heatmaps.action[absent].any()


def test_an_action_by_hand():
    # [2, 14) of class 1: centre 7.5, sigma 12 / 6 = 2; the exact 1 is at frame 7
    heatmaps = encode(Segmentation([0, 2, 14, 23], [0, 1, 2]), 3)
    row = heatmaps.action[1]
    assert row[7] == 1
    assert row[8] == pytest.approx(math.exp(-(0.5**2) / 8))
    assert row[2] == row[13] == pytest.approx(math.exp(-(5.5**2) / 8))
    assert row[15] == pytest.approx(math.exp(-(7.5**2) / 8))
    assert not row[18:].any()  # more than five sigma away


def test_a_boundary_by_hand():
    # at frame 30 between 30 and 50 frames: sigma 3
    boundary = encode(Segmentation([0, 30, 80], [0, 1]), 2).boundary
    assert boundary[30] == 1
    assert boundary[27] == boundary[33] == pytest.approx(math.exp(-0.5))
    assert boundary[18] == boundary[42] == pytest.approx(math.exp(-8))
    assert not boundary[:16].any()  # more than four sigma away
    assert not boundary[45:].any()


@pytest.mark.parametrize(("length", "centre"), [(1, 0), (2, 0), (3, 1), (4, 1), (11, 5), (12, 5)])
def test_a_half_integer_centre_has_its_1_at_the_frame_below(length, centre):
    row = encode(Segmentation([0, 5, 5 + length], [1, 0]), 2).action[0]
    assert np.flatnonzero(row == 1).tolist() == [5 + centre]


def test_short_segments_are_one_frame_wide_at_least():
    heatmaps = encode(Segmentation([0, 10, 11, 21], [0, 1, 0]), 2)
    assert heatmaps.action[1, 9:12].tolist() == pytest.approx([math.exp(-0.5), 1, math.exp(-0.5)])
    assert heatmaps.boundary[9:13].tolist() == pytest.approx([math.exp(-0.5), 1, 1, math.exp(-0.5)])


@pytest.mark.parametrize("length", [1, 2, 97])
def test_the_ends_of_a_video_are_not_boundaries(length):
    assert not encode(Segmentation([0, length], [0]), 1).boundary.any()


def test_a_boundary_next_to_the_start_leaves_frame_0_below_1():
    boundary = encode(Segmentation([0, 1, 9], [0, 1]), 2).boundary
    assert boundary[1] == 1
    assert boundary[0] == pytest.approx(math.exp(-0.5))


def test_an_empty_video_has_empty_targets():
    heatmaps = encode(Segmentation.from_frames([]), 3)
    assert heatmaps.action.shape == (3, 0)
    assert heatmaps.boundary.shape == (0,)


@few
@given(segmentations)
def test_a_bump_touches_frames_in_proportion_to_its_segment(segmentation):
    """Four sigma on each side, rounded outwards, so the total work is linear in the length of the video."""
    touched = sum(2 * 4 * max(1, s.length / 6) + 3 for s in segmentation)
    assert np.count_nonzero(encode(segmentation, CLASSES).action) <= touched
    lengths = [s.length for s in segmentation]
    touched = sum(2 * 4 * max(1, 0.1 * min(pair)) + 3 for pair in pairwise(lengths))
    assert np.count_nonzero(encode(segmentation, CLASSES).boundary) <= touched


def test_20000_segments_are_encoded():
    heatmaps = encode(Segmentation(np.arange(0, 60_004, 3), np.arange(20_001) % 2), 2)
    assert np.count_nonzero(heatmaps.boundary == 1) == 20_000
    assert np.count_nonzero(heatmaps.action == 1) == 20_001
