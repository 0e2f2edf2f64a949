"""The public record of a release: the address, size and hash of its archive."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from keyseg.timeline import ConfigError, DataError
from keyseg.timeline.extras import extra
from keyseg.timeline.version import __version__

if TYPE_CHECKING:
    import requests

RECORD = "https://zenodo.org/api/records/3625992"

CHUNK = 1 << 20
_WEB = ("https://", "http://")
_WAIT = (30, 60)  # seconds for a connection, and between two parts of a response
_LONGEST_RECORD = 1 << 22
_DIGITS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}


@dataclass(frozen=True)
class RemoteArchive:
    """What a record says of its archive: file name, bytes, hash such as `md5:...`, and address."""

    name: str
    size: int
    checksum: str
    url: str

    def path(self, cache: Path) -> Path:
        """Its place in a cache once it is complete."""
        return cache / "downloads" / self.name


def read_record(address: str = RECORD) -> RemoteArchive:
    """The zip archive that a record names, JSON with `files` as Zenodo's API returns it.

    Raises ConfigError if `address` is not an address, DataError if there is no such record or no archive in it.
    """
    if not address.startswith(_WEB):
        raise ConfigError(f"a record is an address such as {RECORD}, got {address!r}")
    try:
        with response_to(address, {"Accept": "application/json"}, 200) as response:
            text = read_start(response, _LONGEST_RECORD)
    except DataError as error:
        raise DataError(f"{error}; try again, or name a record such as {RECORD}") from error
    try:
        files = json.loads(text)["files"]
        archives = [file for file in files if str(file["key"]).lower().endswith(".zip")]
        if len(archives) != 1:
            names = ", ".join(str(file["key"]) for file in files[:10])
            raise DataError(f"{address}: expected one .zip file in the record, got {len(archives)} ({names})")
        links = archives[0]["links"]
        url = links.get("content") or links["self"]  # if both are there, `self` is a description
        remote = RemoteArchive(archives[0]["key"], archives[0]["size"], str(archives[0]["checksum"]).lower(), url)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError(
            f"{address}: not a record with files[].key, size, checksum and links.self in JSON"
            f" ({type(error).__name__}: {error}); expected one such as {RECORD}"
        ) from error
    algorithm, _, digest = remote.checksum.partition(":")
    sound = {
        "key": re.fullmatch(r"[\w][\w.+ -]*", str(remote.name)),  # a name, and not a path
        "size": isinstance(remote.size, int) and remote.size > 0,
        "checksum": re.fullmatch(r"[0-9a-f]+", digest) and len(digest) == _DIGITS.get(algorithm),
        "links.self": str(remote.url).startswith(_WEB),
    }
    wrong = [field for field, good in sound.items() if not good]
    if wrong:
        raise DataError(f"{address}: the record's {', '.join(wrong)} of its archive cannot be right: {remote}")
    return remote


@contextmanager
def response_to(url: str, headers: Mapping[str, str], *expected: int) -> Iterator[requests.Response]:
    """A response whose body is not read yet and not compressed, so that positions in it are positions in the file.

    Raises DataError if its status is not an `expected` one, or if the connection fails while it is used, and
    ConfigError if requests is not installed.
    """
    with extra("download", "downloading"):
        import requests

    ours = {"User-Agent": f"keyseg/{__version__}", "Accept-Encoding": "identity"}
    try:
        with requests.get(url, headers={**ours, **headers}, stream=True, timeout=_WAIT) as response:
            if response.status_code not in expected:
                wait = response.headers.get("Retry-After")
                status = f"{response.status_code} {response.reason}" + (f", retry after {wait} s" if wait else "")
                raise DataError(f"{url}: the server answers {status}")
            yield response
    except requests.RequestException as error:
        reasons = (
            (requests.exceptions.SSLError, "its certificate cannot be verified"),
            (requests.exceptions.Timeout, "no answer in time"),
            (requests.exceptions.ConnectionError, "no connection, or it broke"),
            (requests.exceptions.ChunkedEncodingError, "the connection broke"),
        )
        reason = next((text for kind, text in reasons if isinstance(error, kind)), f"{type(error).__name__}: {error}")
        raise DataError(f"{url}: {reason}") from error


def read_start(response: requests.Response, most: int) -> bytes:
    """The first `most` bytes of a response."""
    text = b""
    for piece in response.iter_content(CHUNK):
        text += piece
        if len(text) >= most:
            break
    return text[:most]
