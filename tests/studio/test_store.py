"""The state of a folder: edits, conflicts, history, the mark checked, classes, and one owner."""

from __future__ import annotations

import json
import sqlite3
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg.studio.classes import add_class, classes, recolour_class, rename_class
from keyseg.studio.rows import CORRECTION, Conflict, SavedRow
from keyseg.studio.segments import Splice
from keyseg.studio.store import Store
from keyseg.timeline import ConfigError, DataError, TimelineError
from keyseg.viz.colours import PALETTE
from studio_folder import add_video, insert, segment


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path)
    add_video(opened)
    yield opened
    opened.close()


def replayed(store, video="tea", row=CORRECTION):
    """The segments that the splices of the history make, and whether revisions count from 1."""
    segments, edits = [], store.history(video, row)
    for edit in edits:
        segments = Splice.model_validate_json(edit["splice"]).applied(segments, store.frames(video))
    assert [edit["revision"] for edit in edits] == list(range(1, len(edits) + 1))
    return tuple(segments)


def test_a_row_that_is_not_there_is_empty(store):
    assert store.row("tea", CORRECTION) == SavedRow("tea", CORRECTION)


def test_edits_and_their_history(store):
    saved = insert(store, 0, segment(0, 10), segment(20, 30, "stir"))
    assert (saved.revision, saved.author) == (1, "Ada")
    move = Splice(at=1, removed=(segment(20, 30, "stir"),), inserted=(segment(10, 30, "stir"),))
    store.edit("tea", CORRECTION, 1, move, author="Bo", action="drag")
    row = store.row("tea", CORRECTION)
    assert row == SavedRow("tea", CORRECTION, 2, (segment(0, 10), segment(10, 30, "stir")))
    assert replayed(store) == row.segments
    assert [(edit["author"], edit["action"]) for edit in store.history("tea", CORRECTION)] == [
        ("Ada", "insert"),
        ("Bo", "drag"),
    ]
    assert all(edit["time"] > 0 for edit in store.history("tea", CORRECTION))


def test_an_edit_of_another_revision_is_a_conflict_that_shows_the_row_as_it_is(store):
    insert(store, 0, segment(0, 10))
    with pytest.raises(Conflict, match="Ada has saved this timeline in the meantime") as caught:
        store.edit("tea", CORRECTION, 0, Splice(at=0, removed=(), inserted=()), author="Bo", action="insert")
    assert caught.value.row.segments == (segment(0, 10),)
    assert caught.value.author == "Ada"
    with pytest.raises(Conflict):
        store.replace("tea", CORRECTION, [], author="Bo", action="import", revision=2)
    assert len(store.history("tea", CORRECTION)) == 1


@pytest.mark.parametrize(
    "splice",
    [
        Splice(at=0, removed=(), inserted=(segment(5, 15),)),
        Splice(at=1, removed=(), inserted=(segment(9, 15),)),
        Splice(at=1, removed=(), inserted=(segment(990, 1001),)),
        Splice(at=0, removed=(segment(0, 10, "stir"),), inserted=()),
        Splice(at=0, removed=(segment(0, 10, confidence=0.5),), inserted=()),
        Splice(at=2, removed=(), inserted=(segment(50, 60),)),
    ],
)
def test_what_is_no_timeline_is_refused_and_nothing_changes(store, splice):
    insert(store, 0, segment(0, 10))
    with pytest.raises(TimelineError):
        store.edit("tea", CORRECTION, 1, splice, author="Bo", action="insert")
    assert store.row("tea", CORRECTION) == SavedRow("tea", CORRECTION, 1, (segment(0, 10),))
    assert len(store.history("tea", CORRECTION)) == 1


def test_an_unknown_video_is_an_error(store):
    with pytest.raises(DataError, match="no video 'coffee'"):
        insert(store, 0, segment(0, 1), video="coffee")


segments_or_gaps = st.lists(st.tuples(st.integers(1, 9), st.sampled_from(["", "pour", "stir"])), max_size=6)


@settings(max_examples=25)
@given(st.lists(segments_or_gaps, max_size=5))
def test_a_row_is_what_its_history_replays_to(tmp_path_factory, states):
    store = Store(tmp_path_factory.mktemp("folder"))
    try:
        add_video(store)
        for number, state in enumerate(states):
            position, after = 0, []
            for length, label in state:
                after += [segment(position, position + length, label, 0.25)] if label else []
                position += length
            splice = Splice.between(store.row("tea", CORRECTION).segments, after)
            store.edit("tea", CORRECTION, number, splice, author="Ada", action="edit")
            assert store.row("tea", CORRECTION).segments == tuple(after) == replayed(store)
    finally:
        store.close()


def test_a_whole_timeline_is_one_small_edit(store):
    before = [segment(i * 10, i * 10 + 8) for i in range(50)]
    store.replace("tea", "prediction:b", before, author="b", action="predict", details={"boundaries": [3]})
    after = [*before[:20], segment(200, 205), *before[21:]]
    row = store.replace("tea", "prediction:b", after, author="b", action="predict", details={"boundaries": [4]})
    assert row == store.row("tea", "prediction:b")
    assert row.details == {"boundaries": [4]}
    assert replayed(store, row="prediction:b") == tuple(after)
    assert json.loads(store.history("tea", "prediction:b")[1]["splice"])["at"] == 20
    assert store.rows("tea") == [row]


def test_a_correction_starts_as_a_copy(store):
    store.replace("tea", "proposal", [segment(0, 9, confidence=0.5)], author="b", action="propose", details={"a": 1})
    row = store.copy("tea", "proposal", revision=0, author="Ada")
    assert row == SavedRow("tea", CORRECTION, 1, (segment(0, 9),))
    with pytest.raises(Conflict):
        store.copy("tea", "proposal", revision=0, author="Bo")
    with pytest.raises(DataError, match=r"tea\.mp4: there is no row 'prediction:x' to copy"):
        store.copy("tea", "prediction:x", revision=1, author="Bo")


def test_the_mark_checked_has_an_author_and_goes_with_the_next_edit(store):
    with pytest.raises(DataError, match="no correction to mark as checked"):
        store.check("tea", True, author="Ada")
    insert(store, 0, segment(0, 10))
    store.check("tea", True, author="Bo")
    assert store.video("tea").checked
    store.replace("tea", "prediction:b", [segment(0, 5)], author="b", action="predict")
    assert store.video("tea").checked
    insert(store, 1, segment(10, 20))
    assert not store.video("tea").checked
    store.check("tea", True, author="Cy")
    store.check("tea", False, author="Cy")
    assert not store.video("tea").checked
    marks = store.history("tea", "checked")
    assert [(mark["author"], mark["action"]) for mark in marks] == [
        ("Bo", "checked"),
        ("Cy", "checked"),
        ("Cy", "unchecked"),
    ]


def test_saves_are_told_after_they_are_kept(store):
    told = []
    store.on_saved = lambda saved: told.append((saved, store.row(saved.video, saved.name).revision))
    insert(store, 0, segment(0, 10))
    with pytest.raises(TimelineError):
        insert(store, 0, segment(5, 10))
    store.check("tea", True, author="Bo")
    assert [(one.name, one.revision, one.author) for one, _ in told] == [("correction", 1, "Ada"), ("checked", 1, "Bo")]
    assert told[0][1] == 1


def test_several_threads_save_one_after_the_other(store):
    lost, threads = [], []

    def work(number):
        for _ in range(10):
            while True:
                try:
                    insert(store, len(store.row("tea", CORRECTION).segments), author=str(number))
                    break
                except Conflict:
                    lost.append(number)

    for number in range(4):
        threads.append(threading.Thread(target=work, args=(number,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert store.row("tea", CORRECTION).revision == 40


def test_a_failed_write_changes_nothing_and_is_explained(store):
    insert(store, 0, segment(0, 10))
    pages = store.select("PRAGMA page_count")[0][0]
    store.select(f"PRAGMA max_page_count = {pages}")
    many = [segment(i, i + 1, f"class {i}") for i in range(10, 900)]
    with pytest.raises(DataError, match=r"nothing was saved.*is the disk full"):
        store.replace("tea", CORRECTION, many, author="Ada", action="import")
    store.select("PRAGMA max_page_count = 1000000")
    assert store.row("tea", CORRECTION).segments == (segment(0, 10),)
    assert insert(store, 1, segment(10, 20)).revision == 2


def test_the_folder_has_one_owner(tmp_path, store):
    with pytest.raises(DataError, match="another studio has this folder open; use its page, or stop it"):
        Store(tmp_path)
    store.close()
    again = Store(tmp_path)
    again.close()


def test_the_state_is_kept_on_disk_before_a_save_is_acknowledged(store):
    assert store.select("PRAGMA journal_mode")[0][0] == "wal"
    assert store.select("PRAGMA synchronous")[0][0] == 2


def test_classes_come_with_the_labels_in_distinct_colours(store):
    insert(store, 0, *(segment(i, i + 1, f"c{i % 70:02}") for i in range(140)))
    found = classes(store)
    assert [one["name"] for one in found] == [f"c{i:02}" for i in range(70)]
    assert [one["colour"] for one in found[: len(PALETTE)]] == list(PALETTE)


def test_a_new_class_gets_an_unused_colour(store):
    assert add_class(store, "pour", PALETTE[1].upper()) == {"name": "pour", "colour": PALETTE[1]}
    assert add_class(store, " stir ")["colour"] == PALETTE[0]
    assert add_class(store, "take")["colour"] == PALETTE[2]
    with pytest.raises(DataError, match="already a class 'stir'"):
        add_class(store, "stir")
    with pytest.raises(DataError, match="cannot be the name of a class"):
        add_class(store, "a\nb")
    with pytest.raises(ConfigError, match="a colour is #rrggbb"):
        add_class(store, "x", "red; background: url(x)")


def test_recolouring(store):
    add_class(store, "pour")
    recolour_class(store, "pour", "#ABCDEF")
    assert classes(store) == [{"name": "pour", "colour": "#abcdef"}]
    with pytest.raises(DataError, match=r"no class 'pout'.*pour"):
        recolour_class(store, "pout", "#abcdef")


HOSTILE = "</td><script>'\"; DROP TABLE rows; --"


def test_renaming_a_class_is_an_edit_of_every_timeline_that_has_it(store):
    add_video(store, "coffee")
    insert(store, 0, segment(0, 10), segment(10, 20, "stir"), segment(20, 30))
    insert(store, 0, segment(0, 10, "stir"), video="coffee")
    store.replace(
        "coffee", "prediction:b", [segment(0, 9, confidence=0.5)], author="b", action="predict", details={"a": 1}
    )
    store.check("tea", True, author="Ada")
    told = []
    store.on_saved = told.append
    assert told == []
    saved = rename_class(store, "pour", HOSTILE, author="Bo")
    assert told == saved
    assert {(one.video, one.name, one.revision, one.author) for one in saved} == {
        ("tea", CORRECTION, 2, "Bo"),
        ("coffee", "prediction:b", 2, "Bo"),
    }
    labels = [one.label for one in store.row("tea", CORRECTION).segments]
    assert labels == [HOSTILE, "stir", HOSTILE]
    assert replayed(store) == store.row("tea", CORRECTION).segments
    assert store.row("coffee", "prediction:b") == SavedRow(
        "coffee", "prediction:b", 2, (segment(0, 9, HOSTILE, 0.5),), {"a": 1}
    )
    assert [one["name"] for one in classes(store)] == [HOSTILE, "stir"]
    assert store.video("tea").checked  # the same boundaries and the same meaning


def test_renaming_to_another_class_is_refused_as_a_whole(store):
    insert(store, 0, segment(0, 10), segment(10, 20, "stir"))
    for name, new in (("pour", "stir"), ("pout", "drop")):
        with pytest.raises(DataError):
            rename_class(store, name, new, author="Bo")
    assert store.row("tea", CORRECTION).revision == 1
    assert [one["name"] for one in classes(store)] == ["pour", "stir"]


def test_a_rename_that_fails_midway_leaves_everything(store, monkeypatch):
    add_video(store, "coffee")
    insert(store, 0, segment(0, 10))
    insert(store, 0, segment(0, 10), video="coffee")
    calls = []

    def failing(edit, action, splice):
        calls.append(edit)
        if len(calls) == 2:
            raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(store, "_remember", failing)
    with pytest.raises(DataError, match="nothing was saved"):
        rename_class(store, "pour", "drop", author="Bo")
    assert store.row("tea", CORRECTION).segments == store.row("coffee", CORRECTION).segments == (segment(0, 10),)
    assert classes(store)[0]["name"] == "pour"
