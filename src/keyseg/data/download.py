"""Data sets of the MS-TCN release: download the archive, unpack what is asked for.

A download goes through pooch, which checks the hash; what broke off is gone on with.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from keyseg.data.archive import Progress, check_space, check_target, contents, open_zip, size_text, unpack
from keyseg.data.folders import cache_folder
from keyseg.data.record import CHUNK, RemoteArchive, answer, reason, require_libraries, status
from keyseg.timeline import ConfigError, DataError, nearest

if TYPE_CHECKING:
    import requests

RELEASED = ("gtea", "50salads", "breakfast")

_TAIL = 1 << 22  # bytes at the end of an archive: its directory, of thousands of files


def download_dataset(
    remote: RemoteArchive, name: str, out: Path, *, cache: Path | None = None, progress: Progress = lambda *_: None
) -> Path:
    """Download the archive (unless the cache has it), unpack data set `name` to `out`, and return the archive's path.

    Raises ConfigError on an unknown name, OutputExistsError unless `out` is new or empty, DataError where the space is
    short, the connection broke (the same call goes on), the hash is wrong, or the archive is not as expected.
    """
    if name not in RELEASED:
        raise ConfigError(f"the release has {', '.join(RELEASED)}; got {name!r}{nearest(name, RELEASED)}")
    out = check_target(out)
    cache = cache_folder() if cache is None else cache
    left = remote.size - kept_bytes(remote, cache)
    needs = {cache: left}
    if left:
        needs[out] = _unpacked_size(remote, name) or 0
    check_space(needs)
    path = fetch(remote, cache, progress)
    unpack(path, name, out, progress)
    return path


def kept_bytes(remote: RemoteArchive, cache: Path) -> int:
    """How much of an archive a cache holds: all of it, or what was downloaded before a connection broke."""
    path = remote.path(cache)
    if path.is_file() and path.stat().st_size == remote.size:
        return remote.size
    return _Resumed(remote, path, lambda *_: None).kept()[0]


def fetch(remote: RemoteArchive, cache: Path, progress: Progress) -> Path:
    """Path of the archive in the cache, downloaded if it is not there or not right.

    Raises DataError where the connection broke (what came is kept, the same call goes on), where the hash is wrong
    (what came is removed), and while another process downloads to the same cache.
    """
    require_libraries()
    import pooch

    path = remote.path(cache)
    path.parent.mkdir(parents=True, exist_ok=True)
    download = _Resumed(remote, path, progress)
    with _alone(path.parent), _silent(pooch.get_logger()):
        for stray in path.parent.glob("tmp*"):  # pooch's, of a process that was killed
            if not stray.name.startswith(path.name):
                stray.unlink()
        if _is_right(path, remote, progress):
            return path
        path.unlink(missing_ok=True)
        try:
            pooch.retrieve(remote.url, remote.checksum, path.name, path.parent, downloader=download)
        except ValueError as error:
            download.forget()
            raise DataError(
                f"{remote.url}: what came has not the hash {remote.checksum} of the record, and was removed;"
                " download it again, and if that does not help, the record or its server is at fault"
            ) from error
        download.forget()  # it has its own name now
    return path


def _is_right(path: Path, remote: RemoteArchive, progress: Progress) -> bool:
    """Whether the archive is there with the size and hash of the record."""
    import pooch

    if not path.exists() or path.stat().st_size != remote.size:
        return False
    progress("checking", 0, remote.size)
    algorithm, _, digest = remote.checksum.partition(":")
    return bool(pooch.file_hash(str(path), algorithm) == digest)


class _Resumed:
    """A downloader for pooch that goes on where an earlier one stopped.

    What has come lies in NAME.partial; NAME.partial.json says of which file it is a part.
    """

    def __init__(self, remote: RemoteArchive, path: Path, progress: Progress) -> None:
        self.remote = remote
        self.partial = path.with_name(f"{path.name}.partial")
        self.state = path.with_name(f"{path.name}.partial.json")
        self.progress = progress

    def __call__(self, url: str, output_file: str, _: Any) -> None:
        """Leave the whole file at `output_file`. Raises DataError if the server does not give it."""
        self._complete()
        self.progress("checking", 0, self.remote.size)
        Path(output_file).unlink(missing_ok=True)
        try:
            os.link(self.partial, output_file)  # so that stopping now loses nothing: pooch removes its file
        except OSError:  # no links on this disk
            os.replace(self.partial, output_file)

    def kept(self) -> tuple[int, str]:
        """Bytes of this archive that are there, and the server's mark of the version that they are of."""
        try:
            state = json.loads(self.state.read_text(encoding="utf-8"))
            known = state["checksum"] == self.remote.checksum and state["size"] == self.remote.size
            have, mark = self.partial.stat().st_size, str(state["mark"])
        except (OSError, ValueError, LookupError, TypeError):
            return 0, ""
        return (have, mark) if known and have <= self.remote.size else (0, "")

    def forget(self) -> None:
        """Start anew next time."""
        self.partial.unlink(missing_ok=True)
        self.state.unlink(missing_ok=True)

    def _complete(self) -> None:
        import requests

        have, mark = self.kept()
        if have == self.remote.size:
            return
        headers = {"Range": f"bytes={have}-"} if have else {}
        if have and mark:
            headers["If-Range"] = mark
        try:
            with answer(self.remote.url, headers) as response:
                changed = have and response.status_code in (206, 416) and not self._goes_on(response, have, mark)
                if not changed:
                    have = self._take(response, have)
        except requests.RequestException as error:
            raise DataError(f"{self.remote.url}: {reason(error)}; {self._how_to_go_on()}") from error
        if changed:
            self.forget()
            self._complete()  # once more, from the start
        elif have < self.remote.size:
            raise DataError(f"{self.remote.url}: the connection broke; {self._how_to_go_on()}")

    def _goes_on(self, response: requests.Response, have: int, mark: str) -> bool:
        """Whether an answer is the rest of the file that we have the start of."""
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        same = not mark or _mark(response) in (mark, "")
        return bool(span and int(span[1]) == have and span[2] in ("*", str(self.remote.size)) and same)

    def _take(self, response: requests.Response, have: int) -> int:
        """Append an answer to the `have` bytes there are, or start anew; return how many there are then."""
        if response.status_code != 200 and not (have and response.status_code == 206):
            raise DataError(f"{self.remote.url}: {status(response)}; {self._how_to_go_on()}")
        if response.status_code == 200:
            have = 0  # all of it: the file has changed, or the server gives no parts
        announced = response.headers.get("Content-Length", "")
        encoded = "Content-Encoding" in response.headers
        if announced.isdecimal() and not encoded and have + int(announced) != self.remote.size:
            raise DataError(
                f"{self.remote.url}: the record says {self.remote.size} bytes, the server would send"
                f" {have + int(announced)}; try later, and if that does not help, the record is at fault"
            )
        if not have:
            self.forget()
            state = {"checksum": self.remote.checksum, "size": self.remote.size, "mark": _mark(response)}
            self.state.write_text(json.dumps(state), encoding="utf-8")
        with self.partial.open("ab" if have else "wb") as file:
            for piece in response.iter_content(CHUNK):
                file.write(piece)
                have += len(piece)
                if have > self.remote.size:
                    break
                self.progress("downloading", have, self.remote.size)
        if have > self.remote.size:
            self.forget()
            raise DataError(f"{self.remote.url}: sends more than the {self.remote.size} bytes that the record says")
        return have

    def _how_to_go_on(self) -> str:
        have, _ = self.kept()
        if not have:
            return "nothing was downloaded, try again later"
        return f"{size_text(have)} of {size_text(self.remote.size)} are kept: the same command goes on from there"


class _Tail(io.BytesIO):
    """The end of a file of `size` bytes, read as if all of it were there. OSError before its start."""

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


def _unpacked_size(remote: RemoteArchive, name: str) -> int | None:
    """Bytes of a data set when unpacked, by the directory at the archive's end; None if the server gives no parts.

    Raises DataError where the data set is not in there, before anything large is downloaded.
    """
    start = max(0, remote.size - _TAIL)
    tail = b""
    try:
        with answer(remote.url, {"Range": f"bytes={start}-"}) as response:
            span = response.headers.get("Content-Range", "")
            if response.status_code != 206 or not span.startswith(f"bytes {start}-"):
                return None
            for piece in response.iter_content(CHUNK):
                tail += piece
                if len(tail) > _TAIL:
                    return None
        with open_zip(_Tail(tail, remote.size), remote.url) as archive:
            return contents(archive, name, remote.size, remote.url).size
    except OSError:  # of the connection (the download will say so), or the directory is longer than this
        return None


def _mark(response: requests.Response) -> str:
    """What tells this version of a file from others: a strong ETag, else the date, else nothing."""
    tag = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise DataError(f"{folder}: another keyseg is downloading there; wait for it, or use another cache") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _silent(logger: logging.Logger) -> Iterator[None]:
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
