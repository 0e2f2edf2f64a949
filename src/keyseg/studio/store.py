"""The state of one folder of videos: FOLDER/.keyseg/studio.sqlite, which survives a kill at any moment."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from keyseg.studio.classes import add_classes
from keyseg.studio.plain_files import PlainFiles
from keyseg.studio.rows import CHECKED, CORRECTION, Conflict, Saved, SavedRow, Video
from keyseg.studio.schema import check_places, migrate
from keyseg.studio.segments import Splice, TimedSegment, check_segments
from keyseg.timeline import DataError

_NOTHING = Splice(at=0, removed=(), inserted=())
_HEAD = "SELECT id, revision, details FROM rows WHERE video = ? AND name = ?"
_SEGMENTS = "SELECT start_frame, end_frame, label, confidence FROM segments WHERE row = ? ORDER BY start_frame"
_MEAN = """
    UPDATE rows SET confidence = (
        SELECT sum(confidence * (end_frame - start_frame)) / sum(end_frame - start_frame) FROM segments
        WHERE row = rows.id AND confidence IS NOT NULL) WHERE id = ?
"""


class Store:
    """The open state of a folder. One process may have it open; several threads may use it.

    on_saved: called after each save, in the thread that saved. scanning: held by whoever looks for videos. Raises
    DataError if another studio has the folder open, a newer keyseg wrote its state, or it cannot be read or created.

    >>> store = Store(Path("films"))
    >>> store.close()
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.private = self.folder / ".keyseg"
        self.on_saved: Callable[[Saved], None] = lambda saved: None
        self._owner = _own(folder, self.private)
        self._file = self.private / "studio.sqlite"
        self._lock = threading.RLock()
        self.scanning = threading.Lock()
        try:
            self._connection = _connect(self._file)
        except BaseException:
            self._owner.release()
            raise
        self.files = PlainFiles(self)

    def close(self) -> None:
        """Write the plain files of the corrections, close the state and let others open the folder."""
        if not self._owner.is_locked:
            return  # closed already
        self.files.close()
        with self._lock:
            self._connection.close()
            self._owner.release()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All changes inside happen, or none. Raises DataError if they cannot be written, as on a full disk."""
        with self._lock:
            connection = self._connection
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException as error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError):
                    raise DataError(f"{self._file}: nothing was saved ({error}); is the disk full?") from error
                raise

    @contextmanager
    def saving(self) -> Iterator[list[Saved]]:
        """A transaction; what is added to the list is passed to `on_saved` after it."""
        saved: list[Saved] = []
        with self.transaction():
            yield saved
        if any(one.name == CORRECTION for one in saved):
            self.files.wake()
        for one in saved:
            self.on_saved(one)

    def select(self, query: str, *values: Any) -> list[sqlite3.Row]:
        """What a query finds."""
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    def videos(self) -> list[Video]:
        """All videos of the folder, by path; missing ones too."""
        return [self._video(row) for row in self.select("SELECT * FROM videos ORDER BY path, id")]

    def video(self, video: str) -> Video:
        """A video. Raises DataError if there is no such video."""
        rows = self.select("SELECT * FROM videos WHERE id = ?", video)
        if not rows:
            raise DataError(f"no video {video!r} in {self.folder}")
        return self._video(rows[0])

    def frames(self, video: str) -> int:
        """Length of a video in frames. Raises DataError if there is no such video."""
        return self.video(video).frames

    def row(self, video: str, name: str) -> SavedRow:
        """A timeline as it is now; an empty one of revision 0 if nothing was saved."""
        with self._lock:
            heads = self.select(_HEAD, video, name)
            if not heads:
                return SavedRow(video, name)
            head = heads[0]
            segments = tuple(TimedSegment(**found) for found in self.select(_SEGMENTS, head["id"]))
            return SavedRow(video, name, head["revision"], segments, json.loads(head["details"]))

    def rows(self, video: str) -> list[SavedRow]:
        """All timelines of a video, by name."""
        with self._lock:
            names = self.select("SELECT name FROM rows WHERE video = ? ORDER BY name", video)
            return [self.row(video, found["name"]) for found in names]

    def edit(self, video: str, name: str, revision: int, splice: Splice, *, author: str, action: str) -> Saved:
        """Apply an edit to the revision that its author saw.

        Raises Conflict if the row has another revision now, TimelineError if the result is no timeline.
        """
        frames = self.frames(video)
        with self.saving() as saved:
            self._check_revision(video, name, revision)
            row, first = self._row_id(video, name), max(splice.at - 1, 0)
            near = self.select(f"{_SEGMENTS} LIMIT ? OFFSET ?", row, splice.at - first + len(splice.removed) + 1, first)
            splice.applied([TimedSegment(**found) for found in near], frames, first)
            saved.append(self._save(row, Saved(video, name, revision + 1, author), splice, action))
            return saved[0]

    def replace(
        self,
        video: str,
        name: str,
        segments: Sequence[TimedSegment],
        *,
        author: str,
        action: str,
        details: dict[str, Any] | None = None,
        revision: int | None = None,
    ) -> SavedRow:
        """Save a whole timeline, such as a prediction or an import, as one edit; the new row.

        revision: that its author saw, for rows that others may edit. Raises as `edit` does.
        """
        check_segments(segments, self.frames(video))
        with self.saving() as saved:
            current = self.row(video, name)
            if revision is not None:
                self._check_revision(video, name, revision)
            splice = Splice.between(current.segments, segments)
            row = self._row_id(video, name)
            saved.append(self._save(row, Saved(video, name, current.revision + 1, author), splice, action))
            self._connection.execute("UPDATE rows SET details = ? WHERE id = ?", (json.dumps(details or {}), row))
        return SavedRow(video, name, current.revision + 1, tuple(segments), details or {})

    def copy(self, video: str, source: str, *, revision: int, author: str) -> SavedRow:
        """Make the correction a copy of another row, such as a prediction, without its confidence.

        Raises as `edit` does, and DataError if the row is not there.
        """
        row = self.row(video, source)
        if not row.revision:
            raise DataError(f"{self.video(video).path}: there is no row {source!r} to copy")
        segments = [segment.model_copy(update={"confidence": None}) for segment in row.segments]
        return self.replace(video, CORRECTION, segments, author=author, action=f"copy of {source}", revision=revision)

    def check(self, video: str, checked: bool, *, author: str) -> None:
        """Mark a video as checked, or take the mark back; any later edit of the correction does that too.

        Raises DataError if there is no correction to check.
        """
        path = self.video(video).path
        with self.saving() as saved:
            if checked and not self.select(_HEAD, video, CORRECTION):
                raise DataError(f"{path}: there is no correction to mark as checked; label it, or copy a prediction")
            self._connection.execute("UPDATE videos SET checked = ? WHERE id = ?", (checked, video))
            mark = Saved(video, CHECKED, self._last_edit(video, CHECKED)[0] + 1, author)
            self._remember(mark, "checked" if checked else "unchecked", _NOTHING)
            saved.append(mark)

    def relabel(self, saved: list[Saved], name: str, new: str, *, author: str) -> None:
        """Inside `saving`: rename a class, and the segments of that label in all timelines, as one edit of each."""
        self._connection.execute("UPDATE classes SET name = ? WHERE name = ?", (new, name))
        found = self.select(
            "SELECT DISTINCT rows.id, video, name FROM rows JOIN segments ON row = rows.id WHERE label = ?", name
        )
        for one in found:
            row = self.row(one["video"], one["name"])
            after = [s.model_copy(update={"label": new}) if s.label == name else s for s in row.segments]
            edit = Saved(row.video, row.name, row.revision + 1, author)
            action = f"rename {name} to {new}"
            saved.append(self._save(one["id"], edit, Splice.between(row.segments, after), action, unset=False))

    def history(self, video: str, name: str) -> list[sqlite3.Row]:
        """All edits of a row, the oldest first."""
        return self.select("SELECT * FROM edits WHERE video = ? AND row = ? ORDER BY revision", video, name)

    def _video(self, row: sqlite3.Row) -> Video:
        playable, missing, checked, held_out = (bool(row[k]) for k in ("playable", "missing", "checked", "held_out"))
        length = row["frames"], Fraction(row["fps"])
        file = self.folder / row["path"]
        return Video(row["id"], row["path"], file, *length, playable, missing, checked, held_out, row["error"])

    def _last_edit(self, video: str, name: str) -> tuple[int, str]:
        """Revision and author of the last edit of a row."""
        query = "SELECT revision, author FROM edits WHERE video = ? AND row = ? ORDER BY revision DESC LIMIT 1"
        return next(((row["revision"], row["author"]) for row in self.select(query, video, name)), (0, ""))

    def _check_revision(self, video: str, name: str, revision: int) -> None:
        last, author = self._last_edit(video, name)
        if last != revision:
            raise Conflict(self.row(video, name), author)

    def _row_id(self, video: str, name: str) -> int:
        """The row, made if it is not there."""
        self._connection.execute("INSERT OR IGNORE INTO rows(video, name, revision) VALUES (?, ?, 0)", (video, name))
        return int(self.select(_HEAD, video, name)[0]["id"])

    def _save(self, row: int, edit: Saved, splice: Splice, action: str, unset: bool = True) -> Saved:
        """Change the segments and remember the edit. unset: take the mark `checked` from a correction."""
        connection = self._connection
        add_classes(connection, (segment.label for segment in splice.inserted))
        gone = [(row, segment.start_frame) for segment in splice.removed]
        connection.executemany("DELETE FROM segments WHERE row = ? AND start_frame = ?", gone)
        new = [(row, s.start_frame, s.end_frame, s.label, s.confidence) for s in splice.inserted]
        connection.executemany("INSERT INTO segments VALUES (?, ?, ?, ?, ?)", new)
        connection.execute("UPDATE rows SET revision = ? WHERE id = ?", (edit.revision, row))
        if any(segment.confidence is not None for segment in (*splice.removed, *splice.inserted)):
            connection.execute(_MEAN, (row,))
        if unset and edit.name == CORRECTION:
            connection.execute("UPDATE videos SET checked = 0 WHERE id = ?", (edit.video,))
        self._remember(edit, action, splice)
        return edit

    def _remember(self, edit: Saved, action: str, splice: Splice) -> None:
        text = splice.model_dump_json(exclude_none=True)
        self._connection.execute(
            "INSERT INTO edits(video, row, revision, action, author, time, splice) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (edit.video, edit.name, edit.revision, action, edit.author, time.time(), text),
        )


def _own(folder: Path, private: Path) -> FileLock:
    """The lock that says that this process has the folder open; the system releases it when the process dies."""
    try:
        private.mkdir(parents=True, exist_ok=True)
        owner = FileLock(private / "studio.lock", thread_local=False)
        owner.acquire(timeout=0)
    except Timeout as error:
        raise DataError(f"{folder}: another studio has this folder open; use its page, or stop it") from error
    except OSError as error:
        raise DataError(
            f"{private}: cannot be written ({error}); the studio keeps its state there, so give yourself the right to"
            " write, or copy the videos elsewhere"
        ) from error
    return owner


def _connect(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
    connection.row_factory = sqlite3.Row
    try:
        for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {setting}")
        migrate(connection, str(file))
        check_places(connection, str(file))
    except sqlite3.DatabaseError as error:
        connection.close()
        raise DataError(
            f"{file}: the state of the studio cannot be read ({error}); move it away to start anew: the corrections are"
            " also in the folder annotations"
        ) from error
    except BaseException:
        connection.close()
        raise
    return connection
