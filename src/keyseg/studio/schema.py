"""The tables of the studio, and how those of earlier versions become them."""

from __future__ import annotations

import sqlite3
from pathlib import PurePath

from keyseg.timeline import DataError

# videos: path relative to the folder, with forward slashes; modified in ns; error: why a file cannot be read.
# rows: one per timeline; confidence: mean of its segments, weighted by duration. edits: of a row, by revision, or of
# the mark `checked` of a video. files: the plain files of the corrections, with the digests of
# what was written and of what was about to be, so that a change from outside is noticed, also after a kill.
MIGRATIONS = (
    """
    CREATE TABLE videos(
        id TEXT PRIMARY KEY, path TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL,
        modified INTEGER NOT NULL, frames INTEGER NOT NULL, fps TEXT NOT NULL, playable INTEGER NOT NULL,
        error TEXT NOT NULL DEFAULT '', missing INTEGER NOT NULL DEFAULT 0, checked INTEGER NOT NULL DEFAULT 0,
        held_out INTEGER NOT NULL DEFAULT 0);
    CREATE UNIQUE INDEX videos_by_path ON videos(path) WHERE missing = 0;
    CREATE TABLE rows(
        id INTEGER PRIMARY KEY, video TEXT NOT NULL REFERENCES videos(id), name TEXT NOT NULL,
        revision INTEGER NOT NULL, confidence REAL, details TEXT NOT NULL DEFAULT '{}', UNIQUE(video, name));
    CREATE TABLE segments(
        row INTEGER NOT NULL REFERENCES rows(id), start_frame INTEGER NOT NULL, end_frame INTEGER NOT NULL,
        label TEXT NOT NULL, confidence REAL, PRIMARY KEY(row, start_frame)) WITHOUT ROWID;
    CREATE TABLE edits(
        id INTEGER PRIMARY KEY, video TEXT NOT NULL REFERENCES videos(id), row TEXT NOT NULL,
        revision INTEGER NOT NULL, action TEXT NOT NULL, author TEXT NOT NULL, time REAL NOT NULL,
        splice TEXT NOT NULL);
    CREATE UNIQUE INDEX edits_of_a_row ON edits(video, row, revision);
    CREATE INDEX edits_by_author ON edits(author);
    CREATE TABLE classes(name TEXT PRIMARY KEY, colour TEXT NOT NULL, position INTEGER NOT NULL);
    CREATE TABLE files(
        video TEXT PRIMARY KEY REFERENCES videos(id), path TEXT NOT NULL UNIQUE, digest TEXT NOT NULL,
        writing TEXT NOT NULL, revision INTEGER NOT NULL);
    CREATE TABLE bundles(
        name TEXT PRIMARY KEY, path TEXT NOT NULL, added REAL NOT NULL, active INTEGER NOT NULL DEFAULT 0,
        details TEXT NOT NULL DEFAULT '{}');
    CREATE TABLE jobs(
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, request TEXT NOT NULL, state TEXT NOT NULL, done REAL NOT NULL,
        message TEXT NOT NULL, result TEXT NOT NULL DEFAULT '{}', made REAL NOT NULL, ended REAL);
    """,
)


def migrate(connection: sqlite3.Connection, where: str) -> None:
    """Bring the tables to this version; a kill leaves the earlier one. Raises DataError if a newer keyseg wrote them.

    >>> connection = sqlite3.connect(":memory:")
    >>> migrate(connection, "studio.sqlite")
    >>> connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
    True
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise DataError(f"{where}: written by a newer version of keyseg (tables {version}); update keyseg to open it")
    for number in range(version, len(MIGRATIONS)):
        connection.executescript(f"BEGIN; {MIGRATIONS[number]} PRAGMA user_version = {number + 1}; COMMIT;")


def check_places(connection: sqlite3.Connection, where: str) -> None:
    """Raise DataError if a place that is read, written or deleted by its name in the tables is outside the folder.

    keyseg writes no such name, but a folder may come from somebody else.
    """
    places = connection.execute("SELECT path FROM videos UNION SELECT path FROM files").fetchall()
    names = connection.execute("SELECT id FROM videos UNION SELECT digest FROM videos UNION SELECT id FROM jobs")
    outside = [place for (place,) in places if PurePath(place).anchor or ".." in PurePath(place).parts]
    outside += [name for (name,) in names if name and (PurePath(name).name != name or name == "..")]
    if outside:
        raise DataError(
            f"{where}: refers to {outside[0][:200]!r}, outside the folder; move the file away to start anew: the"
            " corrections are also in the folder annotations"
        )
