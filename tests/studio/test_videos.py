"""Finding the videos of a folder: new, moved, copied, changed, missing and broken ones."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from fractions import Fraction

import numpy as np
import pytest

from keyseg.studio import videos
from keyseg.studio.segments import Splice
from keyseg.studio.store import Store
from keyseg.studio.videos import content_digest, scan
from keyseg.timeline import DataError
from keyseg.video.protocol import VideoInfo
from studio_folder import insert, segment


@pytest.fixture
def probes(monkeypatch):
    """Files say their seconds; the paths that were probed. A file that does not is broken."""
    asked = []

    def probe(path):
        asked.append(path.name)
        first = path.read_bytes().split(b" ")[0]
        if not first.isdigit():
            raise DataError(f"{path}: cannot read the video")
        return VideoInfo(64, 48, Fraction(1, 1000), 0, Fraction(int(first)), Fraction(25), "h264", "yuv420p", "mov,mp4")

    monkeypatch.setattr(videos, "probe", probe)
    return asked


@pytest.fixture
def store(tmp_path, probes):
    opened = Store(tmp_path)
    yield opened
    opened.close()


def film(store, name, seconds=4, rest="film"):
    path = store.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{seconds} {rest} {name}")
    return path


def listed(store):
    return {video.path: video.id for video in store.videos() if not video.missing}


def test_videos_of_the_folder_and_below_with_relative_paths(store):
    for name in ("b.mp4", "day 1/a.MOV", "day 1/ü/c.avi", ".hidden/x.mp4", ".keyseg/proxies/y.mp4", ".z.mp4", "a.txt"):
        film(store, name)
    assert scan(store).added == 3
    found = store.videos()
    assert [video.path for video in found] == ["b.mp4", "day 1/a.MOV", "day 1/ü/c.avi"]
    assert found[1].file == store.folder / "day 1" / "a.MOV"
    assert {(video.frames, video.fps, video.playable) for video in found} == {(100, Fraction(25), True)}


def test_an_unchanged_video_is_neither_read_nor_probed_again(store, probes, monkeypatch):
    film(store, "a.mp4")
    scan(store)
    monkeypatch.setattr(videos, "content_digest", lambda path: pytest.fail("read again"))
    told = []
    assert scan(store, lambda: told.append(1)).added == 0
    assert (probes, told) == (["a.mp4"], [])


def test_a_touched_video_is_known_by_its_content(store, probes):
    path = film(store, "a.mp4")
    scan(store)
    before = listed(store)
    os.utime(path, (1, 1))
    scan(store)
    assert listed(store) == before
    assert probes == ["a.mp4"]


def test_moved_renamed_and_swapped_videos_keep_their_timelines(store, probes):
    one, two = film(store, "one.mp4"), film(store, "two.mp4", 5)
    scan(store)
    ids = listed(store)
    insert(store, 0, segment(0, 9), video=ids["one.mp4"])
    one.rename(store.folder / "x.mp4")
    two.rename(one)
    (store.folder / "x.mp4").rename(two)
    assert scan(store).moved == 2
    assert listed(store) == {"one.mp4": ids["two.mp4"], "two.mp4": ids["one.mp4"]}
    (store.folder / "day1").mkdir()
    two.rename(store.folder / "day1" / "three.mp4")
    assert scan(store).moved == 1
    assert listed(store) == {"one.mp4": ids["two.mp4"], "day1/three.mp4": ids["one.mp4"]}
    assert store.row(ids["one.mp4"], "correction").segments == (segment(0, 9),)
    assert len(probes) == 2


def test_copies_of_one_film_are_two_videos_each_of_which_keeps_its_own(store):
    path = film(store, "b.mp4")
    shutil.copy(path, store.folder / "c.mp4")
    scan(store)
    ids = listed(store)
    assert len(set(ids.values())) == 2
    path.rename(store.folder / "a.mp4")
    os.utime(store.folder / "c.mp4", (1, 1))
    scan(store)
    assert listed(store) == {"a.mp4": ids["b.mp4"], "c.mp4": ids["c.mp4"]}


def test_a_missing_video_is_marked_and_comes_back(store, tmp_path):
    path = film(store, "a.mp4")
    scan(store)
    video = listed(store)["a.mp4"]
    insert(store, 0, segment(0, 9), video=video)
    away = tmp_path.parent / f"{tmp_path.name}-away"
    shutil.move(path, away)
    assert scan(store).missing == 1
    assert store.video(video).missing
    shutil.move(away, path)
    assert scan(store).missing == 0
    assert not store.video(video).missing
    assert store.row(video, "correction").revision == 1


def test_new_content_under_one_name_keeps_the_timelines_if_they_fit(store):
    path = film(store, "a.mp4", 4)
    scan(store)
    video = listed(store)["a.mp4"]
    path.write_text("4 encoded anew")
    scan(store)
    assert listed(store) == {"a.mp4": video}
    path.write_text("5 another film")
    assert (scan(store).added, store.video(video).missing) == (1, True)
    other = listed(store)["a.mp4"]
    assert other != video
    assert store.frames(other) == 125
    path.write_text("4 encoded anew")
    scan(store)
    assert listed(store) == {"a.mp4": video}
    assert store.video(other).missing


def test_a_broken_video_is_listed_with_its_error_and_the_others_are_there(store, probes):
    path = film(store, "a.mp4", "broken")
    film(store, "b.mp4")
    found = scan(store)
    assert found.broken == ("a.mp4: cannot read the video",)
    a, b = store.videos()
    assert (a.error, a.frames, b.error) == ("cannot read the video", 0, "")
    scan(store)
    assert probes == ["a.mp4", "b.mp4"]
    path.write_text("4 now it is there")  # as when it was being copied
    scan(store)
    assert [(v.id, v.error, v.frames) for v in store.videos()] == [(a.id, "", 100), (b.id, "", 100)]


def test_a_broken_video_that_is_gone_is_forgotten(store):
    film(store, "a.mp4", "broken").rename(store.folder / "a.mp4")
    scan(store)
    (store.folder / "a.mp4").unlink()
    scan(store)
    assert store.videos() == []


def test_a_video_that_breaks_and_is_repaired_keeps_its_timelines(store):
    path = film(store, "a.mp4")
    scan(store)
    video, content = listed(store)["a.mp4"], path.read_bytes()
    path.write_text("broken")
    scan(store)
    assert store.video(video).missing
    path.write_bytes(content)
    scan(store)
    assert [(v.id, v.missing, v.error) for v in store.videos()] == [(video, False, "")]


def test_a_copy_of_the_folder_works_elsewhere(store, tmp_path, probes):
    film(store, "day1/a.mp4")
    scan(store)
    video = listed(store)["day1/a.mp4"]
    insert(store, 0, segment(0, 9), video=video)
    store.close()
    elsewhere = tmp_path.parent / f"{tmp_path.name}-copy"
    shutil.copytree(tmp_path, elsewhere, copy_function=shutil.copyfile)
    copy = Store(elsewhere)
    scan(copy)
    assert copy.video(video).file == elsewhere.resolve() / "day1" / "a.mp4"
    assert not copy.video(video).missing
    assert copy.row(video, "correction").segments == (segment(0, 9),)
    assert probes == ["a.mp4"]
    copy.close()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_no_text_is_left_out(store):
    with open(os.path.join(os.fsencode(store.folder), b"b\xff.mp4"), "wb") as file:
        file.write(b"4")
    film(store, "a.mp4")
    assert scan(store).left_out == ("b\ufffd.mp4",)
    assert list(listed(store)) == ["a.mp4"]


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_link_out_of_the_folder_is_refused_and_circles_do_no_harm(store, tmp_path):
    outside = tmp_path.parent / f"{tmp_path.name}-outside.mp4"
    outside.write_text("4")
    (store.folder / "a.mp4").symlink_to(outside)
    (store.folder / "round").symlink_to(store.folder)
    (store.folder / "gone.mp4").symlink_to(store.folder / "nothing.mp4")
    scan(store)
    assert [(video.path, video.error) for video in store.videos()] == [
        ("a.mp4", "cannot read it (this link leads out of the folder; copy the video into it)")
    ]
    (store.folder / "a.mp4").unlink()
    film(store, "a.mp4")
    scan(store)
    assert [video.error for video in store.videos()] == [""]


def test_hostile_names_are_kept_as_they_are(store):
    names = ["'; DROP TABLE videos; --.mp4", "%s{0}$(x).mp4", "<b>.mp4"] if os.name != "nt" else ["%s{0}$(x).mp4"]
    for name in names:
        film(store, name)
    scan(store)
    assert sorted(listed(store)) == sorted(names)


def test_the_digest_sees_size_start_middle_and_end(tmp_path):
    content = bytearray(8 * 2**20)
    path = tmp_path / "a"

    def digest():
        path.write_bytes(content)
        return content_digest(path)

    digests = {digest()}
    for place in (0, 4 * 2**20, len(content) - 1):
        content[place] = 1
        digests.add(digest())
    content += bytes(1)
    digests.add(digest())
    assert len(digests) == 5


def test_a_kill_between_the_steps_of_a_scan_loses_nothing(store, monkeypatch):
    film(store, "a.mp4")
    scan(store)
    video = listed(store)["a.mp4"]
    insert(store, 0, segment(0, 9), video=video)
    film(store, "a.mp4", 4, "anew")
    film(store, "b.mp4")
    monkeypatch.setattr(videos, "_probed", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        scan(store)
    monkeypatch.undo()
    monkeypatch.setattr(
        videos,
        "probe",
        lambda path: VideoInfo(64, 48, Fraction(1, 1000), 0, Fraction(4), Fraction(25), "h264", "yuv420p", "mov,mp4"),
    )
    scan(store)
    assert listed(store)["a.mp4"] == video
    store.edit(video, "correction", 1, Splice(at=0, removed=(), inserted=()), author="Ada", action="x")


def test_closing_ends_a_scan(store, probes):
    for number in range(50):
        film(store, f"{number:02}.mp4")
    with pytest.raises(sqlite3.ProgrammingError):
        scan(store, store.close)
    assert len(probes) < 50
    assert not store.scanning.locked()


@pytest.mark.slow
def test_real_files(tmp_path, make_clip):
    """Two clips that browsers play, one that they do not, and one that is cut off."""
    pictures = [np.full((48, 64, 3), shade, np.uint8) for shade in range(0, 200, 4)]
    make_clip(tmp_path / "a.mp4", pictures, rate=25)
    make_clip(tmp_path / "b.avi", pictures, rate=10)
    make_clip(tmp_path / "c.ts", pictures, rate=25)  # does not say its length
    (tmp_path / "d.mp4").write_bytes((tmp_path / "a.mp4").read_bytes()[:200])
    store = Store(tmp_path)
    scan(store)
    found = {video.path: video for video in store.videos()}
    assert {name: (v.frames, v.fps, v.playable) for name, v in found.items() if name != "d.mp4"} == {
        "a.mp4": (50, 25, True),
        "b.avi": (50, 10, False),
        "c.ts": (50, 25, False),
    }
    assert "cannot" in found["d.mp4"].error
    assert str(tmp_path) not in found["d.mp4"].error
    store.close()
