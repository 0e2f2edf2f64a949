"""Data sets of the MS-TCN release: download the archive, resuming an interrupted download, and unpack one data set."""

from __future__ import annotations

import hashlib
import io
import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from keyseg.data.archive import StageProgress, check_space, check_target, contents, open_zip, size_text, unpack
from keyseg.data.folders import cache_folder, claimed
from keyseg.data.record import CHUNK, RemoteArchive, read_start, response_to
from keyseg.timeline import ConfigError, DataError, nearest
from keyseg.timeline.files import write_json

if TYPE_CHECKING:
    import requests

RELEASED = ("gtea", "50salads", "breakfast")

_TAIL = 1 << 22  # bytes at the end of an archive: the zip's directory, of thousands of files


def download_dataset(
    remote: RemoteArchive,
    name: str,
    out: Path,
    *,
    cache: Path | None = None,
    progress: StageProgress = lambda *_: None,
) -> Path:
    """Download the archive (unless the cache has it), unpack data set `name` to `out`, and return the archive's path.

    Raises ConfigError on an unknown name, OutputExistsError unless `out` is new or empty, and DataError if there is not
    enough space, the connection breaks (the same call resumes), or the archive is not the expected one.
    """
    if name not in RELEASED:
        raise ConfigError(f"the release has {', '.join(RELEASED)}; got {name!r}{nearest(name, RELEASED)}")
    out = check_target(out)
    cache = cache_folder() if cache is None else cache
    left = remote.size - kept_bytes(remote, cache)
    check_space({cache: left, out: _unpacked_size(remote, name) if left else 0})
    path = fetch(remote, cache, progress)
    unpack(path, name, out, progress)
    return path


def kept_bytes(remote: RemoteArchive, cache: Path) -> int:
    """How much of an archive a cache holds: all of it, or what was downloaded before a connection broke."""
    path = remote.path(cache)
    if path.is_file() and path.stat().st_size == remote.size:
        return remote.size
    return _Part(remote, cache).kept()[0]


def fetch(remote: RemoteArchive, cache: Path, progress: StageProgress) -> Path:
    """Path of the archive in the cache, downloaded if it is not there or damaged.

    Raises DataError if the connection breaks (progress is saved, the same call resumes), if the hash is wrong (the
    download is removed), and while another process downloads to the same cache.
    """
    path = remote.path(cache)
    with claimed(path.parent) as mine:
        if not mine:
            raise DataError(f"{path.parent}: another keyseg is downloading there; wait for it, or use another cache")
        if _is_right(path, remote, progress):
            return path
        path.unlink(missing_ok=True)
        part = _Part(remote, cache)
        part.complete(progress)
        if right := _is_right(part.file, remote, progress):
            part.file.replace(path)
        part.forget()
    if not right:
        raise DataError(
            f"{remote.url}: the download does not have the hash {remote.checksum} of the record, and was removed;"
            " download it again; if that does not help, the record or its server is at fault"
        )
    return path


def _is_right(path: Path, remote: RemoteArchive, progress: StageProgress) -> bool:
    """Whether a file has the size and the hash of the record."""
    if not path.exists() or path.stat().st_size != remote.size:
        return False
    progress("checking", 0, remote.size)
    algorithm, _, digest = remote.checksum.partition(":")
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest() == digest


class _Part:
    """The start of an archive, in NAME.partial; NAME.partial.json says of which version of which archive."""

    def __init__(self, remote: RemoteArchive, cache: Path) -> None:
        path = remote.path(cache)
        self.remote = remote
        self.file = path.with_name(f"{path.name}.partial")
        self.state = path.with_name(f"{path.name}.partial.json")

    def kept(self) -> tuple[int, str]:
        """Bytes of this archive that are there, and the server's mark of their version."""
        with suppress(OSError, ValueError, LookupError, TypeError):
            state = json.loads(self.state.read_text(encoding="utf-8"))
            have = self.file.stat().st_size
            if state["checksum"] == self.remote.checksum and have <= self.remote.size:
                return have, str(state["mark"])
        return 0, ""

    def forget(self) -> None:
        """Start from the beginning next time."""
        self.file.unlink(missing_ok=True)
        self.state.unlink(missing_ok=True)

    def complete(self, progress: StageProgress) -> None:
        """Download what is missing. Raises DataError, with what to do, if the server does not send it."""
        try:
            while (kept := self.kept())[0] < self.remote.size:
                self._resume(*kept, progress)
        except DataError as error:
            have, _ = self.kept()
            saved = f"{size_text(have)} of {size_text(self.remote.size)} are saved; run the same command to resume"
            raise DataError(f"{error}; {saved if have else 'nothing was downloaded, try again later'}") from error

    def _resume(self, have: int, mark: str, progress: StageProgress) -> None:
        """Append the rest of the archive to the `have` bytes there are, or forget these if they are of another file."""
        headers = {"Range": f"bytes={have}-"} if have else {}
        if have and mark:
            headers["If-Range"] = mark
        with response_to(self.remote.url, headers, 200, *((206, 416) if have else ())) as response:
            if response.status_code == 200:
                have = 0  # the whole file: it has changed, or the server sends no parts
            else:
                span = response.headers.get("Content-Range", "")
                follows = span.startswith(f"bytes {have}-") and span.endswith(("/*", f"/{self.remote.size}"))
                if not follows or (mark and _mark(response) not in (mark, "")):
                    self.forget()
                    return
            self._append(response, have, progress)

    def _append(self, response: requests.Response, have: int, progress: StageProgress) -> None:
        url, size = self.remote.url, self.remote.size
        announced = response.headers.get("Content-Length", "")
        if announced.isdecimal() and have + int(announced) != size:
            raise DataError(
                f"{url}: the record says {size} bytes, the server would send {have + int(announced)}; if that does not"
                " change, the record is at fault"
            )
        if not have:
            self.forget()
            write_json(self.state, {"checksum": self.remote.checksum, "mark": _mark(response)})
        with self.file.open("ab" if have else "wb") as file:
            for piece in response.iter_content(CHUNK):
                have += len(piece)
                if have > size:
                    break
                file.write(piece)
                progress("downloading", have, size)
        if have > size:
            self.forget()
            raise DataError(f"{url}: sends more than the {size} bytes that the record says")
        if have < size:
            raise DataError(f"{url}: the connection broke")


def _mark(response: requests.Response) -> str:
    """What identifies this version of a file: a strong ETag, else the date, else nothing."""
    tag = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")


class _Tail(io.BytesIO):
    """The end of a file of `size` bytes, read as if all of the file were there. Raises OSError before its start."""

    def __init__(self, tail: bytes, size: int) -> None:
        super().__init__(tail)
        self._start = size - len(tail)

    def tell(self) -> int:
        return super().tell() + self._start

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if whence == 0:
            offset -= self._start
            if offset < 0:
                raise OSError("this part of the archive has not been fetched")
        return super().seek(offset, whence) + self._start


def _unpacked_size(remote: RemoteArchive, name: str) -> int:
    """Bytes of an unpacked data set, by the directory at the archive's end; 0 if the server sends no parts.

    Raises DataError if the archive does not have the data set, before anything large is downloaded.
    """
    start = max(0, remote.size - _TAIL)
    try:
        with response_to(remote.url, {"Range": f"bytes={start}-"}, 206) as response:
            if not response.headers.get("Content-Range", "").startswith(f"bytes {start}-{remote.size - 1}/"):
                return 0
            tail = read_start(response, _TAIL)
    except DataError:  # of the connection; the download will report it
        return 0
    try:
        with open_zip(_Tail(tail, remote.size), remote.url) as archive:
            return contents(archive, name, remote.size, remote.url).size
    except OSError:  # the directory is longer than this
        return 0
