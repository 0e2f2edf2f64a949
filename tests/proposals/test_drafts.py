"""Drafts: planted timelines of several videos, cuts of a bundle, and what cannot be drafted."""

from __future__ import annotations

import numpy as np
import pytest

from keyseg.proposals.drafts import VideoFeatures, draft_timelines
from keyseg.timeline import ConfigError, DataError, Segmentation, TimeBase

LEVELS = np.random.default_rng(2).standard_normal((3, 12))
FIVE = TimeBase(5)


def video(order, length=40, timebase=FIVE, **more):
    random = np.random.default_rng(len(order))
    features = np.repeat(LEVELS[order], length, axis=0)
    noisy = features + 0.05 * random.standard_normal(features.shape)
    return VideoFeatures(noisy, timebase, len(noisy) * timebase.sample_rate, **more)


def test_a_number_means_the_same_cluster_in_all_videos():
    drafts = draft_timelines({"a": video([0, 1, 2, 0, 1]), "b": video([2, 0, 1, 2])}, segments=5, classes=3)
    assert drafts["a"] == Segmentation([0, 40, 80, 120, 160, 200], [0, 1, 2, 0, 1])
    assert drafts["b"] == Segmentation([0, 40, 80, 120, 160], [2, 0, 1, 2])


def test_neighbours_in_one_cluster_are_one_segment():
    draft = draft_timelines({"a": video([0, 1])}, segments=7, classes=2)["a"]
    assert draft == Segmentation([0, 40, 80], [0, 1])


def test_there_are_as_many_segments_as_classes_that_are_given():
    drafts = draft_timelines({"a": video([0, 1, 2] * 3)}, classes=9)
    assert len(set(drafts["a"].labels.tolist())) == 9


def test_short_runs_and_steps_of_several_frames_end_with_the_video():
    made = video([0, 1], length=31, timebase=TimeBase(30, 2))  # 62 steps, 15 per second: runs of 3 steps
    draft = draft_timelines({"a": VideoFeatures(made.features, made.timebase, 123)}, segments=2)["a"]
    assert draft.length == 123
    assert abs(int(draft.boundaries[1]) - 62) <= 6


def test_given_cuts_are_kept_exactly():
    cuts = np.array([0, 13, 13, 40, 80, 99])
    draft = draft_timelines({"a": video([0, 1], timebase=TimeBase(30), cuts=cuts)}, classes=9)["a"]
    assert draft.boundaries.tolist() == [0, 13, 40, 80]


def test_a_video_of_one_step():
    one = VideoFeatures(np.ones((1, 3)), TimeBase(5), 1)
    assert draft_timelines({"a": one})["a"] == Segmentation([0, 1], [0])
    assert draft_timelines({}) == {}


def test_the_same_call_gives_the_same_drafts():
    videos = {"a": video([0, 1, 2, 1])}
    assert draft_timelines(videos) == draft_timelines(videos)


@pytest.mark.parametrize("option", ["segments", "classes"])
def test_numbers_are_at_least_one(option):
    with pytest.raises(ConfigError, match=f"the number of {option} is at least 1, got 0"):
        draft_timelines({"a": video([0])}, **{option: 0})


def test_features_of_two_extractors_are_refused():
    other = VideoFeatures(np.ones((5, 3)), TimeBase(5), 5)
    with pytest.raises(DataError, match="b: features of 3 dimensions, but those of a have 12"):
        draft_timelines({"a": video([0]), "b": other})
