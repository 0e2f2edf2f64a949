"""Proposals as jobs: common parts of all videos of a folder, saved as rows, also where one cannot be read."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from keyseg.studio import proposing
from keyseg.studio.store import Store
from keyseg.timeline import Annotation, ConfigError, DataError, Interval

RED, BLUE = (200, 30, 30), (30, 30, 200)


def add_video(store, name, frames, fps="10"):
    with store.transaction() as connection:
        connection.execute(
            "INSERT INTO videos(id, path, digest, size, modified, frames, fps, playable)"
            " VALUES (?, ?, '', 0, 0, ?, ?, 1)",
            (name.replace("/", "-"), name, frames, fps),
        )


@pytest.fixture
def store(make_clip, tmp_path):
    for name, colours in (("a/film.mp4", (RED, BLUE)), ("b/film.mp4", (BLUE, RED, BLUE))):
        pictures = [np.full((48, 64, 3), colour, np.uint8) for colour in colours for _ in range(40)]
        make_clip(tmp_path / name, pictures, rate=10)
    (tmp_path / "bad.mp4").write_bytes(b"not a video")
    opened = Store(tmp_path)
    for name, frames in (("a/film.mp4", 80), ("b/film.mp4", 120), ("bad.mp4", 50)):
        add_video(opened, name, frames)
    yield opened
    opened.close()


def do(store, **asked):
    """Run a job as the queue does; what it returns, what it reported, and the events of saving."""
    request = proposing.gather(store, asked)
    reported, events = [], []

    def report(done, message, *, part=None, **more):
        reported.append((done, message))
        if part is not None:
            events.extend(proposing.save(store, request, part))

    return proposing.work(request, report), reported, events


def test_a_part_is_the_same_in_all_videos_and_a_bad_one_is_reported(store):
    result, reported, events = do(store, videos=None, segments=3, classes=2)
    assert result["proposed"] == ["a-film.mp4", "b-film.mp4"]
    assert list(result["failed"]) == ["bad.mp4"]
    first, second = (store.row(video, "proposal").segments for video in result["proposed"])
    assert [one.label for one in first] == ["part 1", "part 2"]
    assert [one.label for one in second] == ["part 2", "part 1", "part 2"]
    assert (first[0].start_frame, first[-1].end_frame, second[-1].end_frame) == (0, 80, 120)
    assert abs(first[0].end_frame - 40) <= 4
    assert [event for event, _ in events] == ["saved", "saved"]
    assert all(0 <= done <= 1 for done, _ in reported)
    assert [done for done, _ in reported] == sorted(done for done, _ in reported)


def test_proposing_again_is_another_revision_of_the_row(store):
    do(store, videos=["a-film.mp4"])
    do(store, videos=["a-film.mp4"])
    assert store.row("a-film.mp4", "proposal").revision == 2


def test_no_video_that_can_be_read_is_an_error(store):
    with pytest.raises(DataError, match=r"none of 1 videos could be read: .*bad.mp4"):
        do(store, videos=["bad.mp4"])


@pytest.mark.parametrize("asked", [{"segments": 0}, {"classes": "three"}, {"segments": True}])
def test_wrong_numbers_are_refused_before_the_job(store, asked):
    with pytest.raises(ConfigError, match="is a whole number of at least 1"):
        proposing.gather(store, asked)


def test_an_unknown_bundle_is_refused_before_the_job(store):
    with pytest.raises(DataError, match="there is no bundle 'other'"):
        proposing.gather(store, {"bundle": "other"})


def test_segments_tile_the_video_at_its_own_rate():
    edges = (0, 2, Fraction(401, 100), 5)
    parts = tuple(Interval(edges[i], edges[i + 1], f"part {1 + i % 2}") for i in range(3))
    found = proposing.as_segments(Annotation("film", parts, Fraction(5)), Fraction(30000, 1001), 121)
    spans = [(one["start_frame"], one["end_frame"], one["label"]) for one in found]
    assert spans == [(0, 60, "part 1"), (60, 120, "part 2"), (120, 121, "part 1")]
    short = proposing.as_segments(Annotation("film", parts, Fraction(5)), Fraction(30), 60)
    assert [(one["start_frame"], one["end_frame"]) for one in short] == [(0, 60)]
