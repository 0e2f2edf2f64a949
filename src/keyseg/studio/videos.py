"""The videos of a folder: found, known again when they were moved, and marked when they are missing or broken."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from keyseg.studio.store import Store
from keyseg.timeline import KeysegError
from keyseg.timeline.files import refuse_special
from keyseg.timeline.intervals import nearest_frame
from keyseg.timeline.rates import HIGHEST_RATE
from keyseg.video.find_videos import videos_inside
from keyseg.video.reading import VideoReader, probe
from keyseg.viz.page_player import unplayable

_PART = 2**20  # bytes that the digest reads at the start, in the middle and at the end
_AT_ONCE = 2  # videos that are probed, each in a process of its own
_NO_RATE = Fraction(25)  # frames per second of the grid where a file does not say its own


@dataclass(frozen=True)
class Scanned:
    """What a scan found: how many videos are new, known again under another name, and missing; the errors of new
    broken ones by path; and files whose names are no text, which are left out."""

    added: int = 0
    moved: int = 0
    missing: int = 0
    broken: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class _File:
    path: str
    size: int
    modified: int
    digest: str = ""
    error: str = ""


@dataclass(frozen=True)
class _Facts:
    frames: int = 0
    fps: str = str(_NO_RATE)
    playable: bool = False
    error: str = ""


def scan(store: Store, notify: Callable[[], None] = lambda: None) -> Scanned:
    """Bring the table of videos up to date with the folder and those below it, without hidden ones.

    A video is known by its path, size and time of change, else by its content: the size and the first, middle and last
    megabyte, so that one that was moved, renamed or copied with the whole folder keeps its timelines. One whose content
    changed under the same name keeps them if its length is the same. One that cannot be read is listed with its error,
    and one that is gone is marked as missing. The plain files of the corrections are compared as well. notify: called
    when something has changed.

    >>> store = Store(Path("films"))
    >>> scan(store)
    Scanned(added=0, moved=0, missing=0, broken=(), left_out=())
    >>> store.close()
    """
    with store.scanning:
        files, left_out = _files(store.folder)
        known = store.select("SELECT * FROM videos ORDER BY rowid DESC")
        same = {row["id"] for row in known if _unchanged(row, files.get(row["path"]))}
        lost = [row for row in known if row["id"] not in same]
        settled = {row["path"] for row in known if row["id"] in same}
        new = [_with_digest(store.folder, file) for path, file in files.items() if path not in settled]
        places = _matches(lost, new)
        if any(not row["missing"] for row in lost) or places:
            _place(store, lost, places)
            notify()
        gone = [row for row in lost if row["id"] not in places]
        taken = {file.path for file in places.values()}
        broken, added = [], 0
        with closing(_probed(store.folder, [file for file in new if file.path not in taken])) as probed:
            for file, facts in probed:
                added += _add(store, file, facts, gone)
                broken += [f"{file.path}: {facts.error}"] if facts.error else []
                notify()
        _forget_unreadable(store, gone)
        store.files.compare()
        moved = sum(row["path"] != places[row["id"]].path for row in lost if row["id"] in places)
        missing = store.select("SELECT count(*) AS videos FROM videos WHERE missing = 1")[0]["videos"]
    return Scanned(added, moved, missing, tuple(broken), tuple(left_out))


def content_digest(path: Path) -> str:
    """SHA-256 of the size of a file and of its first, middle and last megabyte. Raises OSError if it cannot be read.

    >>> film = Path("film.mp4")
    >>> _ = film.write_bytes(bytes(3))
    >>> content_digest(film)[:8]
    '40d95a7c'
    """
    refuse_special(path)
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        digest = hashlib.sha256(str(size).encode())
        for start in sorted({0, max(0, (size - _PART) // 2), max(0, size - _PART)}):
            file.seek(start)
            digest.update(file.read(_PART))
    return digest.hexdigest()


def _files(folder: Path) -> tuple[dict[str, _File], list[str]]:
    """The video files by path, and those whose names are no text."""
    found, left_out = {}, []
    for path in _video_paths(folder):
        name = path.relative_to(folder).as_posix()
        try:
            name.encode()
            about = path.stat()
        except UnicodeEncodeError:
            left_out.append(os.fsencode(name).decode(errors="replace"))
        except OSError:
            continue  # it was removed a moment ago
        else:
            found[name] = _File(name, about.st_size, about.st_mtime_ns)
    return found, left_out


def _video_paths(folder: Path) -> Iterator[Path]:
    for place, below, _ in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith("."))
        with suppress(OSError):  # a folder that may not be read
            yield from videos_inside(Path(place))


def _unchanged(row: sqlite3.Row, file: _File | None) -> bool:
    seen = row["digest"] and not row["missing"]
    return bool(file and seen and (row["size"], row["modified"]) == (file.size, file.modified))


def _with_digest(folder: Path, file: _File) -> _File:
    path = folder / file.path
    try:
        if not path.resolve().is_relative_to(folder):
            raise OSError("this link leads out of the folder; copy the video into it")
        digest, error = content_digest(path), ""
    except OSError as unreadable:
        digest, error = "", f"cannot read it ({unreadable.strerror or unreadable})"
    return _File(file.path, file.size, file.modified, digest, error)


def _matches(lost: Sequence[sqlite3.Row], new: Sequence[_File]) -> dict[str, _File]:
    """The file of each known video, by id: that of the same content under the same path, or else under another."""
    found: dict[str, _File] = {}
    for same_path in (True, False):
        for file in new:
            if not file.digest or file in found.values():
                continue
            fits = (row for row in lost if row["digest"] == file.digest and row["id"] not in found)
            best = next((row for row in fits if not same_path or row["path"] == file.path), None)
            if best is not None:
                found[best["id"]] = file
    return found


def _place(store: Store, lost: Sequence[sqlite3.Row], places: dict[str, _File]) -> None:
    """Write where known videos are now, and which are missing."""
    with store.transaction() as connection:
        connection.executemany("UPDATE videos SET missing = 1 WHERE id = ?", [(row["id"],) for row in lost])
        connection.executemany(
            "UPDATE videos SET missing = 0, path = ?, size = ?, modified = ? WHERE id = ?",
            [(file.path, file.size, file.modified, video) for video, file in places.items()],
        )


def _probed(folder: Path, files: Sequence[_File]) -> Generator[tuple[_File, _Facts]]:
    """What there is to know of each file; those that are left when the scan breaks off are not probed."""
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        facts = pool.map(lambda file: _facts(folder, file), files)
        yield from zip(files, facts, strict=True)
    finally:
        pool.shutdown(cancel_futures=True)


def _facts(folder: Path, file: _File) -> _Facts:
    """Length, rate and playability of a video, or why it cannot be read."""
    if file.error:
        return _Facts(error=file.error)
    path = folder / file.path
    try:
        info = probe(path)
        stated = info.fps and info.fps.limit_denominator(10**6)
        fps = stated if stated and stated <= HIGHEST_RATE else _NO_RATE
        if info.declared_seconds:
            frames = max(1, nearest_frame(info.declared_seconds * fps))
        else:
            with VideoReader(path, fps, (16, 16), damaged=True) as reader:
                frames = sum(1 for _ in reader)
    except (KeysegError, OSError) as error:
        return _Facts(error=str(error).removeprefix(f"{path}: ").replace(str(path), file.path))
    return _Facts(frames, str(fps), not unplayable(info))


def _add(store: Store, file: _File, facts: _Facts, gone: list[sqlite3.Row]) -> bool:
    """Write a video that is new, or the new content of one in `gone` under the same path; whether it is new."""
    length = (facts.frames, facts.fps)
    earlier = next((row for row in gone if row["path"] == file.path and _may_become(row, length)), None)
    values = (file.path, file.digest, file.size, file.modified, *length, facts.playable, facts.error)
    with store.transaction() as connection:
        if earlier is not None:
            gone.remove(earlier)
            connection.execute(
                "UPDATE videos SET path = ?, digest = ?, size = ?, modified = ?, frames = ?, fps = ?, playable = ?,"
                " error = ?, missing = 0 WHERE id = ?",
                (*values, earlier["id"]),
            )
            return False
        connection.execute(
            "INSERT INTO videos(path, digest, size, modified, frames, fps, playable, error, id)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*values, _new_id(connection, file)),
        )
        return True


def _may_become(row: sqlite3.Row, length: tuple[int, str]) -> bool:
    """Whether a video has the length that its timelines need, or cannot have timelines since it could not be read."""
    return bool(row["error"]) or (row["frames"], row["fps"]) == length


def _new_id(connection: sqlite3.Connection, file: _File) -> str:
    start = (file.digest or hashlib.sha256(file.path.encode()).hexdigest())[:12]
    taken = {row["id"] for row in connection.execute("SELECT id FROM videos WHERE id LIKE ?", (f"{start}%",))}
    return next(name for name in (start, *(f"{start}-{i}" for i in range(2, 10**6))) if name not in taken)


def _forget_unreadable(store: Store, gone: Collection[sqlite3.Row]) -> None:
    """Remove what is gone and never was a readable video."""
    ids = [(row["id"],) for row in gone if row["error"]]
    with store.transaction() as connection:
        connection.executemany("DELETE FROM videos WHERE id = ? AND id NOT IN (SELECT video FROM edits)", ids)
