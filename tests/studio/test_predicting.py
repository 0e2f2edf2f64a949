"""Predictions as jobs: rows in frames of the video, progress, and failures that stop nothing else."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from drawn_films import write_film, write_untrained_bundle
from keyseg.inference.bundle import load
from keyseg.inference.prediction import Prediction
from keyseg.studio.bundles import add_bundle
from keyseg.studio.classes import add_class
from keyseg.studio.job_queue import JobQueue
from keyseg.studio.predicting import as_row, gather, save, work
from keyseg.studio.segments import TimedSegment, check_segments
from keyseg.studio.store import Store
from keyseg.timeline import DataError, LabelMap, Segmentation, TimeBase
from moving_square import pictures
from served_folder import add_video

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_untrained_bundle(tmp_path_factory.mktemp("bundles") / "blank")


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return write_film(tmp_path_factory.mktemp("films") / "film.mp4", pictures(2)).read_bytes()


@pytest.fixture
def store(tmp_path, bundle):
    (tmp_path / "folder").mkdir()
    opened = Store(tmp_path / "folder")
    add_bundle(opened, "blank", bundle, {}, active=True)
    yield opened
    opened.close()


def prediction(labels, scores, rate=2):
    """A prediction at 10 frames per second with a step every `rate` frames."""
    names = LabelMap(("background", "cut", "pour"), ("background",))
    scores = np.array(scores, np.float32)
    return Prediction(Segmentation.from_frames(labels), scores, scores[None], names, TimeBase(10, rate), None)


class OfFrames:
    """A predictor of which only the classes and the times are asked."""

    labels = LabelMap(("background", "cut", "pour"), ("background",))
    timebase = TimeBase(10, 2)
    decoder = None


def test_segments_are_in_frames_of_the_video_and_background_is_a_gap():
    scores = [[0.1, 0.1, 0.8, 0.3], [0.7, 0.9, 0.1, 0.1], [0.2, 0.1, 0.1, 0.6]]
    row = as_row(OfFrames(), prediction([1, 1, 1, 1, 0, 0, 2, 2], scores), Fraction(30), 24)
    facts = [(one["start_frame"], one["end_frame"], one["label"]) for one in row["segments"]]
    assert facts == [(0, 12, "cut"), (18, 24, "pour")]
    assert [one["confidence"] for one in row["segments"]] == [0.8, 0.6]
    assert row["details"]["strip"] == [70, 90, 80, 60]
    assert row["details"]["second"] == ["pour", None]  # background is second there
    assert row["details"]["boundaries"] == [12, 18]


@pytest.mark.parametrize(("fps", "frames"), [(Fraction(30000, 1001), 23), (Fraction(5), 4), (Fraction(2), 2)])
def test_rows_fit_any_rate_and_length(fps, frames):
    scores = np.full((3, 4), 1 / 3)
    row = as_row(OfFrames(), prediction([1, 2, 1, 2, 0, 0, 2, 1], scores), fps, frames)
    segments = [TimedSegment(**one) for one in row["segments"]]
    check_segments(segments, frames)
    assert segments[-1].end_frame == frames
    assert len(row["details"]["second"]) == len(segments)


def test_a_strip_has_4000_numbers_at_most():
    steps = 9001
    scores = np.zeros((3, steps))
    scores[1] = np.linspace(0, 1, steps)
    row = as_row(OfFrames(), prediction([1] * (2 * steps), scores), Fraction(10), 2 * steps)
    strip = row["details"]["strip"]
    assert len(strip) == 4000
    assert strip == sorted(strip)
    assert (strip[0], strip[2000], strip[-1]) == (0, 50, 100)


def test_videos_are_predicted_and_a_damaged_one_stops_none(store, film):
    damaged = add_video(store, "a-damaged.mp4", b"no film", frames=46)
    good = add_video(store, "b.mp4", film, frames=46)
    request = gather(store, {"videos": None, "bundle": None})
    said, parts = [], []

    def report(done, message, part=None):
        said.append((done, message))
        parts.extend([part] if part else [])

    result = work(request, report)
    assert result["predicted"] == [good]
    assert "a-damaged.mp4" in result["failed"][damaged]
    assert [done for done, _ in said] == sorted(done for done, _ in said)
    assert {0.0, 0.5, 1.0} <= {done for done, _ in said}
    assert any(0.5 < done < 1 for done, _ in said)  # within the video
    assert said[-1][1] == "video 2 of 2: b.mp4"
    assert [part["video"] for part in parts] == [good]
    told = []
    store.on_saved = told.append
    list(save(store, request, parts[0]))
    assert [(one.video, one.name, one.author) for one in told] == [(good, "prediction:blank", "keyseg")]
    row = store.row(good, "prediction:blank")
    assert [segment.model_dump() for segment in row.segments] == parts[0]["segments"]
    assert len(row.details["strip"]) == 46
    assert list((store.private / "features").glob("*.npy"))


def test_the_row_is_what_the_public_predictor_says(store, film, bundle):
    video = add_video(store, "b.mp4", film, frames=46)
    parts = []
    work(gather(store, {"videos": [video]}), lambda *_, part=None: parts.append(part))
    (part,) = filter(None, parts)
    found = load(bundle).predict(store.folder / "b.mp4")
    wanted = [one for one in found.segments if one.label != "background"]
    assert [one["label"] for one in part["segments"]] == [one.label for one in wanted]
    assert [Fraction(one["start_frame"], 10) for one in part["segments"]] == [one.start_seconds for one in wanted]


def test_a_job_saves_rows(store, film):
    video = add_video(store, "b.mp4", film, frames=46)
    queue = JobQueue(store)
    job = queue.wait(queue.submit("predict", {"videos": [video], "bundle": "blank"})["id"], 120)
    queue.close()
    assert (job["state"], job["result"]) == ("done", {"predicted": [video], "failed": {}})
    assert store.row(video, "prediction:blank").revision == 1


def test_classes_are_spelled_as_the_folder_spells_them(store):
    video = add_video(store, "b.mp4", frames=20)
    add_class(store, "go left")
    segment = {"start_frame": 0, "end_frame": 20, "label": "go_left", "confidence": 0.5}
    second = {"second": [None], "boundaries": [], "strip": []}
    save(store, {"row": "prediction:blank"}, {"video": video, "segments": [segment], "details": second})
    assert store.row(video, "prediction:blank").segments[0].label == "go left"
    add_class(store, "go_left")
    save(store, {"row": "prediction:blank"}, {"video": video, "segments": [segment], "details": second})
    assert store.row(video, "prediction:blank").segments[0].label == "go_left"


def test_if_all_fail_the_job_fails(store):
    add_video(store, "a.mp4", b"no film")
    with pytest.raises(DataError, match=r"none of 1 videos could be predicted: .*a\.mp4"):
        work(gather(store, {}), lambda *_, **__: None)


def test_what_is_not_there_is_refused(store, tmp_path):
    with pytest.raises(DataError, match="no videos in"):
        gather(store, {})
    add_video(store, "gone.mp4", None)
    with pytest.raises(DataError, match="no videos in"):
        gather(store, {"videos": None})
    with pytest.raises(DataError, match="no video 'x'"):
        gather(store, {"videos": ["x"]})
    with pytest.raises(DataError, match="there is no bundle 'other'"):
        gather(store, {"bundle": "other"})
    (tmp_path / "empty").mkdir()
    empty = Store(tmp_path / "empty")
    with pytest.raises(DataError, match="no bundle is active"):
        gather(empty, {})
    empty.close()
