"""Exact time: no frame is lost to rounding, and steps and frames agree."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyseg.timeline import Segmentation, TimeBase, TimelineError

NTSC = Fraction(30000, 1001)
rates = st.sampled_from([Fraction(15), Fraction(25), NTSC, Fraction(24000, 1001)]) | st.fractions(
    Fraction(1, 10), 240, max_denominator=2000
)
sample_rates = st.integers(1, 9)


@given(rates, st.integers(0, 10**9), st.fractions(0, 1, max_denominator=1000).filter(lambda part: part < 1))
def test_frame_at_is_the_inverse_of_start_seconds(fps, frame, part):
    time = TimeBase(fps)
    start, end = time.start_seconds(frame), time.start_seconds(frame + 1)
    assert time.frame_at(start) == frame
    assert time.frame_at(start + part * (end - start)) == frame
    assert time.frame_at(end) == frame + 1


def test_30000_frames_of_ntsc_are_exactly_1001_seconds():
    time = TimeBase(NTSC)
    assert time.start_seconds(30000) == 1001
    assert time.start_seconds(1) == Fraction(1001, 30000)
    assert time.frame_at(Fraction(1001)) == 30000
    assert time.frame_at(Fraction(1001) - Fraction(1, 10**12)) == 29999


def test_floats_would_lose_a_frame_here():
    time = TimeBase(NTSC)
    lost = [frame for frame in range(30000) if int(float(time.start_seconds(frame)) * float(NTSC)) != frame]
    assert lost, "this frame rate loses none: choose another"
    assert all(time.frame_at(time.start_seconds(frame)) == frame for frame in lost)


@pytest.mark.parametrize("fps", [15, Fraction(15), "15", 15.0, "15/1"])
def test_frame_rates_may_be_written_in_many_ways(fps):
    assert TimeBase(fps) == TimeBase(Fraction(15), 1) == TimeBase()
    assert isinstance(TimeBase(fps).fps, Fraction)


def test_time_before_the_video_is_a_negative_frame():
    assert TimeBase(Fraction(10)).frame_at(Fraction(-1, 100)) == -1


@given(st.integers(0, 400), sample_rates)
def test_steps_are_the_blocks_that_cover_the_frames(frames, sample_rate):
    steps = TimeBase(sample_rate=sample_rate).steps(frames)
    assert (steps - 1) * sample_rate < frames <= steps * sample_rate or frames == steps == 0


@given(st.lists(st.integers(0, 9), max_size=60), sample_rates)
def test_frames_to_steps_takes_the_first_frame_of_each_step(values, sample_rate):
    time = TimeBase(sample_rate=sample_rate)
    steps = time.frames_to_steps(values)
    assert len(steps) == time.steps(len(values))
    assert [values[i * sample_rate] for i in range(len(steps))] == steps.tolist()


@given(st.lists(st.integers(0, 9), max_size=40), sample_rates, st.data())
def test_steps_to_frames_to_steps_is_the_identity(steps, sample_rate, data):
    time = TimeBase(sample_rate=sample_rate)
    longest = len(steps) * sample_rate
    length = data.draw(st.integers(max(longest - sample_rate + 1, 0), longest))
    frames = time.steps_to_frames(np.array(steps, np.int64), length)
    assert len(frames) == length
    assert time.frames_to_steps(frames).tolist() == steps
    assert frames.tolist() == [steps[frame // sample_rate] for frame in range(length)]


@given(st.lists(st.integers(0, 9), max_size=40))
def test_sample_rate_1_changes_nothing(values):
    frames = np.array(values, np.int64)
    assert TimeBase().frames_to_steps(frames).tolist() == values
    assert TimeBase().steps_to_frames(frames, len(values)).tolist() == values


def test_features_keep_their_channels():
    features = np.arange(7 * 3).reshape(7, 3)
    assert TimeBase(sample_rate=3).frames_to_steps(features).tolist() == features[[0, 3, 6]].tolist()


@pytest.mark.parametrize(("length", "given"), [(7, 3), (9, 4), (0, 1), (13, 4)])
def test_steps_of_another_video_are_refused(length, given):
    time = TimeBase(sample_rate=2)
    message = f"{length} frames at sample_rate 2 make {-(-length // 2)} steps, got {given}"
    with pytest.raises(TimelineError, match=message):
        time.steps_to_frames(np.zeros(given, np.int64), length)


@pytest.mark.parametrize("fps", [0, -1, Fraction(-1, 3)])
def test_frame_rates_are_positive(fps):
    with pytest.raises(TimelineError, match=f"fps must be positive, got {fps}"):
        TimeBase(fps)


@pytest.mark.parametrize("sample_rate", [0, -2, 1.5])
def test_sample_rates_are_whole_frames(sample_rate):
    with pytest.raises(TimelineError, match=f"sample_rate must be a whole number of frames >= 1, got {sample_rate}"):
        TimeBase(sample_rate=sample_rate)


def test_a_whole_sample_rate_written_with_a_point_works():
    time = TimeBase(sample_rate=2.0)
    assert time == TimeBase(sample_rate=2)
    assert time.frames_to_steps([5, 6, 7]).tolist() == [5, 7]
    assert time.steps_to_frames([5, 7], 3).tolist() == [5, 5, 7]


@given(st.lists(st.integers(0, 2), max_size=12), st.integers(1, 5), st.data())
def test_segments_become_frames_as_their_labels_do(steps, rate, data):
    time, segmentation = TimeBase(10, rate), Segmentation.from_frames(steps)
    length = data.draw(st.integers(max(0, (len(steps) - 1) * rate + 1), len(steps) * rate) if steps else st.just(0))
    frames = time.segments_to_frames(segmentation, length)
    assert frames == Segmentation.from_frames(time.steps_to_frames(steps, length))


def test_segments_of_another_number_of_steps_are_refused():
    with pytest.raises(TimelineError, match="7 frames at sample_rate 2 make 4 steps, got 3"):
        TimeBase(10, 2).segments_to_frames(Segmentation.from_frames([0, 1, 1]), 7)
