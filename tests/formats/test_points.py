"""Events without a length: an error, left out with one note, or so many frames long."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any, Literal

import pytest

from keyseg.formats.format import ReadSettings
from keyseg.formats.text import point_intervals
from keyseg.timeline import ConfigError, DataError, Interval

POINTS = [(Fraction(1), "rear", "day1.csv:2"), (Fraction(5, 2), "peck", "day1.csv:3"), (Fraction(9), "peck", "a:4")]


def lengthened(points: Literal["drop"] | int | None, **facts: Any) -> list[Interval]:
    return point_intervals(POINTS, ReadSettings(points=points), **facts)


def test_without_a_choice_the_first_point_is_an_error_that_names_the_option() -> None:
    with pytest.raises(DataError, match=r"day1\.csv:2: 'rear' is a point at 1 s.*--points drop.*--points FRAMES"):
        lengthened(None)
    assert point_intervals([], ReadSettings()) == []


def test_dropped_points_are_counted_in_one_note() -> None:
    notes: list[str] = []
    assert point_intervals(POINTS, ReadSettings(points="drop", note=notes.append)) == []
    assert notes == ["3 events without a length left out: 'peck', 'rear'; see --points"]
    assert point_intervals([], ReadSettings(points="drop", note=notes.append)) == []
    point_intervals(POINTS[:1], ReadSettings(points="drop", note=notes.append))
    assert notes[1:] == ["1 event without a length left out: 'rear'; see --points"]


def test_points_get_frames_of_the_chosen_rate_else_of_the_file() -> None:
    first, second, _ = lengthened(3, fps=Fraction(10))
    assert first == Interval(Fraction(1), Fraction(13, 10), "rear")
    assert second == Interval(Fraction(5, 2), Fraction(28, 10), "peck")
    settings = ReadSettings(points=3, fps=Fraction(5))
    assert point_intervals(POINTS, settings, fps=Fraction(10))[0].end_seconds == Fraction(8, 5)


@pytest.mark.parametrize(
    ("length", "start", "end"),
    [("8.7", "9", "9.3"), ("9", "8.9", "9"), ("9.05", "8.95", "9.05"), ("9.2", "9", "9.2"), ("20", "9", "9.3")],
)
def test_a_point_at_the_end_of_the_video_stays_in_it(length: str, start: str, end: str) -> None:
    last = lengthened(3, fps=Fraction(10), length=Fraction(length))[-1]
    assert (last.start_seconds, last.end_seconds) == (Fraction(start), Fraction(end))


def test_a_point_in_a_video_of_less_than_a_frame_starts_at_0() -> None:
    (only,) = point_intervals([(Fraction(0), "x", "a:1")], ReadSettings(points=2), Fraction(10), Fraction(1, 50))
    assert (only.start_seconds, only.end_seconds) == (0, Fraction(1, 50))


@pytest.mark.parametrize(
    ("points", "fps", "words"),
    [(3, None, "day1.csv:2: --points counts frames, and the frame rate is unknown; give --fps"),
     (0, Fraction(10), "from 1 for --points, got 0"), (-3, Fraction(10), "got -3")],
)  # fmt: skip
def test_a_number_of_frames_that_says_nothing_is_refused(points: int, fps: Fraction | None, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        lengthened(points, fps=fps)


def test_a_point_needs_a_label() -> None:
    with pytest.raises(DataError, match="a:1: expected a label"):
        point_intervals([(Fraction(1), " ", "a:1")], ReadSettings(points=1, fps=Fraction(1)))
