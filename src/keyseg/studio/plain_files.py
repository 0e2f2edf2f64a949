"""The corrections as plain files, FOLDER/annotations/NAME.csv, which other programs read and people may change."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import unicodedata
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from keyseg.data.layout import BACKGROUND
from keyseg.formats import format_named, read_annotations
from keyseg.formats.tables import table_text
from keyseg.studio.classes import spelling
from keyseg.studio.exchange import segments_of
from keyseg.studio.rows import CORRECTION, SavedRow, Video
from keyseg.studio.segments import TimedSegment
from keyseg.timeline import DataError, KeysegError
from keyseg.timeline.files import file_sha256, read_bytes, write_bytes

if TYPE_CHECKING:
    from keyseg.studio.store import Store

_TOGETHER = 0.5  # seconds in which several saves become one write
_COLUMNS = ("video", "start_seconds", "end_seconds", "label")
# Of each readable video: revision of its correction, and path, digests and revision of its file.
_FILES = f"""
    SELECT videos.id AS video, rows.revision, files.path, files.digest, files.writing, files.revision AS written
    FROM videos LEFT JOIN rows ON rows.video = videos.id AND rows.name = '{CORRECTION}'
    LEFT JOIN files ON files.video = videos.id WHERE error = '' AND missing = 0
"""


class PlainFiles:
    """Writes each correction soon after its saves, in a thread of its own, whole or not at all.

    problems: what went wrong with the file of a video, by the video's id. A file that was changed outside the studio is
    never lost: its content becomes a revision of the correction or, if it cannot be read, a file in .keyseg/conflicts.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.problems: dict[str, str] = {}
        self._lock = threading.Lock()
        self._awake, self._closed = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="plain files", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """A correction was saved: its file is written soon."""
        self._awake.set()

    def close(self) -> None:
        """Write what is not written, and end the thread."""
        self._closed.set()
        self.wake()
        self._thread.join()
        self.flush()

    def flush(self) -> None:
        """Write the files of the corrections that were saved since."""
        self._bring_together(f"{_FILES} AND rows.revision IS NOT NULL AND rows.revision IS NOT files.revision")

    def compare(self) -> None:
        """Compare all files and corrections: write what is missing, and take over what was changed outside.

        Such a file becomes the current revision, unless the studio saved a later one. A file of a video that has no
        correction becomes its correction.
        """
        self._bring_together(_FILES)

    def _work(self) -> None:
        while not self._closed.is_set():
            self._awake.wait()
            self._awake.clear()
            self._closed.wait(_TOGETHER)
            with suppress(sqlite3.Error):  # the disk may be full: the next save, or the next start, writes the file
                self.flush()

    def _bring_together(self, query: str) -> None:
        with self._lock:
            for state in self._store.select(query):
                try:
                    if problem := self._one(state):
                        self.problems[state["video"]] = problem
                    else:
                        self.problems.pop(state["video"], None)
                except (KeysegError, OSError) as error:
                    self.problems[state["video"]] = str(error)

    def _one(self, state: sqlite3.Row) -> str:
        """Bring one file and correction together; what a person should know about it."""
        store, video = self._store, self._store.video(state["video"])
        place = _place(store, state, video)
        before = state["path"] or place
        there = _digest(store.folder / before)
        saved_later = state["revision"] is not None and state["revision"] != state["written"]
        if there == state["digest"] and there is not None and before == place and not saved_later:
            return ""
        if there is None and state["revision"] is None:
            return ""
        row, problem = store.row(video.id, CORRECTION), ""
        text = plain_text(video, row.segments)
        if there not in (None, state["digest"], state["writing"], hashlib.sha256(text).hexdigest()):
            problem = self._take_over(video, row, before, saved_later)
            row = store.row(video.id, CORRECTION)
        if row.revision:
            self._write(video, row, place)
        if before != place:
            (store.folder / before).unlink(missing_ok=True)
        return problem

    def _write(self, video: Video, row: SavedRow, place: str) -> None:
        """Write a file. Its digest is saved before, so that after a kill it is known as ours."""
        text = plain_text(video, row.segments)
        values = {"video": video.id, "path": place, "digest": hashlib.sha256(text).hexdigest(), "row": row.revision}
        with self._store.transaction() as connection:
            connection.execute(
                "INSERT INTO files VALUES (:video, :path, '', :digest, 0)"
                " ON CONFLICT(video) DO UPDATE SET path = :path, writing = :digest",
                values,
            )
        write_bytes(self._store.folder / place, text)
        with self._store.transaction() as connection:
            connection.execute("UPDATE files SET digest = :digest, revision = :row WHERE video = :video", values)

    def _take_over(self, video: Video, row: SavedRow, place: str, saved_later: bool) -> str:
        """Keep a changed file as a revision; the saved one comes after it again if it was saved later."""
        store, path = self._store, self._store.folder / place
        try:
            segments = _read(store, path, video)
        except KeysegError as error:
            if not row.revision:
                raise
            content = read_bytes(path, "a table of segments")
            kept = store.private / "conflicts" / f"{path.stem}-{hashlib.sha256(content).hexdigest()[:8]}.csv"
            write_bytes(kept, content)
            return f"{error}; what is in it is kept in {kept}"
        store.replace(video.id, CORRECTION, segments, author=place, action="changed outside the studio")
        if not saved_later:
            return ""
        store.replace(video.id, CORRECTION, row.segments, author=place, action="saved later in the studio")
        return f"{place} was changed outside the studio before the last save; that version is in the history"


def plain_text(video: Video, segments: tuple[TimedSegment, ...]) -> bytes:
    """The table of a timeline, as `keyseg init` and `keyseg.read` read it; of one without segments, all background."""
    spans = [(s.start_frame, s.end_frame, s.label) for s in segments] or [(0, video.frames, BACKGROUND)]
    seconds = (
        (f"{float(start / video.fps):.6f}", f"{float(end / video.fps):.6f}", label) for start, end, label in spans
    )
    return table_text(_COLUMNS, ((video.path, *cells) for cells in seconds)).encode()


def _read(store: Store, path: Path, video: Video) -> list[TimedSegment]:
    annotations = read_annotations(path, "csv", fps=video.fps)
    if len(annotations) != 1:
        raise DataError(f"{path}: expected the timeline of one video, got {len(annotations)}; keep one")
    return segments_of(annotations[0], video.frames, video.fps, spelling(store))


def _place(store: Store, state: sqlite3.Row, video: Video) -> str:
    """Where the file of a video belongs: called like the video, with its ending where two would have one name.

    A file there that is no table of segments belongs to another program.
    """
    path = PurePosixPath("annotations", video.path)
    names = [str(path.with_suffix(".csv")), f"{path}.csv", f"{path}.{video.id}.csv"]
    if state["path"] in names:
        return str(state["path"])
    taken = {_key(row["path"]) for row in store.select("SELECT path FROM files WHERE video != ?", video.id)}
    free = (name for name in names if _key(name) not in taken and _may_be_ours(store.folder / name))
    return next(free, names[-1])


def _may_be_ours(path: Path) -> bool:
    if not path.exists():
        return True
    content = read_bytes(path, "a table of segments")
    return bool(format_named("csv").looks(content.decode("utf-8", errors="replace")))


def _key(name: str) -> str:
    """A path as Windows and macOS compare it."""
    return unicodedata.normalize("NFC", name).casefold()


def _digest(path: Path) -> str | None:
    return file_sha256(path) if path.exists() else None
