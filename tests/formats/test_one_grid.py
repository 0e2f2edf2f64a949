"""Timelines of different files on one grid of frames."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyseg.formats import on_one_grid, read_annotations, read_with_rate, timeline_text
from keyseg.timeline import Annotation, ConfigError, Interval, LabelMap, Segmentation, TimeBase, TimelineError

RATE = Fraction(30000, 1001)
spans = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20), st.sampled_from("abc")), max_size=6)


def planted(rows: list[tuple[int, int, str]], rate: Fraction, **more: object) -> tuple[Annotation, list[str]]:
    """An annotation of intervals that start `gap` frames after each other, and its label per frame, "" in gaps."""
    frames: list[str] = []
    intervals = []
    for gap, length, label in rows:
        start = len(frames) + gap
        intervals.append(Interval(start / rate, (start + length) / rate, label))
        frames += [""] * gap + [label] * length
    return Annotation("v", tuple(intervals), **more), frames


@given(spans, spans, st.integers(0, 50), st.sampled_from([Fraction(10), RATE]))
def test_rows_have_the_planted_labels_and_one_length(
    first: list[tuple[int, int, str]], second: list[tuple[int, int, str]], frames: int, rate: Fraction
) -> None:
    both = [planted(rows, rate) for rows in (first, second)]
    rows, labels = on_one_grid([annotation for annotation, _ in both], rate, frames=frames)
    length = max(frames, *(len(wanted) for _, wanted in both))
    for row, (_, wanted) in zip(rows, both, strict=True):
        padded = wanted + [""] * (length - len(wanted))
        assert labels.decode(row.to_frames()) == [label or "background" for label in padded]
    assert set(labels.names) == {name for row in rows for name in labels.decode(row.labels)}
    assert labels.background == (("background",) if "background" in labels.names else ())


def test_gaps_get_the_first_background_that_a_file_names() -> None:
    plain = planted([(5, 5, "cut")], Fraction(10))[0]
    named = planted([(0, 5, "at rest"), (0, 5, "cut")], Fraction(10), background=("at rest", "out"))[0]
    rows, labels = on_one_grid([plain, named], Fraction(10))
    assert rows[0] == rows[1]
    assert (labels.names, labels.background) == (("at_rest", "cut"), ("at_rest",))


def test_neighbours_of_one_class_stay_two_segments() -> None:
    (row,), _ = on_one_grid([planted([(0, 3, "cut"), (0, 4, "cut")], Fraction(5))[0]], Fraction(5))
    np.testing.assert_array_equal(row.boundaries, [0, 3, 7])


def test_a_gap_at_the_end_continues_background() -> None:
    (row,), _ = on_one_grid([planted([(0, 3, "background")], Fraction(5))[0]], Fraction(5), frames=9)
    np.testing.assert_array_equal(row.boundaries, [0, 9])


def test_what_does_not_fit_a_grid_is_refused() -> None:
    with pytest.raises(TimelineError, match="frames are too many"):
        on_one_grid([Annotation("v", (Interval(Fraction(0), Fraction(9_000_000), "a"),))], Fraction(60))
    twice = Annotation("v", (Interval(Fraction(0), Fraction(2), "a"), Interval(Fraction(1), Fraction(3), "b")))
    with pytest.raises(TimelineError, match="overlap"):
        on_one_grid([twice], Fraction(10))
    (row,), labels = on_one_grid([twice], Fraction(1), overlap="last")
    assert labels.decode(row.to_frames()) == ["a", "b", "b"]


def test_a_rate_that_the_file_states_comes_before_the_given_one(tmp_path: Path) -> None:
    table, frames = tmp_path / "a.csv", tmp_path / "b.txt"
    table.write_text("start_frame,end_frame,start_seconds,end_seconds,label\n0,20,0,2,cut\n")
    frames.write_text("cut\n" * 20)
    ((annotation,), needed) = read_with_rate(table, Fraction(40))
    assert (annotation.fps, annotation.duration_seconds, needed) == (10, 2, False)
    ((annotation,), needed) = read_with_rate(frames, Fraction(40))
    assert (annotation.fps, annotation.duration_seconds, needed) == (40, Fraction(1, 2), True)
    with pytest.raises(ConfigError, match=r"b\.txt: this format counts frames, .* give --fps"):
        read_with_rate(frames)


def test_notes_come_once(tmp_path: Path) -> None:
    notes: list[str] = []
    path = tmp_path / "a.vtt"
    path.write_text("WEBVTT\n\n00:01.000 --> 00:02.500\ntake cup\n")
    ((annotation,), needed) = read_with_rate(path, Fraction(40), note=notes.append)
    assert (annotation.fps, needed, notes) == (None, False, [])


def test_a_class_has_one_id_whichever_classes_occur(tmp_path: Path) -> None:
    """So that it has one colour in the pages of all videos of a data set."""
    classes = LabelMap(("background", "add", "cut", "pour"), ("background",))
    found = []
    for name, ids in (("day1", [0, 1, 1]), ("day2", [3, 3, 0])):
        path = tmp_path / f"{name}.json"
        path.write_text(timeline_text("json", name, Segmentation.from_frames(ids), classes, TimeBase(Fraction(1))))
        corrected = Annotation(name, (Interval(0, 2, "wipe"), Interval(2, 3, "pour")))  # in a format without classes
        rows, labels = on_one_grid([corrected, *read_annotations(path)], Fraction(1))
        assert rows[1].to_frames().tolist() == ids
        assert labels.background == ("background",)
        found.append(labels.names)
    assert found == [(*classes.names, "wipe")] * 2
    tea = Annotation("tea", (Interval(0, 1, "add"), Interval(2, 3, "pour")))
    assert on_one_grid([tea], Fraction(1))[1].names == ("background", "add", "pour")  # as keyseg init numbers them
