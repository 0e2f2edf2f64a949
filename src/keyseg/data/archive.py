"""One data set of a large zip archive: its files are fetched one by one, over HTTP by their ranges, and kept."""

from __future__ import annotations

import errno
import lzma
import shutil
import struct
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from keyseg.data.folders import claimed
from keyseg.data.splits import is_inside
from keyseg.timeline import DataError, KeysegError, OutputExistsError
from keyseg.timeline.extras import extra
from keyseg.timeline.files import naming, nearest_existing, remove_folder, whole_file

# The address that serves ranges; that of the record's API, which ends with /content, does not.
ARCHIVE = "https://zenodo.org/records/3625992/files/data.zip"

_WAIT = (30, 60)  # seconds for a connection, and between two parts of a response
_BUSY = (429, 500, 502, 503, 504)  # answers after which it is asked again, when the server says so
_RESUME = "complete files are kept, run the same command to resume"
_CHUNK = 1 << 20
_MOST_GROWTH = 100  # bytes unpacked per byte of the archive; those of features are below 2
_LONGEST_NAME = 240  # bytes; file systems hold 255, and keyseg adds a few letters until a file is complete

Entries = dict[PurePosixPath, zipfile.ZipInfo]
"""The files of a data set, by their path below its folder."""


def fetch_dataset(
    archive: str, name: str, out: Path, *, progress: Callable[[int, int], None] = lambda *_: None
) -> None:
    """Fetch data set `name` of an archive into the new folder `out`, which appears when it is complete.

    archive: URL of a zip archive, of which only the parts that are needed are requested, or path of a local one.
    progress: called with the bytes that are there and all bytes, unpacked.

    Files that are complete are kept when the connection breaks or the process is stopped, and the same call resumes.
    Raises OutputExistsError if `out` exists, and DataError if the archive cannot be read or has no such data set.
    """
    hidden = out.with_name(f".{out.name}.partial")
    folder = hidden / out.name
    if out.exists():
        if not hidden.exists() or folder.exists():
            raise OutputExistsError(f"{out} exists; name a new folder for the data set")
        remove_folder(hidden)  # interrupted in the last moment
        return
    with naming(out), open_archive(archive) as source:
        entries = dataset_entries(source, name, archive)
        with claimed(hidden) as mine:
            if not mine:
                raise DataError(f"{hidden}: another keyseg is downloading to {out}; wait for it")
            missing = {place: entry for place, entry in entries.items() if not _is_complete(folder / place, entry)}
            total, left = (sum(entry.file_size for entry in part.values()) for part in (entries, missing))
            _check_space(out, left)
            progress(total - left, total)
            for place, entry in missing.items():
                _fetch(source, entry, folder / place, archive)
                left -= entry.file_size
                progress(total - left, total)
            folder.rename(out)
    remove_folder(hidden)


@contextmanager
def open_archive(archive: str) -> Iterator[zipfile.ZipFile]:
    """A zip archive at a URL or path; errors while it is read become DataError, with what to do."""
    if not archive.startswith(("https://", "http://")):
        if not Path(archive).is_file():
            raise DataError(f"{archive}: no such file; expected a zip archive, or its address from https:// on")
        with _zip_errors(archive), zipfile.ZipFile(archive) as local:
            yield local
        return
    with extra("download", "downloading"):
        import requests
        import urllib3
        from remotezip import RangeNotSupported, RemoteZip, RemoteZipError
    again = urllib3.Retry(5, connect=1, backoff_factor=1, status_forcelist=_BUSY)
    try:
        with requests.Session() as session, _zip_errors(archive):
            session.mount(archive, requests.adapters.HTTPAdapter(max_retries=again))
            with RemoteZip(archive, session=session, timeout=_WAIT) as remote:
                yield remote
    except RangeNotSupported as error:
        raise DataError(
            f"{archive}: the server sends only the whole archive; download it with another program, such as"
            f" curl -L -C - -O {archive}, and name the file with --archive"
        ) from error
    except (RemoteZipError, urllib3.exceptions.HTTPError, requests.RequestException) as error:
        raise DataError(f"{archive}: {error}; {_RESUME}") from error


@contextmanager
def _zip_errors(archive: str) -> Iterator[None]:
    try:
        yield
    except KeysegError:
        raise
    except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError, ArithmeticError, EOFError) as error:
        raise DataError(f"{archive}: not a zip archive, or damaged ({error}); check the address") from error


def dataset_entries(archive: zipfile.ZipFile, name: str, where: str) -> Entries:
    """The files of the folder `name` that holds mapping.txt. `where` is for messages.

    Raises DataError if there is no such folder, or several, on a file name that leads out of the folder or cannot be
    one, on two files of one name, and on files that unpack to far more than the archive holds.
    """
    files = [entry for entry in archive.infolist() if entry.filename and not entry.is_dir()]
    entries = {PurePosixPath(entry.filename): entry for entry in files}
    roots = {path.parent for path in entries if path.parts[-2:] == (name, "mapping.txt")}
    if len(roots) != 1:
        others = sorted(path.parent.name for path in entries if path.name == "mapping.txt")
        raise DataError(f"{where}: expected one data set {name!r} in it; it holds {', '.join(others) or 'none'}")
    (root,) = roots
    below = {path.relative_to(root): entry for path, entry in entries.items() if root in path.parents}
    for place, entry in below.items():
        if not is_inside(str(place)):
            raise DataError(f"{where}: {entry.filename!r} leads out of the folder of the data set; do not use it")
        if any(unicodedata.category(character) == "Cc" for character in str(place)):
            raise DataError(f"{where}: {entry.filename!r} holds a control character; do not use it")
        if max(len(part.encode(errors="replace")) for part in place.parts) > _LONGEST_NAME:
            raise DataError(f"{where}: {entry.filename[:80]!r}... is too long for the name of a file; do not use it")
        if any(parent in below for parent in place.parents):
            raise DataError(f"{where}: {entry.filename!r} is in a folder that is also a file; do not use it")
    names = [PurePosixPath(entry.filename) for entry in files]
    twice = next((path for path, count in Counter(names).items() if count > 1 and root in path.parents), None)
    if twice is not None:
        raise DataError(f"{where}: {str(twice)!r} is in it more than once; do not use it")
    unpacked, packed = (sum(getattr(e, size) for e in below.values()) for size in ("file_size", "compress_size"))
    if unpacked > _MOST_GROWTH * packed + _CHUNK:
        raise DataError(f"{where}: {size_text(packed)} unpack to {size_text(unpacked)}; do not use it")
    return below


def _is_complete(path: Path, entry: zipfile.ZipInfo) -> bool:
    """Whether a file is there and has the checksum of an entry."""
    if not path.is_file():
        return False
    checksum = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            checksum = zlib.crc32(chunk, checksum)
    return checksum == entry.CRC


def _check_space(out: Path, needed: int) -> None:
    free = shutil.disk_usage(nearest_existing(out.absolute())).free
    if needed > free:
        raise DataError(
            f"{out}: not enough space, {size_text(needed)} are needed and {size_text(free)} free; make room, or name"
            " a folder on another disk"
        )


def _fetch(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, where: str) -> None:
    """Unpack an entry, of which the zip's own size and checksum are verified."""
    try:
        with archive.open(entry) as source, whole_file(path) as partial, partial.open("wb") as sink:
            shutil.copyfileobj(source, sink, _CHUNK)
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # None: damaged bzip2
            raise
        problem = "it would start outside" if error.errno else str(error)
        raise DataError(f"{where}: {entry.filename} cannot be unpacked, {problem}; {_RESUME}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, lzma.LZMAError, RuntimeError) as error:  # encrypted: RuntimeError
        raise DataError(f"{where}: {entry.filename} cannot be unpacked ({error}); {_RESUME}") from error


def size_text(size: int) -> str:
    """Bytes in words, such as 30.2 GB, 4.0 MB or 12 bytes.

    >>> size_text(4_000_000)
    '4.0 MB'
    """
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} bytes"
