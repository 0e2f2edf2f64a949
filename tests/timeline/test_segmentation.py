"""Segments and segmentations: they tile [0, T), round-trip through frames, and say what is wrong."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyseg.timeline import Segment, Segmentation, TimelineError

runs = st.lists(st.tuples(st.integers(0, 4), st.integers(1, 20)), max_size=10)


def from_runs(runs):
    """A segmentation of (label, length) runs; neighbours may carry the same label."""
    edges = np.concatenate(([0], np.cumsum([n for _, n in runs], dtype=np.int64)))
    return Segmentation(edges, np.array([label for label, _ in runs], np.int64))


def frames_of(runs):
    return [label for label, n in runs for _ in range(n)]


@given(runs)
def test_frames_to_segments_to_frames_is_the_identity(runs):
    frames = frames_of(runs)
    back = Segmentation.from_frames(np.array(frames, np.int64)).to_frames()
    assert back.tolist() == frames
    assert back.dtype == np.int64


@given(runs)
def test_frames_become_maximal_runs(runs):
    frames = frames_of(runs)
    expected = [(label, len(list(run))) for label, run in itertools.groupby(frames)]
    found = Segmentation.from_frames(frames) if frames else Segmentation.from_frames(np.zeros(0, np.int64))
    assert [(s.label, s.length) for s in found] == expected


@given(runs)
def test_every_frame_carries_the_label_of_the_one_segment_that_holds_it(runs):
    segmentation = from_runs(runs)
    for frame, label in enumerate(segmentation.to_frames()):
        assert [s.label for s in segmentation if s.start_frame <= frame < s.end_frame] == [label]


@given(runs, st.randoms(use_true_random=False))
def test_segments_in_any_order_build_the_same_segmentation(runs, random):
    segmentation = from_runs(runs)
    shuffled = list(segmentation.segments)
    random.shuffle(shuffled)
    assert Segmentation.from_segments(shuffled) == segmentation


@given(runs)
def test_merged_keeps_the_frames_and_leaves_no_equal_neighbours(runs):
    segmentation = from_runs(runs)
    merged = segmentation.merged()
    assert merged.to_frames().tolist() == segmentation.to_frames().tolist()
    assert (np.diff(merged.labels) != 0).all()
    assert merged.merged() == merged
    assert merged == Segmentation.from_frames(segmentation.to_frames())


def test_merged_by_hand():
    twice = Segmentation(np.array([0, 2, 5, 11, 13]), np.array([3, 1, 1, 3]))
    assert twice.merged() == Segmentation(np.array([0, 2, 11, 13]), np.array([3, 1, 3]))
    assert len(twice) == 4


def test_neighbours_of_one_label_stay_two_segments():
    assert len(Segmentation(np.array([0, 2, 5]), np.array([1, 1]))) == 2


@given(runs.filter(lambda runs: len(runs) >= 2), st.data())
def test_a_missing_segment_is_a_gap(runs, data):
    segments = list(from_runs(runs))
    missing = segments.pop(data.draw(st.integers(0, len(segments) - 2)))
    with pytest.raises(TimelineError, match=f"gap: frame {missing.start_frame} was reached, the next segment is"):
        Segmentation.from_segments(segments)


@given(runs.filter(lambda runs: len(runs) >= 2), st.data())
def test_a_segment_that_ends_late_overlaps_the_next(runs, data):
    segments = list(from_runs(runs))
    index = data.draw(st.integers(0, len(segments) - 2))
    late = Segment(segments[index].start_frame, segments[index].end_frame + 1, segments[index].label)
    segments[index] = late
    message = f"overlap: frame {late.end_frame} was reached, the next segment is {segments[index + 1]}"
    with pytest.raises(TimelineError, match=re.escape(message)):
        Segmentation.from_segments(segments)


def test_the_first_gap_is_named_with_its_segment():
    segments = [Segment(9, 11, 0), Segment(0, 3, 1), Segment(5, 7, 2)]
    message = "gap: frame 3 was reached, the next segment is Segment(start_frame=5, end_frame=7, label=2)"
    with pytest.raises(TimelineError, match=re.escape(message)):
        Segmentation.from_segments(segments)


def test_segments_start_at_frame_0():
    with pytest.raises(TimelineError, match="gap: frame 0 was reached"):
        Segmentation.from_segments([Segment(2, 5, 0)])


@pytest.mark.parametrize(
    ("boundaries", "labels", "message"),
    [
        ([0, 5, 5, 9], [0, 1, 2], r"boundaries must strictly increase, got 5 then 5 at segment 1"),
        ([0, 7, 5], [0, 1], r"boundaries must strictly increase, got 7 then 5 at segment 1"),
        ([0, 0], [1], r"boundaries must strictly increase, got 0 then 0 at segment 0"),
        ([1, 5], [0], r"a segmentation starts at frame 0, got 1"),
        ([-1, 5], [0], r"a segmentation starts at frame 0, got -1"),
        ([0, 5], [0, 1], r"S segments have S \+ 1 boundaries, got 2 labels and 2 boundaries"),
        ([], [], r"S segments have S \+ 1 boundaries, got 0 labels and 0 boundaries"),
        ([0, 5, 6], [2, -3], r"labels are class ids >= 0, got -3"),
        ([0.0, 5.0], [0], r"boundaries must be integers, got float64"),
        ([0, 5], [0.5], r"labels must be integers, got float64"),
        ([0, 1], [True], r"labels must be integers, got bool"),
        ([[0, 5]], [0], r"boundaries must have one dimension, got shape \(1, 2\)"),
    ],
)
def test_segments_that_do_not_tile_are_refused(boundaries, labels, message):
    with pytest.raises(TimelineError, match=message):
        Segmentation(np.array(boundaries), np.array(labels))


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([[0, 1], [1, 1]], r"frames must have one dimension, got shape \(2, 2\)"),
        ([0.0, 1.0], r"frames must be integers, got float64"),
        (["take", "put"], r"frames must be integers, got <U4"),
        ([0, -1], r"labels are class ids >= 0, got -1"),
    ],
)
def test_frames_that_are_not_class_ids_are_refused(frames, message):
    with pytest.raises(TimelineError, match=message):
        Segmentation.from_frames(frames)


@pytest.mark.parametrize(
    ("start", "end", "label", "message"),
    [
        (3, 3, 0, r"a segment needs 0 <= start < end, got \[3, 3\) with label 0"),
        (5, 2, 1, r"a segment needs 0 <= start < end, got \[5, 2\) with label 1"),
        (-1, 2, 1, r"a segment needs 0 <= start < end, got \[-1, 2\)"),
        (4, 6, -2, r"a label is a class id >= 0, got -2 at frame 4"),
    ],
)
def test_impossible_segments_are_refused(start, end, label, message):
    with pytest.raises(TimelineError, match=message):
        Segment(start, end, label)


def test_timeline_errors_are_value_errors():
    with pytest.raises(ValueError, match="starts at frame 0"):
        Segmentation(np.array([2, 3]), np.array([0]))


@pytest.mark.parametrize(
    "empty", [Segmentation.from_frames([]), Segmentation.from_segments([]), Segmentation(np.array([0]), np.array([]))]
)
def test_an_empty_video_has_no_segment(empty):
    assert len(empty) == 0
    assert empty.length == 0
    assert empty.segments == ()
    assert empty.to_frames().tolist() == []
    assert empty.to_frames().dtype == np.int64
    assert empty.merged() == empty


def test_one_frame():
    one = Segmentation.from_frames([3])
    assert one.segments == (Segment(0, 1, 3),)
    assert one.length == 1
    assert one.to_frames().tolist() == [3]


def test_a_long_video_expands_as_numpy_repeats_it():
    rng = np.random.default_rng(7)
    lengths = rng.integers(1, 41, 2000)
    lengths[-1] += 60_000 - lengths.sum()
    labels = rng.integers(0, 19, 2000)
    edges = np.concatenate(([0], np.cumsum(lengths)))
    frames = Segmentation(edges, labels).to_frames()
    assert len(frames) == 60_000
    np.testing.assert_array_equal(frames, np.repeat(labels, lengths))


def test_segmentations_are_values():
    boundaries = np.array([0, 2, 5])
    labels = np.array([1, 0])
    one = Segmentation(boundaries, labels)
    boundaries[1], labels[0] = 4, 9  # the caller may change these arrays
    two = Segmentation.from_frames([1, 1, 0, 0, 0])
    assert one == two
    assert hash(one) == hash(two)
    assert len({one, two}) == 1
    assert one != Segmentation.from_frames([1, 0, 0, 0, 0])
    assert one != Segmentation.from_frames([1, 1, 2, 2, 2])
    assert one != "not a segmentation"
    for array in (one.boundaries, one.labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_any_integer_type_becomes_int64(dtype):
    found = Segmentation.from_frames(np.array([2, 2, 1], dtype))
    assert found == Segmentation.from_frames([2, 2, 1])
    assert (found.boundaries.dtype, found.labels.dtype) == (np.int64, np.int64)


def test_iteration_gives_plain_integers_in_time_order():
    segments = list(Segmentation.from_frames([5, 5, 2]))
    assert segments == [Segment(0, 2, 5), Segment(2, 3, 2)]
    assert {type(value) for s in segments for value in (s.start_frame, s.end_frame, s.label)} == {int}


def test_segments_sort_by_start_and_know_their_length():
    assert sorted([Segment(7, 9, 0), Segment(0, 7, 3)])[0] == Segment(0, 7, 3)
    assert Segment(3, 14, 0).length == 11


def test_repr_says_how_much_there_is():
    assert repr(Segmentation.from_frames([0, 0, 1])) == "Segmentation(2 segments, 3 frames)"


def test_segments_by_place():
    video = Segmentation([0, 3, 4, 6], [2, 0, 1])
    assert (video[0], video[-1]) == (Segment(0, 3, 2), Segment(4, 6, 1))
    assert video[1:] == (Segment(3, 4, 0), Segment(4, 6, 1))
    assert video[::-1] == tuple(reversed(video.segments))
    with pytest.raises(IndexError):
        video[3]
