"""Hidden files and folders that are being written, told from those that a killed process left.

A process holds a lock on each of them while it lives. Those that nobody holds are removed by whoever next writes the
same file or folder; where there are no such locks, as on Windows, they stay, and another name is taken.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def partial_file(path: Path) -> Iterator[Path]:
    """A new hidden file beside `path`, which no other process takes; it is removed at the end if it is still there."""
    with _partial(path, folder=False) as partial:
        yield partial


@contextmanager
def partial_folder(path: Path) -> Iterator[Path]:
    """The same as a folder."""
    with _partial(path, folder=True) as partial:
        yield partial


@contextmanager
def _partial(path: Path, *, folder: bool) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        partial, handle = path.with_name(f".{path.name}.{number}.partial"), None
        remove_left(partial)
        try:
            _make(partial, folder=folder)
            handle = _lock(partial)
        except (FileExistsError, FileNotFoundError, BlockingIOError):  # of a living process, which may have removed it
            continue
        except OSError:
            _remove(partial)
            raise
        break
    try:
        yield partial
    finally:
        _remove(partial)
        if handle is not None:
            os.close(handle)


def remove_left(partial: Path) -> None:
    """Remove a hidden file or folder that no living process writes."""
    if fcntl is None:
        return
    try:
        handle = _lock(partial)
    except OSError:  # there is none, or it is being written
        return
    if handle is not None:
        _remove(partial)
        os.close(handle)


def _make(partial: Path, *, folder: bool) -> None:
    """Make a new one, with the mode that new files have here. Raises FileExistsError."""
    if folder:
        partial.mkdir()
    else:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))


def _lock(partial: Path) -> int | None:
    """Hold it until the handle is closed; None where there are no locks. Raises FileNotFoundError, BlockingIOError."""
    if fcntl is None:
        return None
    handle = os.open(partial, os.O_RDONLY if partial.is_dir() else os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), partial.stat()):
            return handle
        raise FileNotFoundError(partial)
    except (BlockingIOError, FileNotFoundError):
        os.close(handle)
        raise
    except OSError:  # a file system without locks
        os.close(handle)
        return None


def _remove(partial: Path) -> None:
    """Remove a file or folder as far as that is possible."""
    if partial.is_dir():
        shutil.rmtree(partial, ignore_errors=True)
    with suppress(OSError):
        partial.unlink()
