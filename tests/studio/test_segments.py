"""Splices: what they accept equals a brute-force oracle, and inverses bring back what was there."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from keyseg.studio.segments import Splice, TimedSegment, check_segments
from keyseg.timeline import TimelineError
from studio_folder import segment

FRAMES = 12


@st.composite
def timelines(draw):
    """Segments in order, with and without gaps."""
    cuts = sorted(draw(st.sets(st.integers(0, FRAMES), max_size=8)))
    pairs = pairwise(cuts)
    return [segment(a, b, draw(st.sampled_from("ab"))) for a, b in pairs if draw(st.booleans())]


# Any segments: in order or not, inside the video or not.
loose = st.lists(
    st.builds(
        lambda a, length, label: segment(a, a + length, label),
        st.integers(0, 13),
        st.integers(1, 5),
        st.sampled_from("ab"),
    ),
    max_size=3,
)


def is_timeline(segments):
    """The oracle: no frame is labelled twice, all are inside, starts ascend."""
    frames = [frame for one in segments for frame in range(one.start_frame, one.end_frame)]
    return frames == sorted(set(frames)) and all(frame < FRAMES for frame in frames)


@given(timelines(), st.integers(0, 9), st.integers(0, 3), loose, st.booleans())
def test_a_splice_is_accepted_exactly_if_the_result_is_a_timeline(segments, at, count, inserted, right):
    removed = segments[at : at + count] if right else [segment(3, 4, "c")] * count
    splice = Splice(at=at, removed=tuple(removed), inserted=tuple(inserted))
    there = at + len(removed) <= len(segments) and segments[at : at + len(removed)] == removed
    expected = [*segments[:at], *inserted, *segments[at + len(removed) :]]
    if there and is_timeline(expected):
        assert splice.applied(segments, FRAMES) == expected
    else:
        with pytest.raises(TimelineError):
            splice.applied(segments, FRAMES)


@given(timelines(), timelines())
def test_the_smallest_splice_between_two_timelines(before, after):
    splice = Splice.between(before, after)
    assert splice.applied(before, FRAMES) == after
    assert splice.inverse().applied(after, FRAMES) == before
    if splice.removed and splice.inserted:
        assert splice.removed[0] != splice.inserted[0]
        assert splice.removed[-1] != splice.inserted[-1]


@given(st.lists(timelines(), min_size=1, max_size=6))
def test_inverses_in_reverse_order_bring_back_the_original(states):
    now, splices = states[0], []
    for after in states[1:]:
        splices.append(Splice.between(now, after))
        now = splices[-1].applied(now, FRAMES)
    for splice in reversed(splices):
        now = splice.inverse().applied(now, FRAMES)
    assert now == states[0]


@given(timelines(), timelines())
def test_the_neighbours_of_an_edit_are_enough(before, after):
    splice = Splice.between(before, after)
    first = max(splice.at - 1, 0)
    near = before[first : splice.at + len(splice.removed) + 1]
    assert splice.applied(near, FRAMES, first) == after[first : splice.at + len(splice.inserted) + 1]


def test_an_edit_beyond_the_last_segment_is_refused():
    with pytest.raises(TimelineError, match="at index 2"):
        Splice(at=2, removed=(), inserted=(segment(5, 6),)).applied([segment(0, 1)], FRAMES)


def test_errors_say_which_segment():
    with pytest.raises(TimelineError, match=r"'stir' starts at frame 4.*\(5\)"):
        check_segments([segment(0, 5), segment(4, 6, "stir")], FRAMES)
    with pytest.raises(TimelineError, match="'pour' ends at frame 13, but the video has 12 frames"):
        check_segments([segment(0, 13)], FRAMES)
    check_segments([], 0)


@pytest.mark.parametrize("label", ["", "  ", "x" * 201, "two\nlines", "bell\a", "two\u2028lines", "\ud800"])
def test_labels_that_are_refused(label):
    with pytest.raises(ValidationError):
        segment(0, 1, label)


@pytest.mark.parametrize(
    "label", ["<script>alert(1)</script>", "'; DROP TABLE rows; --", "=1+1", "塩 🧂", "../../x", 'a,"b"']
)
def test_hostile_labels_are_kept_as_they_are(label):
    assert segment(0, 1, label).label == label


def test_a_label_has_one_spelling():
    assert segment(0, 1, " cafe\u0301 ").label == "caf\u00e9"


@pytest.mark.parametrize(("start", "end"), [(-1, 4), (4, 4), (5, 4)])
def test_a_segment_has_a_length(start, end):
    with pytest.raises(ValidationError):
        segment(start, end)


def test_unknown_keys_are_refused():
    with pytest.raises(ValidationError):
        TimedSegment.model_validate({"start_frame": 0, "end_frame": 1, "label": "a", "colour": "red"})
