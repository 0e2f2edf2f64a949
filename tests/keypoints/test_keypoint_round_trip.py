"""Planted answers: peaks and Algorithm 1 recover a segmentation drawn as heatmaps, frame for frame."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg.keypoints import ActionKeypoints, assemble, decode_actions, decode_boundaries, encode
from keyseg.timeline import Segmentation

CLASSES = 5
few = settings(max_examples=60)


def planted(shortest, longest=120):
    """Segmentations of segments of `shortest` to `longest` frames."""
    return st.lists(
        st.tuples(st.integers(0, CLASSES - 1), st.integers(shortest, longest)), min_size=1, max_size=12
    ).map(lambda runs: Segmentation(np.cumsum([0, *(n for _, n in runs)]), np.array([label for label, _ in runs])))


def keypoints_of(segmentation, threshold=0.1, radius=2):
    heatmaps = encode(segmentation, CLASSES)
    return (
        decode_actions(heatmaps.action, threshold, radius=radius),
        decode_boundaries(heatmaps.boundary, threshold, radius=radius),
    )


@few
@given(planted(shortest=8), st.sampled_from([0.05, 0.1, 0.5, 0.9]), st.integers(1, 3))
def test_the_segmentation_comes_back(segmentation, threshold, radius):
    result = assemble(*keypoints_of(segmentation, threshold, radius), segmentation.length)
    assert result.segmentation == segmentation.merged()


@few
@given(planted(shortest=2))
def test_two_frames_are_enough(segmentation):
    assert assemble(*keypoints_of(segmentation), segmentation.length).segmentation == segmentation.merged()


@few
@given(planted(shortest=8))
def test_every_segment_has_one_peak_and_every_boundary_one(segmentation):
    actions, boundaries = keypoints_of(segmentation)
    assert actions.time.tolist() == [(s.start_frame + s.end_frame - 1) // 2 for s in segmentation]
    assert actions.label.tolist() == segmentation.labels.tolist()
    assert boundaries.time.tolist() == segmentation.boundaries[1:-1].tolist()
    assert (actions.confidence == 1).all()
    assert (boundaries.confidence == 1).all()


@few
@given(planted(shortest=8), st.data())
def test_weaker_action_points_change_nothing(segmentation, data):
    actions, boundaries = keypoints_of(segmentation)
    weaker = st.tuples(
        st.floats(0, segmentation.length - 1), st.integers(0, CLASSES - 1), st.floats(0, 1, exclude_max=True)
    )
    spurious = ActionKeypoints.of(data.draw(st.lists(weaker, max_size=20)))
    crowd = ActionKeypoints(
        np.append(actions.time, spurious.time),
        np.append(actions.label, spurious.label),
        np.append(actions.confidence, spurious.confidence),
    )
    assert assemble(crowd, boundaries, segmentation.length).segmentation == segmentation.merged()


@pytest.mark.parametrize("label", [0, 3])
def test_a_video_of_one_action(label):
    whole = Segmentation([0, 97], [label])
    assert assemble(*keypoints_of(whole), 97).segmentation == whole


def test_a_missed_action_goes_to_its_neighbours():
    segmentation = Segmentation([0, 20, 40, 60], [0, 1, 2])
    actions, boundaries = keypoints_of(segmentation)
    actual = assemble(actions.select([0, 2]), boundaries, 60).segmentation
    assert actual == Segmentation([0, 30, 60], [0, 2])


def test_without_a_boundary_the_more_confident_action_wins():
    segmentation = Segmentation([0, 20, 40, 60], [0, 1, 2])
    actions, boundaries = keypoints_of(segmentation)
    unsure = ActionKeypoints(actions.time, actions.label, np.array([1, 0.8, 1]))
    assert assemble(unsure, boundaries.select([1]), 60).segmentation == Segmentation([0, 40, 60], [0, 2])
