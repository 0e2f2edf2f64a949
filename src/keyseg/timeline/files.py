"""Files that appear whole or not at all, and text that strangers wrote."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from keyseg.timeline.errors import DataError, OutputExistsError

_CHUNK = 1 << 22  # bytes hashed at once


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; on success it is synced to disk and becomes `path` in one step.

    A kill or a power failure at any moment leaves the old file or the new one. Creates the folder. On an error the new
    file is removed and the old one stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        _sync(partial)
        partial.replace(path)
        _sync(path.parent)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder` to fill; on success it replaces `folder`, on an error it is removed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".partial", dir=folder.parent))
    try:
        yield partial
        for path in (*partial.rglob("*"), partial):
            _sync(path)
        partial.chmod(0o755)  # mkdtemp lets nobody else in
        former = partial.with_suffix(".former")
        if folder.exists():
            folder.rename(former)
        partial.rename(folder)
        _sync(folder.parent)
        shutil.rmtree(former, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _sync(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on disk. Windows opens no folders and needs it not."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file."""
    with whole_file(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a whole file of UTF-8 text, line ends as they are."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: Any) -> None:
    """Write a whole file of JSON."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_text(path: Path, holds: str) -> str:
    """Read UTF-8 text with or without a byte order mark and with any line ends.

    Raises DataError with the file, the reason and what it should hold.
    """
    try:
        if path.exists() and not path.is_file():
            raise OSError("not a file")  # reading a pipe would wait forever
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise DataError(f"{path}: cannot read it ({reason}); it should hold {holds}, as UTF-8 text") from error


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content, read in chunks. Raises DataError if it cannot be read."""
    digest = hashlib.sha256()
    try:
        if not path.is_file():
            raise OSError("no such file" if not path.exists() else "not a file")
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise DataError(f"{path}: cannot read it ({error}); name a file on this machine") from error
    return digest.hexdigest()


def refuse_file(folder: Path, holds: str) -> None:
    """Raise OutputExistsError if `folder` cannot be created because it, or a folder above it, is a file."""
    existing = next((path for path in (folder, *folder.parents) if path.exists()), None)
    if existing is not None and not existing.is_dir():
        raise OutputExistsError(f"{existing} is a file; name a folder for the {holds}")
