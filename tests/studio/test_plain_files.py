"""Corrections as plain files: written whole, readable by keyseg, and never lost where somebody else changed them."""

from __future__ import annotations

import os
import sys
import threading
from fractions import Fraction

import numpy as np
import pytest

import keyseg
from keyseg.studio import plain_files
from keyseg.studio.classes import classes
from keyseg.studio.plain_files import plain_text
from keyseg.studio.segments import Splice
from keyseg.studio.store import Store
from keyseg.studio.videos import scan
from studio_folder import add_video, insert, segment


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path)
    add_video(opened)
    yield opened
    opened.close()


def file(store, name="tea"):
    return store.folder / "annotations" / f"{name}.csv"


def labels(store, video="tea"):
    return [one.label for one in store.row(video, "correction").segments]


def actions(store, video="tea"):
    return [edit["action"] for edit in store.history(video, "correction")]


def test_a_save_is_written_as_a_table_that_keyseg_reads(store):
    insert(store, 0, segment(25, 50), segment(50, 75, 'put "it", down'))
    store.files.flush()
    assert file(store).read_bytes() == (
        b"video,start_seconds,end_seconds,label\n"
        b'tea.mp4,1.000000,2.000000,pour\ntea.mp4,2.000000,3.000000,"put ""it"", down"\n'
    )
    read = keyseg.read(file(store))["tea"]
    assert [(float(one.start_seconds), one.label) for one in read.intervals] == [(1, "pour"), (2, 'put "it", down')]
    insert(store, 0, segment(0, 25, "take"))
    store.files.flush()
    assert keyseg.read(file(store))["tea"].labels == ("pour", 'put "it", down', "take")
    assert list(file(store).parent.iterdir()) == [file(store)]


def test_it_is_written_without_being_asked(store, monkeypatch):
    written = threading.Event()
    monkeypatch.setattr(plain_files, "write_bytes", lambda path, content: written.set())
    insert(store, 0, segment(0, 25))
    assert written.wait(timeout=60)


def test_only_corrections_are_written(store):
    store.replace("tea", "prediction:b", [segment(0, 9)], author="b", action="predict")
    store.files.compare()
    assert not file(store).exists()


def test_closing_writes_what_is_left(tmp_path, store, monkeypatch):
    monkeypatch.setattr(store.files, "wake", lambda: None)
    insert(store, 0, segment(0, 25))
    monkeypatch.undo()
    store.close()
    assert "pour" in (tmp_path / "annotations" / "tea.csv").read_text()


def test_a_correction_without_segments_is_all_background(store):
    insert(store, 0, segment(0, 25))
    store.edit(
        "tea", "correction", 1, Splice(at=0, removed=(segment(0, 25),), inserted=()), author="A", action="delete"
    )
    store.files.flush()
    assert keyseg.read(file(store))["tea"].actions().intervals == ()
    assert labels(store) == []
    file(store).unlink()
    store.files.compare()
    assert labels(store) == []


@pytest.mark.parametrize("fps", ["1", "30000/1001", "120", "997/3", "100000"])
def test_frames_survive_the_seconds_of_the_table(tmp_path, fps):
    store = Store(tmp_path)
    add_video(store, frames=8_640_000, fps=fps)
    planted = [segment(0, 1), segment(1, 2), segment(17, 5_000_003, "stir"), segment(8_639_999, 8_640_000)]
    insert(store, 0, *planted)
    store.files.flush()
    with store.transaction() as connection:  # as if the state had been lost
        for table in ("files", "segments", "rows", "edits"):
            connection.execute(f"DELETE FROM {table}")
    store.files.compare()
    assert store.row("tea", "correction").segments == tuple(planted)
    store.close()


def test_folders_are_kept_and_two_videos_of_one_name_have_two_files(store):
    add_video(store, "avi", path="tea.avi")
    add_video(store, "Tea", path="TEA.mov")
    add_video(store, "deep", path="day 1/cam.2/tea.mp4")
    for video in ("tea", "avi", "Tea", "deep"):
        insert(store, 0, segment(0, 9, video), video=video)
        store.files.flush()
    places = {row["video"]: row["path"] for row in store.select("SELECT video, path FROM files")}
    assert places == {
        "tea": "annotations/tea.csv",
        "avi": "annotations/tea.avi.csv",
        "Tea": "annotations/TEA.mov.csv",
        "deep": "annotations/day 1/cam.2/tea.csv",
    }
    for video, place in places.items():
        (read,) = keyseg.read(store.folder / place).values()
        assert read.labels == (video,)
    store.files.compare()
    assert {row["video"]: row["path"] for row in store.select("SELECT video, path FROM files")} == places


def test_the_file_follows_a_video_that_was_renamed(store):
    insert(store, 0, segment(0, 9))
    store.files.flush()
    with store.transaction() as connection:
        connection.execute("UPDATE videos SET path = 'day1/coffee.mp4' WHERE id = 'tea'")
    store.files.compare()
    assert not file(store).exists()
    assert "day1/coffee.mp4" in file(store, "day1/coffee").read_text()
    assert actions(store) == ["insert"]


def test_a_missing_and_a_stale_file_are_written_anew(store, monkeypatch):
    insert(store, 0, segment(0, 9))
    store.files.flush()
    file(store).unlink()
    store.files.compare()
    assert file(store).exists()
    monkeypatch.setattr(store.files, "wake", lambda: None)  # killed before the file was written
    insert(store, 1, segment(9, 20, "stir"))
    monkeypatch.undo()
    store.files.compare()
    assert "stir" in file(store).read_text()
    assert actions(store) == ["insert", "insert"]


def test_a_kill_after_the_file_and_before_the_note_of_it_is_no_change_from_outside(store, monkeypatch):
    insert(store, 0, segment(0, 9))
    store.files.flush()
    write = plain_files.write_bytes

    def killed(path, content):
        write(path, content)
        raise KeyboardInterrupt

    monkeypatch.setattr(store.files, "wake", lambda: None)
    monkeypatch.setattr(plain_files, "write_bytes", killed)
    insert(store, 1, segment(9, 20, "stir"))
    with pytest.raises(KeyboardInterrupt):
        store.files.flush()
    insert(store, 2, segment(20, 30, "take"))
    monkeypatch.undo()
    store.files.compare()
    assert actions(store) == ["insert"] * 3
    assert "take" in file(store).read_text()


def test_a_file_changed_outside_becomes_a_revision(store):
    insert(store, 0, segment(25, 50))
    store.files.flush()
    file(store).write_text(file(store).read_text().replace("pour", "drop"))
    told = []
    store.on_saved = told.append
    store.files.compare()
    assert labels(store) == ["drop"]
    assert [(one.name, one.revision, one.author) for one in told] == [("correction", 2, "annotations/tea.csv")]
    assert store.files.problems == {}
    store.files.compare()
    assert len(actions(store)) == 2


def test_a_program_that_drops_spaces_makes_no_second_class(store):
    insert(store, 0, segment(25, 50, "take cup"))
    store.files.flush()
    file(store).write_text(file(store).read_text().replace("take cup", "take_cup").replace("2.000000", "3.000000"))
    store.files.compare()
    assert labels(store) == ["take cup"]
    assert [one["name"] for one in classes(store)] == ["take cup"]


def test_a_file_changed_outside_before_a_save_is_in_the_history(store):
    insert(store, 0, segment(25, 50))
    store.files.flush()
    file(store).write_text(file(store).read_text().replace("pour", "drop"))
    insert(store, 1, segment(50, 60, "stir"))
    store.files.flush()
    assert labels(store) == ["pour", "stir"]
    assert "drop" not in file(store).read_text()
    assert "changed outside the studio before the last save" in store.files.problems["tea"]
    history = store.history("tea", "correction")
    assert [(edit["author"], edit["action"]) for edit in history[2:]] == [
        ("annotations/tea.csv", "changed outside the studio"),
        ("annotations/tea.csv", "saved later in the studio"),
    ]
    dropped = []
    for edit in history[:3]:
        dropped = Splice.model_validate_json(edit["splice"]).applied(dropped, 1000)
    assert [one.label for one in dropped] == ["drop"]


@pytest.mark.parametrize(
    "line", ["tea.mp4,1.0,3.0,a\ntea.mp4,2.0,4.0,b", "tea.mp4,1.0,99999,a", "tea.mp4,x,3.0,a", "tea.mp4,1.0,1.0,a"]
)
def test_a_changed_file_that_cannot_be_read_is_kept_aside(store, line):
    insert(store, 0, segment(25, 50))
    store.files.flush()
    content = f"video,start_seconds,end_seconds,label\n{line}\n"
    file(store).write_text(content)
    store.files.compare()
    (kept,) = (store.private / "conflicts").iterdir()
    assert kept.read_text() == content
    assert str(kept) in store.files.problems["tea"]
    assert labels(store) == ["pour"]
    assert "pour" in file(store).read_text()


def test_a_lost_state_comes_back_from_the_files(tmp_path, store):
    insert(store, 0, segment(25, 50))
    store.close()
    (tmp_path / ".keyseg" / "studio.sqlite").unlink()
    again = Store(tmp_path)
    add_video(again)
    again.files.compare()
    assert labels(again) == ["pour"]
    assert [edit["author"] for edit in again.history("tea", "correction")] == ["annotations/tea.csv"]
    again.close()


def test_a_table_of_another_program_is_left_alone(store):
    file(store).parent.mkdir()
    file(store).write_text("Observation id,Media file\nx,y\n")
    store.files.compare()
    insert(store, 0, segment(25, 50))
    store.files.flush()
    assert file(store).read_text() == "Observation id,Media file\nx,y\n"
    assert "pour" in file(store, "tea.mp4").read_text()


def test_an_unreadable_file_of_a_video_without_correction_stays_and_is_reported(store):
    file(store).parent.mkdir()
    content = "video,start_seconds,end_seconds,label\ntea.mp4,1.0,99999,a\n"
    file(store).write_text(content)
    store.files.compare()
    assert "ends after the video" in store.files.problems["tea"]
    assert file(store).read_text() == content
    assert store.row("tea", "correction").revision == 0


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="rights do not bind everybody here")
def test_a_folder_without_rights_is_reported_and_the_save_is_kept(store):
    (store.folder / "annotations").mkdir(mode=0o500)
    insert(store, 0, segment(25, 50))
    store.files.flush()
    assert "Permission denied" in store.files.problems["tea"]
    assert labels(store) == ["pour"]


def test_a_file_that_cannot_be_written_is_reported_and_written_later(store, monkeypatch):
    def full(path, content):
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(plain_files, "write_bytes", full)
        insert(store, 0, segment(25, 50))
        store.files.flush()
        assert store.files.problems == {"tea": "No space left on device"}
    store.files.compare()
    assert store.files.problems == {}
    assert "pour" in file(store).read_text()


def test_the_table_of_a_timeline_starts_with_its_columns(store):
    lines = plain_text(store.video("tea"), (segment(1, 2),)).decode().splitlines()
    assert lines == ["video,start_seconds,end_seconds,label", "tea.mp4,0.040000,0.080000,pour"]
    assert store.video("tea").fps == Fraction(25)


@pytest.mark.slow
def test_the_files_and_the_videos_make_a_data_set(tmp_path, make_clip):
    store = Store(tmp_path / "films")
    for shade, name in ((0, "day1/tea"), (90, "day1/coffee")):
        pictures = [np.full((48, 64, 3), shade + number, np.uint8) for number in range(30)]
        make_clip(store.folder / f"{name}.mp4", pictures, rate=15)
    scan(store)
    for video in store.videos():
        insert(store, 0, segment(0, 15, "pour"), segment(20, 30, "stir"), video=video.id)
    store.close()
    films = tmp_path / "films" / "day1"
    made = keyseg.init(tmp_path / "data", videos=films, annotations=tmp_path / "films" / "annotations" / "day1", fps=15)
    assert (made.videos, made.classes, made.frames) == (2, 3, 60)
