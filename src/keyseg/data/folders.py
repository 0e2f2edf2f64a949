"""Folders for one process at a time, and the folder for what was downloaded or extracted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout


@contextmanager
def claimed(folder: Path) -> Iterator[bool]:
    """Whether this process has the folder, which is created, for itself; it is free again at the end, or on a kill."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock", timeout=0)
    with suppress(Timeout):
        lock.acquire()
    try:
        yield lock.is_locked
    finally:
        lock.release()


def cache_folder() -> Path:
    """The folder keyseg in the system's cache folder."""
    return Path(platformdirs.user_cache_dir("keyseg"))
