"""Folders for one process at a time, and the folder for what was downloaded or extracted."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from keyseg.timeline import DataError, OutputExistsError
from keyseg.timeline.files import naming, remove_folder

_FILLING = ".keyseg-init"  # in a folder that is filled, until all of its parts are there


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


def refuse_filled(folder: Path, allowed: Collection[str]) -> None:
    """Raise OutputExistsError if a folder holds more than files called so, unless an interrupted `filled` left it."""
    interrupted = (folder / _FILLING).exists()
    if folder.exists() and not interrupted and any(path.name not in allowed for path in folder.iterdir()):
        raise OutputExistsError(f"{folder} is not empty; choose a new folder for the data set")


@contextmanager
def filled(folder: Path, allowed: Collection[str], last: Sequence[str]) -> Iterator[Path]:
    """A hidden folder in `folder` to fill; on success its parts move into `folder`, those called as in `last` at last.

    `folder` may be the current one, so it is not replaced itself. It may hold the files `allowed`. A hidden folder in
    it says that parts are missing: what a killed process left is replaced by the next one. Raises DataError if another
    process is at it, OutputExistsError as `refuse_filled`.
    """
    refuse_filled(folder, allowed)
    existed, hidden = folder.exists(), folder / _FILLING
    with naming(folder), claimed(hidden) as mine:
        if not mine:
            raise DataError(f"{folder}: another keyseg is making a data set in it; wait for it")
        new = hidden / "new"
        try:
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir()
            yield new
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            if all(path.name in (*allowed, _FILLING) for path in folder.iterdir()):
                shutil.rmtree(hidden, ignore_errors=True)
            with suppress(OSError):
                if not existed:
                    folder.rmdir()
            raise
        parts = sorted(new.iterdir(), key=lambda part: (part.name in last and last.index(part.name) + 1, part.name))
        for part in parts:
            if (folder / part.name).is_dir():
                remove_folder(folder / part.name)
            part.replace(folder / part.name)
    remove_folder(hidden)


def cache_folder() -> Path:
    """The folder keyseg in the system's cache folder."""
    return Path(platformdirs.user_cache_dir("keyseg"))
