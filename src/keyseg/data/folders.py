"""Folders: one that a single process at a time works in, and the one that keeps what was downloaded or extracted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout


@contextmanager
def claimed(folder: Path) -> Iterator[bool]:
    """Whether this process got the folder for itself; it is free again at the end, or when the process dies."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def cache_folder() -> Path:
    """keyseg's part of the system's folder for caches."""
    return Path(platformdirs.user_cache_dir("keyseg"))
