"""Annotation in seconds: what happens to edges, gaps and overlaps when it is converted to frames."""

from __future__ import annotations

import re
from fractions import Fraction
from time import process_time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyseg.timeline import (
    Annotation,
    Interval,
    LabelMap,
    Overlap,
    Segment,
    Segmentation,
    TimeBase,
    TimelineError,
    class_name,
)

LABELS = LabelMap(("idle", "take", "pour", "take_cup"), ("idle",))
FPS = Fraction(10)


def annotation(*spans: tuple[object, object, str], duration: object = None) -> Annotation:
    """From decimal texts, exact."""
    intervals = tuple(Interval(Fraction(str(a)), Fraction(str(b)), label) for a, b, label in spans)
    return Annotation("tea", intervals, None if duration is None else Fraction(str(duration)))


def segments(found: Segmentation) -> list[tuple[int, int, str]]:
    return [(s.start_frame, s.end_frame, LABELS.names[s.label]) for s in found]


def test_intervals_are_exact_and_ordered() -> None:
    found = annotation(("0.1", "0.2", "take"), (0, "0.1", "pour"))
    assert found.intervals[0] == Interval(Fraction(0), Fraction(1, 10), "pour")
    assert found.labels == ("pour", "take")
    assert str(found.intervals[1]) == "'take' from 0.1 s to 0.2 s"
    assert str(Interval(Fraction(2, 3), Fraction(36000), "x")) == "'x' from 0.666667 s to 36000 s"


@pytest.mark.parametrize(
    ("start", "end", "label", "words"),
    [
        (1, 1, "take", "0 <= start < end"),
        (2, 1, "take", "from 2 s to 1 s"),
        (-1, 1, "take", "-1"),
        (0, 1, " ", "a label"),
    ],
)
def test_impossible_intervals_are_refused(start: int, end: int, label: str, words: str) -> None:
    with pytest.raises(TimelineError, match=re.escape(words)):
        Interval(Fraction(start), Fraction(end), label)


def test_class_names_have_no_white_space() -> None:
    assert class_name("take  cup ") == "take_cup"
    assert class_name("take") == "take"


def test_edges_go_to_the_nearest_frame_and_gaps_to_the_background() -> None:
    found = annotation(("0.26", "0.54", "take"), ("0.96", "1.04", "pour"), duration="1.21")
    with pytest.raises(TimelineError, match=r"tea: 'pour' from 0.96 s to 1.04 s is too short to keep a frame"):
        found.segmentation(LABELS, FPS)
    longer = annotation(("0.26", "0.54", "take"), ("0.94", "1.04", "take cup"), duration="1.21")
    assert segments(longer.segmentation(LABELS, FPS)) == [
        (0, 3, "idle"),
        (3, 5, "take"),
        (5, 9, "idle"),
        (9, 10, "take_cup"),
        (10, 12, "idle"),
    ]


def test_half_a_frame_goes_up_for_ends_and_starts_alike() -> None:
    met = annotation((0, "0.25", "take"), ("0.25", "0.5", "pour"))
    assert segments(met.segmentation(LABELS, FPS)) == [(0, 3, "take"), (3, 5, "pour")]


def test_length_is_frames_then_duration_then_the_last_end() -> None:
    spans = ((0, 1, "take"),)
    assert annotation(*spans, duration=3).segmentation(LABELS, FPS, frames=12).length == 12
    assert annotation(*spans, duration=3).segmentation(LABELS, FPS).length == 30
    assert annotation(*spans).segmentation(LABELS, FPS).length == 10
    assert annotation().segmentation(LABELS, FPS).length == 0
    assert segments(annotation(duration=1).segmentation(LABELS, FPS)) == [(0, 10, "idle")]


def test_the_end_may_be_half_a_frame_late_and_no_more() -> None:
    assert annotation((0, "1.05", "take")).segmentation(LABELS, FPS, frames=10).length == 10
    with pytest.raises(
        TimelineError, match=r"ends after the video, which has 10 frames \(1 s at 10 frames per second\)"
    ):
        annotation((0, "1.06", "take")).segmentation(LABELS, FPS, frames=10)
    with pytest.raises(TimelineError, match="too short to keep a frame"):
        annotation(("1.0", "1.05", "take")).segmentation(LABELS, FPS, frames=10)


def test_a_gap_without_a_background_class_is_named() -> None:
    bare = LabelMap(LABELS.names)
    with pytest.raises(
        TimelineError, match=r"tea: nothing is labelled from 0 s to 0.5 s \(frames 0 to 5\), .*name one"
    ):
        annotation(("0.5", 1, "take")).segmentation(bare, FPS)
    with pytest.raises(TimelineError, match=r"from 1 s to 2 s"):
        annotation((0, 1, "take"), duration=2).segmentation(bare, FPS)
    assert annotation((0, 1, "take"), (1, 2, "pour")).segmentation(bare, FPS).length == 20


def test_an_unknown_label_is_named_with_the_nearest() -> None:
    with pytest.raises(TimelineError, match=r"tea: unknown class 'tke' \(did you mean 'take'\?\).*from 0 s to 1 s"):
        annotation((0, 1, "tke")).segmentation(LABELS, FPS)


OVERLAPPING = annotation((0, 1, "take"), ("0.2", "0.4", "pour"), ("0.8", "1.2", "take_cup"))


def test_overlaps_name_both() -> None:
    with pytest.raises(
        TimelineError,
        match=re.escape("'take' from 0 s to 1 s and 'pour' from 0.2 s to 0.4 s overlap, and a frame has one"),
    ):
        OVERLAPPING.segmentation(LABELS, FPS)
    with pytest.raises(TimelineError, match="overlap"):
        OVERLAPPING.resolved()


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        ("first", [(0, 10, "take"), (10, 12, "take_cup")]),
        ("last", [(0, 2, "take"), (2, 4, "pour"), (4, 8, "take"), (8, 12, "take_cup")]),
    ],
)
def test_the_first_or_the_last_wins_an_overlap(overlap: Overlap, expected: list[tuple[int, int, str]]) -> None:
    assert segments(OVERLAPPING.segmentation(LABELS, FPS, overlap=overlap)) == expected
    exact = [(i.start_seconds * 10, i.end_seconds * 10, i.label) for i in OVERLAPPING.resolved(overlap).intervals]
    assert exact == expected


def test_of_two_that_start_together_the_longer_is_the_later() -> None:
    both = annotation((0, 2, "take"), (0, 1, "pour"))
    assert segments(both.segmentation(LABELS, FPS, overlap="first")) == [(0, 10, "pour"), (10, 20, "take")]
    assert segments(both.segmentation(LABELS, FPS, overlap="last")) == [(0, 20, "take")]


def scored(*spans: tuple[int, int, str, float | None]) -> Annotation:
    return Annotation("tea", tuple(Interval(Fraction(a), Fraction(b), label, score) for a, b, label, score in spans))


def test_the_higher_score_wins_an_overlap_and_the_earlier_of_equal_ones() -> None:
    found = scored((0, 5, "take", 0.9), (1, 2, "pour", 0.1), (4, 8, "pour", 0.5), (3, 9, "take_cup", 0.5))
    assert segments(found.segmentation(LABELS, Fraction(1), overlap="score")) == [
        (0, 5, "take"),
        (5, 9, "take_cup"),
    ]
    between = scored((0, 9, "take", 0.1), (2, 3, "pour", 0.8), (5, 6, "pour", 0.7)).resolved("score")
    exact = [(int(i.start_seconds), int(i.end_seconds), i.score) for i in between.intervals]
    assert exact == [(0, 2, 0.1), (2, 3, 0.8), (3, 5, 0.1), (5, 6, 0.7), (6, 9, 0.1)]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9), st.sampled_from([0.0, 0.5, 1.0])), min_size=1, max_size=8),
    st.sampled_from(["first", "last", "score"]),
)
def test_every_overlap_is_resolved_as_frame_by_frame(spans: list[tuple[int, int, float]], overlap: Overlap) -> None:
    timeline = scored(*((start, start + length, f"l{n}", score) for n, (start, length, score) in enumerate(spans)))
    ordered = timeline.intervals
    ranks = {"first": lambda n: n, "last": lambda n: -n, "score": lambda n: (-(ordered[n].score or 0), n)}
    expected = {}
    for frame in range(20):
        there = [n for n, one in enumerate(ordered) if one.start_seconds <= frame < one.end_seconds]
        if there:
            expected[frame] = ordered[min(there, key=ranks[overlap])].label
    found = timeline.resolved(overlap).intervals
    assert expected == {
        frame: one.label for one in found for frame in range(int(one.start_seconds), int(one.end_seconds))
    }
    assert sum(one.end_seconds - one.start_seconds for one in found) == len(expected)


@pytest.mark.parametrize("overlap", ["first", "last", "score"])
def test_thousands_of_segments_that_span_all_others_are_resolved_in_no_time(overlap: Overlap) -> None:
    short = [(2 * at, 2 * at + 1, "pour", 1.0) for at in range(4000)]
    timeline = scored(*short, *((0, 8000 + at, "take", 0.5) for at in range(4000)))
    before = process_time()
    timeline.resolved(overlap)
    assert process_time() - before < 4


def test_without_scores_an_overlap_cannot_be_decided_by_them() -> None:
    with pytest.raises(TimelineError, match=r"tea: 'pour' from 1 s to 2 s has no score; .* first or last"):
        scored((0, 5, "take", 0.9), (1, 2, "pour", None)).resolved("score")
    assert len(scored((0, 1, "take", None), (1, 2, "pour", None)).resolved("score").intervals) == 2


def test_an_overlap_below_half_a_frame_vanishes() -> None:
    close = annotation((0, "1.01", "take"), ("0.99", 2, "pour"))
    assert segments(close.segmentation(LABELS, FPS)) == [(0, 10, "take"), (10, 20, "pour")]


spans = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 20), st.integers(1, 3)), max_size=9)


@given(spans, st.sampled_from(["first", "last"]))
def test_overlaps_are_painted_frame_by_frame(runs: list[tuple[int, int, int]], overlap: Overlap) -> None:
    """The oracle paints an array: `last` in the order of starts, `first` in reverse order."""
    items = [(start, start + length, LABELS.names[label]) for start, length, label in runs]
    found = Annotation("tea", tuple(Interval(Fraction(a, 10), Fraction(b, 10), n) for a, b, n in items), Fraction(6))
    frames = np.zeros(60, np.int64)
    ordered = sorted(items)
    for start, end, name in ordered if overlap == "last" else reversed(ordered):
        frames[start:end] = LABELS.id(name)
    assert found.segmentation(LABELS, FPS, overlap=overlap).to_frames().tolist() == frames.tolist()


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 10**6)), max_size=8),
    st.sampled_from([Fraction(15), Fraction(30000, 1001), Fraction(60)]),
)
def test_a_segmentation_in_seconds_is_the_same_segmentation(runs: list[tuple[int, int]], fps: Fraction) -> None:
    bounds = np.cumsum([0, *(length for _, length in runs)])
    segmentation = Segmentation(bounds, np.array([label for label, _ in runs], np.int64))
    timebase = TimeBase(fps)
    found = Annotation.of("tea", segmentation, LABELS, timebase)
    assert found.background == ("idle",)
    assert "idle" not in found.labels
    assert found.segmentation(LABELS, fps).merged() == segmentation.merged()
    whole = Annotation.of("tea", segmentation, LABELS, timebase, keep_background=True)
    assert whole.segmentation(LABELS, fps) == segmentation
    assert whole.actions() == found
    assert whole.duration_seconds == Fraction(segmentation.length) / fps


def test_of_by_hand() -> None:
    segmentation = Segmentation.from_segments([Segment(0, 2, 0), Segment(2, 5, 1)])
    found = Annotation.of("tea", segmentation, LABELS, TimeBase(Fraction(30000, 1001)))
    interval = Interval(Fraction(2002, 30000), Fraction(5005, 30000), "take")
    assert found == Annotation("tea", (interval,), Fraction(5005, 30000), Fraction(30000, 1001), ("idle",))


def test_an_overlap_says_what_to_do_about_two_subjects_unless_the_timeline_is_of_one() -> None:
    both = (Interval(Fraction(0), Fraction(2), "groom"), Interval(Fraction(1), Fraction(3), "run"))
    with pytest.raises(TimelineError, match=r"^a: .*: first, last, or score; if two subjects do it, .*--per-subject$"):
        Annotation("a", both).resolved()
    with pytest.raises(TimelineError, match=r"^a\.rat 1: .* overlap, .*: first, last, or score$"):
        Annotation("a", both, track="rat 1").resolved()


def test_names_are_kept_in_one_unicode_form() -> None:
    nfc, nfd = "caf\u00e9", "cafe\u0301"
    assert Interval(Fraction(0), Fraction(1), nfd) == Interval(Fraction(0), Fraction(1), nfc)
    annotation = Annotation(nfd, (Interval(Fraction(0), Fraction(1), nfd),), background=(nfd,), media=nfd, track=nfd)
    assert (annotation.name, annotation.background, annotation.media) == (f"{nfc}.{nfc}", (nfc,), nfd)
    assert annotation.actions().intervals == ()
    assert class_name(f"{nfd} {nfd}") == f"{nfc}_{nfc}"
