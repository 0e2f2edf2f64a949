"""Annotations of any format on a video's grid, and timelines in any format."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

import keyseg
from keyseg.formats import FORMATS
from keyseg.studio.exchange import annotation_of, segments_of
from keyseg.studio.rows import SavedRow, Video
from keyseg.timeline import Annotation, DataError, Interval, TimelineError
from studio_folder import segment

VIDEO = Video("v", "day1/tea.mp4", Path("/films/day1/tea.mp4"), 300, Fraction(25), True, False, False, False, "")
ROW = SavedRow("v", "correction", 3, (segment(25, 50), segment(50, 75, "stir"), segment(100, 125)))


def test_an_annotation_of_a_row():
    annotation = annotation_of(VIDEO, ROW, ["stir", "pour"])
    assert annotation == Annotation(
        "tea",
        (Interval(1, 2, "pour"), Interval(2, 3, "stir"), Interval(4, 5, "pour")),
        Fraction(12),
        Fraction(25),
        media="/films/day1/tea.mp4",
    )
    assert annotation.classes == ("stir", "pour")


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001), Fraction(997, 3)])
def test_there_and_back(fps):
    video = Video("v", "tea.mp4", Path("tea.mp4"), 300, fps, True, False, False, False, "")
    assert segments_of(annotation_of(video, ROW), 300, fps) == list(ROW.segments)


def test_background_becomes_a_gap_and_gaps_stay():
    whole = Annotation(
        "tea", (Interval(0, 1, "idle"), Interval(1, 2, "pour"), Interval(3, 4, "pour")), background=("idle",)
    )
    assert segments_of(whole, 100, Fraction(25)) == [segment(25, 50), segment(75, 100)]


def test_scores_become_confidence_where_they_can():
    scored = Annotation("tea", (Interval(0, 1, "a", 0.5), Interval(1, 2, "b", 7.0)))
    assert [one.confidence for one in segments_of(scored, 100, Fraction(25))] == [0.5, None]


@pytest.mark.parametrize(
    ("intervals", "words"),
    [
        ((Interval(0, 2, "a"), Interval(1, 3, "b")), "'a' from 0 s to 2 s and 'b' from 1 s to 3 s overlap"),
        ((Interval(0, 5, "a"),), "ends after the video, which has 100 frames"),
        ((Interval(1, Fraction(1001, 1000), "a"),), "too short to keep a frame"),
    ],
)
def test_what_does_not_fit_is_refused(intervals, words):
    with pytest.raises(TimelineError, match=words):
        segments_of(Annotation("tea", intervals), 100, Fraction(25))


def test_a_label_that_cannot_be_a_class_is_refused():
    with pytest.raises(DataError, match=r"tea: 'a\\nb' from 0 s to 1 s cannot be imported: .*one line"):
        segments_of(Annotation("tea", (Interval(0, 1, "a\nb"),)), 100, Fraction(25))


@pytest.mark.parametrize("fmt", FORMATS)
def test_every_format_holds_a_correction(fmt, tmp_path):
    """With gaps, and with a class that occurs twice."""
    try:
        path = keyseg.write(annotation_of(VIDEO, ROW), tmp_path / f"tea{FORMATS[fmt].suffix}", format=fmt)
        (read,) = keyseg.read(path, format=fmt, fps=25).values()
    except keyseg.ConfigError as error:  # a library that is not installed
        pytest.skip(str(error))
    assert segments_of(read, 300, Fraction(25)) == list(ROW.segments)
