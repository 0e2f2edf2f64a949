"""Versions of the tables: older ones become the present one, newer ones are refused, a kill changes nothing."""

from __future__ import annotations

import os
import sqlite3

import pytest

from keyseg.studio import schema
from keyseg.studio.store import Store
from keyseg.timeline import DataError
from studio_folder import add_video, insert, segment


def tables(connection):
    return [row[0] for row in connection.execute("SELECT sql FROM sqlite_master ORDER BY name")]


def test_opening_again_keeps_everything(tmp_path):
    store = Store(tmp_path)
    add_video(store)
    insert(store, 0, segment(0, 9))
    store.close()
    again = Store(tmp_path)
    assert again.row("tea", "correction").segments == (segment(0, 9),)
    again.close()


def test_a_newer_version_is_refused_and_left_alone(tmp_path):
    Store(tmp_path).close()
    file = tmp_path / ".keyseg" / "studio.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(DataError, match=r"studio\.sqlite: written by a newer version of keyseg \(tables 99\); update"):
        Store(tmp_path)
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    Store(tmp_path).close()  # the lock was released


def test_an_earlier_version_gets_what_it_lacks(monkeypatch):
    connection = sqlite3.connect(":memory:")
    schema.migrate(connection, "x")
    connection.execute("INSERT INTO classes VALUES ('pour', '#0072b2', 0)")
    addition = "ALTER TABLE classes ADD COLUMN key TEXT NOT NULL DEFAULT '';"
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, addition))
    schema.migrate(connection, "x")
    schema.migrate(connection, "x")
    assert connection.execute("SELECT * FROM classes").fetchall() == [("pour", "#0072b2", 0, "")]
    assert connection.execute("PRAGMA user_version").fetchone()[0] == len(schema.MIGRATIONS)


def test_a_migration_happens_as_a_whole_or_not_at_all(monkeypatch):
    connection = sqlite3.connect(":memory:")
    schema.migrate(connection, "x")
    before = tables(connection)
    broken = "CREATE TABLE first(a); CREATE TABLE first(a);"
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(connection, "x")
    connection.rollback()
    assert tables(connection) == before
    assert connection.execute("PRAGMA user_version").fetchone()[0] == len(schema.MIGRATIONS) - 1


def test_a_damaged_file_is_reported(tmp_path):
    (tmp_path / ".keyseg").mkdir()
    (tmp_path / ".keyseg" / "studio.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(DataError, match=r"studio\.sqlite: the state of the studio cannot be read .*folder annotations"):
        Store(tmp_path)


OUTSIDE = [
    "UPDATE videos SET path = '../../secret.mp4'",
    "UPDATE videos SET path = '/secret.mp4'",
    "UPDATE videos SET digest = '../secret'",
    "UPDATE files SET path = 'annotations/../../notes.csv'",
    "INSERT INTO jobs VALUES ('..', 'predict', '{}', 'queued', 0, '', '{}', 0, NULL)",
    "INSERT INTO jobs VALUES ('../../films', 'predict', '{}', 'queued', 0, '', '{}', 0, NULL)",
]


@pytest.mark.parametrize("change", OUTSIDE)
def test_a_folder_of_a_stranger_reaches_nothing_outside(tmp_path, change):
    store = Store(tmp_path / "films")
    add_video(store)
    insert(store, 0, segment(0, 9))
    store.files.flush()
    store.close()
    (tmp_path / "notes.csv").write_text("mine")
    file = tmp_path / "films" / ".keyseg" / "studio.sqlite"
    with sqlite3.connect(file) as connection:
        assert connection.execute(change).rowcount == 1
    connection.close()
    with pytest.raises(DataError, match=r"studio\.sqlite: refers to '[^']*', outside the folder; move the file away"):
        Store(tmp_path / "films")
    assert (tmp_path / "notes.csv").read_text() == "mine"


def test_odd_names_of_videos_stay_inside(tmp_path):
    store = Store(tmp_path)
    for number, path in enumerate(("a..b.mp4", "day 1/..mp4", *(["c:film.mp4"] if os.name == "posix" else []))):
        add_video(store, f"v{number}", path=path)
    store.close()
    Store(tmp_path).close()
