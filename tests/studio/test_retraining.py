"""Retraining: which videos are held out, what is trained, and when the new bundle takes over."""

from __future__ import annotations

import shutil
from itertools import groupby
from pathlib import Path

import pytest

from drawn_films import write_film
from keyseg.inference.bundle import load, name_digest, read_config
from keyseg.studio import judging
from keyseg.studio.bundles import active_bundle, bundle_folder, bundles
from keyseg.studio.job_queue import Busy, JobQueue
from keyseg.studio.judging import judge
from keyseg.studio.retraining import default_epochs, gather, hold_out, save, work
from keyseg.studio.rows import CORRECTION
from keyseg.studio.segments import TimedSegment
from keyseg.studio.store import Store
from keyseg.timeline import ConfigError, DataError
from moving_square import LABELS, pictures
from served_folder import add_video

SQUARE = [label for label, frames in LABELS for _ in range(frames)]


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path)
    yield opened
    opened.close()


def correct(store: Store, video: str, labels: list[str], idle: str = "rest") -> None:
    segments, start = [], 0
    for label, frames in groupby(labels):
        end = start + len(list(frames))
        if label != idle:
            segments.append(TimedSegment(start_frame=start, end_frame=end, label=label))
        start = end
    store.replace(video, CORRECTION, segments, author="ada", action="label")


def with_squares(folder: Path, count: int) -> Store:
    store = Store(folder)
    for number in range(count):
        film = write_film(folder / f"square{number}.mp4", pictures(number))
        correct(store, add_video(store, film.name, film.read_bytes(), frames=len(SQUARE)), SQUARE)
    return store


def corrected(count, **changes):
    facts = {"usable": True, "held_out": False}
    return [facts | {"id": str(n), "path": f"v{n}.mp4"} | changes.get(f"v{n}", {}) for n in range(count)]


def seen(*numbers):
    return {"bundle": frozenset(name_digest(f"v{n}") for n in numbers)}


@pytest.mark.parametrize(
    ("count", "held"), [(4, "1 3"), (5, "1 3"), (7, "1 3"), (8, "1 3 7"), (13, "1 3 7 11"), (17, "1 3 7 11 15")]
)
def test_the_second_and_every_fourth_are_held_out(count, held):
    assert hold_out(corrected(count), {}) == held.split()


def test_what_a_bundle_was_trained_on_is_not_held_out_and_what_was_stays():
    assert hold_out(corrected(8), seen(0, 2, 3)) == ["1", "7"]
    assert hold_out(corrected(6), seen(1, 3)) == ["0", "2"]
    assert hold_out(corrected(8, v0={"held_out": True}), seen(2, 4, 5, 6)) == ["0", "1", "3", "7"]
    with pytest.raises(DataError, match=r"all but 1 of the corrected videos.*correct 1 other"):
        hold_out(corrected(5), seen(0, 1, 2, 3))


def test_held_out_videos_stay_so_when_more_are_corrected():
    held: set[str] = set()
    for count in range(4, 30):
        flags = {f"v{n}": {"held_out": True} for n in map(int, held)}
        trained = [n for n in range(count - 1) if str(n) not in held] if held else []
        now = set(hold_out(corrected(count, **flags), seen(*trained)))
        assert held <= now
        assert not now & {str(n) for n in trained}
        held = now
    assert held == {"1", *(str(n) for n in range(3, 29, 4))}


def test_a_video_that_is_not_usable_keeps_its_turn_and_another_is_held_out():
    assert hold_out(corrected(5, v3={"usable": False}), {}) == ["0", "1", "3"]


def test_bundles_know_videos_by_name_with_folders_too():
    videos = corrected(4, v1={"path": "day1/cam.mp4"})
    digests = {"bundle": frozenset([name_digest("day1_cam")])}
    assert hold_out(videos, digests) == ["0", "3"]


def test_too_few_corrected_videos_say_how_many_are_missing(store):
    with pytest.raises(DataError, match=r"0 corrected videos, and .* at least 4: correct 4 more"):
        gather(store, {})
    for number in range(4):
        correct(store, add_video(store, f"{number}.mp4", frames=10), ["cut"] * 10)
    gather(store, {})
    correct(store, gather(store, {})["videos"][2]["id"], ["rest"] * 10)
    with pytest.raises(DataError, match=r"3 corrected videos, .*: correct 1 more"):
        gather(store, {})
    with pytest.raises(ConfigError, match="epochs is a number"):
        gather(store, {"epochs": 0})


def test_videos_come_in_the_order_of_their_first_correction(store):
    ids = [add_video(store, f"{name}.mp4", frames=10) for name in "dacb"]
    for video in [*ids, ids[0]]:
        correct(store, video, ["cut"] * 10)
    request = gather(store, {"epochs": 3})
    assert [video["id"] for video in request["videos"]] == ids
    assert request["videos"][0]["segments"] == [(0, 10, "cut")]
    assert (request["name"], request["epochs"], request["bundles"]) == ("studio-1", 3, [])


def test_epochs_follow_the_number_of_videos():
    assert [default_epochs(n, warm=False) for n in (2, 10, 20, 50, 500)] == [60, 60, 30, 12, 12]
    assert default_epochs(10, warm=True) == 30


def trained(folder: Path, videos: int = 4):
    """Run a retraining of one epoch in this process; its request, result and parts."""
    store = with_squares(folder, videos)
    request = gather(store, {"epochs": 1}) | {"scratch": str(folder / "scratch")}
    parts: list = []
    said: list = []

    def report(done, message, part=None, curve=None):
        parts.extend([part] if part else [])
        said.append((done, message, curve))

    result = work(request, report)
    return store, request, result, parts, said


@pytest.mark.slow
def test_a_first_bundle_takes_over_and_the_same_corrections_give_the_same_one(tmp_path):
    weights = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        store, request, result, parts, said = trained(tmp_path / name)
        assert result["held_out"] == ["square1.mp4", "square3.mp4"]
        assert (result["active"], result["former"], result["comparison"]) == (True, None, None)
        assert result["trained_on"] == 2
        assert "not lower" in result["rule"]
        assert [point["epoch"] for point in result["curve"]] == [1]
        assert result["curve"][0]["loss"] > 0
        assert [done for done, *_ in said] == sorted(done for done, *_ in said)
        for part in parts:
            list(save(store, request, part))
        held = store.select("SELECT path FROM videos WHERE held_out = 1 ORDER BY path")
        assert [row["path"] for row in held] == result["held_out"]
        assert active_bundle(store) == "studio-1"
        place = bundle_folder(store, "studio-1")
        assert place == store.private / "bundles" / "studio-1"
        assert load(place).labels.names == ("background", "go_left", "go_right")
        expected = {name_digest(name) for name in ("square0", "square2")}
        assert set(read_config(place).seen) == expected
        weights.append((place / "weights.safetensors").read_bytes())
        store.close()
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("old", "new", "takes"), [("aabb", "aabb", True), ("aabb", "abbb", False), ("abbb", "aabb", True)]
)
def test_a_bundle_takes_over_if_it_is_not_worse(monkeypatch, old, new, takes):
    from keyseg.timeline import LabelMap, Segmentation

    class Data:
        labels = LabelMap(("background", "a", "b"), ("background",))

        def annotation(self, name):
            return Segmentation.from_frames([1, 1, 2, 2])

    class Fitted:
        def open_dataset(self):
            return Data()

    monkeypatch.setattr(judging, "_labels", lambda said, files, cache: {name: list(said) for name in files})
    videos, names = [{"id": "1", "file": "x"}, {"id": "2", "file": "y"}], {"1": "x", "2": "y"}
    verdict = judge(Fitted(), new, old, videos, names, "")
    assert verdict["active"] is takes
    assert verdict["scores"]["old"]["acc"] == (100 if old == "aabb" else 75)
    assert verdict["comparison"]["videos"] == 2
    low, high = verdict["comparison"]["intervals"]["acc"]
    assert low <= verdict["comparison"]["difference"]["acc"] <= high


@pytest.mark.slow
def test_retraining_with_more_corrected_videos_improves_the_held_out_scores(tmp_path):
    from keyseg.toy.kitchen import toy_video, write_video

    store = Store(tmp_path)
    videos = []
    for index in range(12):
        toy = toy_video(index)
        write_video(tmp_path / "film.mp4", toy.frames())
        content = (tmp_path / "film.mp4").read_bytes()
        videos.append((add_video(store, f"{toy.name}.mp4", content, frames=len(toy.labels)), toy.labels))
    queue = JobQueue(store)
    try:
        for count in (4, 12):
            for video, labels in videos[:count]:
                if not store.row(video, CORRECTION).revision:
                    correct(store, video, labels, "background")
            job = queue.submit("retrain", {"epochs": 10})["id"]
            with pytest.raises(Busy):
                queue.submit("retrain", {})
            job = queue.wait(job, 1200)
            assert job["state"] == "done", job["message"]
    finally:
        queue.close()
    result = job["result"]
    assert [one["name"] for one in bundles(store)] == ["studio-1", "studio-2"]
    assert active_bundle(store) == "studio-2"
    assert result["former"] == "studio-1"
    assert len(result["held_out"]) == 4
    assert len(job["curve"]) == 10
    assert result["comparison"]["difference"]["f1@50"] > 10
    assert result["comparison"]["intervals"]["f1@50"][0] > 0
    store.close()
    shutil.rmtree(tmp_path / ".keyseg" / "features")
