"""Small files that are written whole or not at all, and folders that one process at a time works in."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock, Timeout

from keyseg.timeline import DataError, OutputExistsError

_CHUNK = 1 << 22  # bytes hashed at once


def write_bytes(path: Path, content: bytes) -> None:
    """Write beside `path` and rename, so that a kill leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """`write_bytes` of text."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: Any) -> None:
    """`write_text` of JSON."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def refuse_file(folder: Path, holds: str) -> None:
    """Raise OutputExistsError where a folder cannot be made, since it or a folder that it lies in is a file."""
    there = next((path for path in (folder, *folder.parents) if path.exists()), None)
    if there is not None and not there.is_dir():
        raise OutputExistsError(f"{there} is a file; name a folder for the {holds}")


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


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content, read in pieces. Raises DataError where it cannot be read."""
    digest = hashlib.sha256()
    try:
        if not path.is_file():
            raise OSError("no such file" if not path.exists() else "not a file")  # a pipe would be waited for
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise DataError(f"{path}: cannot read it ({error}); name a file on this machine") from error
    return digest.hexdigest()
