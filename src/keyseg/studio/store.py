"""The state of one folder of videos: FOLDER/.keyseg/studio.sqlite, which survives a kill at any moment."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from keyseg.studio.schema import migrate
from keyseg.studio.segments import Splice, TimedSegment, check_segments
from keyseg.timeline import DataError, KeysegError

CORRECTION = "correction"
REFERENCE = "reference"
PREDICTION = "prediction:"  # before the name of a bundle


class Conflict(KeysegError):
    """Somebody else saved the row in the meantime. row: as it is now; author: who saved it."""

    def __init__(self, row: SavedRow, author: str) -> None:
        super().__init__(f"{author} has saved this timeline in the meantime (revision {row.revision})")
        self.row = row
        self.author = author


@dataclass(frozen=True)
class SavedRow:
    """One timeline of a video. revision: 0 for one that is not there yet. details: of a prediction."""

    video: str
    name: str
    revision: int = 0
    segments: tuple[TimedSegment, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)


class Store:
    """The open state of a folder. One process may have it open; several threads may use it.

    Raises DataError if another server has the folder open, or a newer keyseg wrote its state.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.private = self.folder / ".keyseg"
        self.private.mkdir(parents=True, exist_ok=True)
        self._owner = FileLock(self.private / "studio.lock")
        try:
            self._owner.acquire(timeout=0)
        except Timeout as error:
            raise DataError(f"{folder}: another studio has this folder open; use its page, or stop it") from error
        file = self.private / "studio.sqlite"
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        migrate(self._connection, str(file))

    def close(self) -> None:
        """Close the file and let others open the folder."""
        self._connection.close()
        self._owner.release()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All changes inside happen, or none."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def select(self, query: str, *values: Any) -> list[sqlite3.Row]:
        """What a query finds."""
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    def frames(self, video: str) -> int:
        """Length of a video in frames. Raises DataError if there is no such video."""
        rows = self.select("SELECT frames FROM videos WHERE id = ?", video)
        if not rows:
            raise DataError(f"no video {video!r} in {self.folder}")
        return int(rows[0]["frames"])

    def row(self, video: str, name: str) -> SavedRow:
        """A timeline as it is now; an empty one of revision 0 if nothing was saved."""
        rows = self.select("SELECT * FROM rows WHERE video = ? AND name = ?", video, name)
        return _row(rows[0]) if rows else SavedRow(video, name)

    def edit(self, video: str, name: str, revision: int, splice: Splice, *, author: str, action: str) -> SavedRow:
        """Apply an edit to the revision that its author saw; the new row.

        Raises Conflict if the row has another revision now, TimelineError if the result is no timeline.
        """
        frames = self.frames(video)
        with self.transaction() as connection:
            current = self.row(video, name)
            if current.revision != revision:
                raise Conflict(current, self._last_author(video, name))
            after = tuple(splice.applied(current.segments, frames))
            return self._save(
                connection, SavedRow(video, name, revision + 1, after, current.details), splice, author, action
            )

    def replace(
        self,
        video: str,
        name: str,
        segments: Sequence[TimedSegment],
        *,
        author: str,
        action: str,
        details: dict[str, Any] | None = None,
    ) -> SavedRow:
        """Save a whole timeline, such as a prediction or an import, as one edit; the new row."""
        check_segments(segments, self.frames(video))
        with self.transaction() as connection:
            current = self.row(video, name)
            splice = Splice(at=0, removed=current.segments, inserted=tuple(segments))
            row = SavedRow(video, name, current.revision + 1, tuple(segments), details or {})
            return self._save(connection, row, splice, author, action)

    def history(self, video: str, name: str) -> list[sqlite3.Row]:
        """All edits of a row, the oldest first."""
        return self.select("SELECT * FROM edits WHERE video = ? AND row = ? ORDER BY revision", video, name)

    def _last_author(self, video: str, name: str) -> str:
        edits = self.history(video, name)
        return str(edits[-1]["author"]) if edits else ""

    def _save(
        self, connection: sqlite3.Connection, row: SavedRow, splice: Splice, author: str, action: str
    ) -> SavedRow:
        segments = json.dumps([segment.model_dump(exclude_none=True) for segment in row.segments])
        connection.execute(
            "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?)",
            (row.video, row.name, row.revision, segments, json.dumps(row.details)),
        )
        connection.execute(
            "INSERT INTO edits(video, row, revision, action, author, time, splice) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (row.video, row.name, row.revision, action, author, time.time(), splice.model_dump_json(exclude_none=True)),
        )
        return row


def _row(found: sqlite3.Row) -> SavedRow:
    segments = tuple(TimedSegment(**segment) for segment in json.loads(found["segments"]))
    return SavedRow(found["video"], found["name"], found["revision"], segments, json.loads(found["details"]))
