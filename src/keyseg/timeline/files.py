"""Files and folders that appear whole or not at all, and reading text that may be damaged."""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from encodings.aliases import aliases
from glob import escape
from pathlib import Path
from typing import Any

from keyseg.timeline.errors import ConfigError, DataError, OutputExistsError, nearest
from keyseg.timeline.partials import partial_file, partial_folder

MOST_TEXT = 256 * 2**20
"""Bytes of the largest file of text that is read: hours of tracks by frame, or days of annotations."""

_COMMON = "utf-8, utf-16, cp1252 (Windows, western Europe), cp1251 (Cyrillic), shift_jis and gb18030"
_ENCODINGS = sorted({*aliases, *aliases.values()})
NO_TEXT = re.compile("[\0\ud800-\udfff]")  # what some encodings yield, and no file name or UTF-8 text can hold
_HINT = ", or in the encoding that --encoding names, such as cp1252"

# Why a name cannot be a file's on one of the systems. Windows reserves devices with any ending, such as `aux.txt`.
_NOT_IN_FILE_NAMES = {
    r"\s*": "it is empty",
    r".*[\ud800-\udfff].*": "it is not UTF-8",
    r"\..*": "a file whose name starts with a dot is hidden",
    r".*[\x00-\x1f].*": "it contains a control character",
    r""".*[<>:"/\\|?*].*""": 'Windows allows none of < > : " / \\ | ? *',
    r".*[. ]": "Windows drops a dot or a space at the end",
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\..*)?": "Windows reserves it for a device",
}


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; on success it is synced to disk and replaces `path` in one step.

    Whatever happens, a kill or a power failure included, `path` holds the old content or the new one. The folder is
    created. On an error the new file is removed; a kill may leave it behind, under a hidden name, until the same file
    is written again. An OSError names `path`.
    """
    refuse_file(path.parent, "output")
    with naming(path), partial_file(path) as partial:
        yield partial
        _sync(partial)
        try:
            partial.replace(path)
        except PermissionError as error:  # Windows does not replace an open file
            raise PermissionError(
                f"{path}: cannot be written ({error.strerror}); is another program using it?"
            ) from error
        _sync(path.parent)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder` to fill; on success it is synced to disk and replaces all of `folder`.

    On an error the new folder is removed and the old one stays. A kill may leave the new one, or in the instant of
    replacement both, under hidden names beside `folder`, until the same folder is written again; see `end_replacing`.
    """
    refuse_file(folder.parent, "output")
    with naming(folder), partial_folder(folder) as partial:
        yield partial
        for path in (*partial.rglob("*"), partial):
            _sync(path)
        former = partial.with_suffix(".former")
        if folder.exists():
            shutil.rmtree(former, ignore_errors=True)
            folder.rename(former)
        try:
            partial.rename(folder)
        except OSError:
            if former.exists():
                former.rename(folder)
            raise
        _sync(folder.parent)
        end_replacing(folder)


def end_replacing(folder: Path) -> None:
    """Remove the old content of a folder that was replaced, where a kill has left it beside the new one."""
    if folder.exists():
        for former in folder.parent.glob(f".{escape(folder.name)}.*.former"):
            shutil.rmtree(former, ignore_errors=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an OSError that names no file, or a hidden one beside `path`, name `path`.

    >>> with naming(Path("a.txt")):
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
    OSError: [Errno 28] No space left on device: 'a.txt'
    """
    try:
        yield
    except OSError as error:
        named = error.filename is not None and not str(error.filename).startswith(str(path.with_name(f".{path.name}.")))
        if named or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that is in it. An OSError names it."""
    try:
        shutil.rmtree(folder)
    except OSError as error:  # whose name would be that of a file, without its folder
        raise OSError(error.errno, error.strerror, str(folder)) from error


def _sync(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on disk."""
    windows = os.name == "nt"
    if windows and path.is_dir():
        return  # Windows cannot open folders
    handle = os.open(path, os.O_RDWR if windows else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def all_paths(given: Path | str | Iterable[Path | str]) -> list[Path]:
    """One path or several, as a list.

    >>> all_paths("videos")[0].name
    'videos'
    """
    return [Path(given)] if isinstance(given, str | Path) else [Path(path) for path in given]


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file."""
    with whole_file(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a whole file of UTF-8 text; line ends are written as given."""
    write_bytes(path, text.encode())


def write_content(path: Path, content: str | bytes) -> None:
    """Write a whole file of bytes, or of UTF-8 text."""
    write_bytes(path, content.encode() if isinstance(content, str) else content)


def write_log(text: str) -> str:
    """Write the traceback of a mistake in keyseg to a new file in the system's folder for temporary files.

    Returns its path, or why there is no file.
    """
    try:
        with tempfile.NamedTemporaryFile(prefix="keyseg-", suffix=".log", delete=False) as log:
            log.write(text.encode(errors="backslashreplace"))
    except OSError as error:
        return f"what you typed, since no log could be written ({error.strerror})"
    return str(log.name)


def json_text(content: Any) -> str:
    """JSON with one value per line; letters outside ASCII are kept."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def write_json(path: Path, content: Any) -> None:
    """Write a whole file of JSON."""
    write_text(path, json_text(content))


def read_bytes(path: Path, holds: str, *, most: int = MOST_TEXT) -> bytes:
    """The content of a file, which is no larger than `most` bytes and never a device or a pipe.

    Raises DataError with the file, the reason and `holds`, what the file should hold.
    """
    try:
        refuse_special(path)
        size = path.stat().st_size
        content = path.read_bytes() if size <= most else b""
    except (OSError, ValueError) as error:  # a path with a zero byte: ValueError
        raise DataError(f"{path}: cannot read it ({_reason(error)}); it should hold {holds}") from error
    if size > most:
        raise DataError(
            f"{path}: too large ({_size(size)}, and at most {_size(most)} are read; split it, if it is the right file);"
            f" it should hold {holds}"
        )
    return content


def _size(count: int) -> str:
    """Bytes for people to read, such as 64.0 MiB."""
    return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{count / 2**10:.1f} KiB"


def read_text(path: Path, holds: str, encoding: str | None = "utf-8", *, most: int = MOST_TEXT) -> str:
    """Read text with any line ends, in the encoding that its first bytes show or else in `encoding`.

    encoding: None for UTF-8 where the user can name another, so that the error says how. most: bytes of the file.

    Raises DataError with the file, the reason and `holds`, what the file should hold; ConfigError on an unknown
    encoding.
    """
    _check_encoding(encoding or "utf-8")
    wanted = "UTF-8 text" + _HINT * (encoding != "utf-8")
    content = read_bytes(path, f"{holds}, as UTF-8 text", most=most)
    name = shown_encoding(content) or encoding or "utf-8"
    try:
        text = content.decode(name)
    except UnicodeError as error:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        line = content.count(b"\n", 0, start) + 1
        reason = f"byte 0x{content[start]:02x} at position {start} is not {name}"
        raise DataError(f"{path}:{line}: cannot read it ({reason}); it should hold {holds}, as {wanted}") from error
    no_text = NO_TEXT.search(text)
    if no_text:
        line = text.count("\n", 0, no_text.start()) + 1
        what = "zero bytes" if no_text[0] == "\0" else "halves of characters"
        raise DataError(f"{path}:{line}: cannot read it (it has {what}); it should hold {holds}, as {wanted}")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def shown_encoding(content: bytes) -> str | None:
    """The encoding that the first bytes of a text show, by a byte order mark or by half of a character of UTF-16.

    >>> shown_encoding("Tür".encode("utf-16")), shown_encoding("Tür".encode("cp1252"))
    ('utf-16', None)
    """
    marks = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32"}
    marks |= {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}  # after UTF-32, whose mark starts alike
    zeros = content[:1] == b"\0", content[1:2] == b"\0"
    halves = {(False, True): "utf-16-le", (True, False): "utf-16-be"}
    return next((name for mark, name in marks.items() if content.startswith(mark)), halves.get(zeros))


def _check_encoding(name: str) -> None:
    """Raise ConfigError unless this is the name of an encoding of text."""
    try:
        with suppress(UnicodeError):
            b"x".decode(name)
    except (LookupError, ValueError):
        raise ConfigError(
            f"unknown encoding {name!r}{nearest(name.lower(), _ENCODINGS)}; common are {_COMMON}"
        ) from None


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content, read in chunks. Raises DataError if it cannot be read."""
    try:
        refuse_special(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot read it ({_reason(error)})") from error


def refuse_special(path: Path) -> None:
    """Raise OSError on anything but a file, since reading a pipe would wait forever."""
    if path.exists() and not path.is_file():
        raise OSError("not a file")


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def check_file_names(videos: Iterable[str]) -> None:
    """Raise DataError unless each video's name can be a file's, beside the others, on Linux, Windows and macOS.

    The files get an ending, such as `.txt`. Windows and macOS do not distinguish `Day1.txt` and `day1.txt`, nor macOS
    two Unicode spellings of one letter.
    """
    known: dict[str, str] = {}
    for video in videos:
        for pattern, reason in _NOT_IN_FILE_NAMES.items():
            if re.fullmatch(pattern, video, re.DOTALL | re.IGNORECASE):
                raise DataError(f"the video name {video!r} cannot be the name of a file: {reason}; rename the video")
        other = known.setdefault(unicodedata.normalize("NFC", video).casefold(), video)
        if other != video:
            raise DataError(
                f"the video names {other!r} and {video!r} would be one file on Windows or macOS; rename one of the"
                " videos"
            )


def is_empty(folder: Path) -> bool:
    """Whether there is no such folder, or nothing in it but what a killed process left half written."""
    return not folder.exists() or all(path.match(".*.partial") for path in folder.iterdir())


def refuse_file(folder: Path, holds: str) -> None:
    """Raise OutputExistsError if `folder` cannot be created because it, or a folder above it, is a file."""
    existing = nearest_existing(folder)
    if not existing.is_dir():
        raise OutputExistsError(f"{existing} is a file; name a folder for the {holds}")


def nearest_existing(path: Path) -> Path:
    """A path, or the folder above it that exists."""
    return next((place for place in (path, *path.parents) if place.exists()), Path())
