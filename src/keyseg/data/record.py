"""The public record of a release, which says where its archive lies, how large it is and what its hash is.

pooch and requests, which a download needs, are loaded when they are used: `pip install 'keyseg[download]'`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from keyseg.timeline import ConfigError, DataError
from keyseg.timeline.version import __version__

if TYPE_CHECKING:
    import requests

RECORD = "https://zenodo.org/api/records/3625992"

CHUNK = 1 << 20
_WAIT = (30, 60)  # seconds for a connection, and between two pieces of an answer
_LONGEST_RECORD = 1 << 22
_DIGITS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}


@dataclass(frozen=True)
class RemoteArchive:
    """What a record says of its archive: file name, bytes, hash as `md5:...`, and address."""

    name: str
    size: int
    checksum: str
    url: str

    def path(self, cache: Path) -> Path:
        """Where it lies in a cache once it is complete."""
        return cache / "downloads" / self.name


def require_libraries() -> None:
    """Raise ConfigError, with the command that installs them, where pooch or requests is missing."""
    try:
        import pooch  # noqa: F401
        import requests  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"downloading needs a library that is not installed ({error.name}): pip install 'keyseg[download]'"
        ) from None


def read_record(address: str = RECORD) -> RemoteArchive:
    """The zip archive that a record (JSON with `files`, as of Zenodo's API) names.

    Raises ConfigError on what is no address, DataError where there is no such record or no archive in it.
    """
    require_libraries()
    import requests

    if not address.startswith(("https://", "http://")):
        raise ConfigError(f"a record is an address such as {RECORD}, got {address!r}")
    text = b""
    try:
        with answer(address, {"Accept": "application/json"}) as response:
            if response.status_code != 200:
                raise DataError(f"{address}: {status(response)}; expected a record such as {RECORD}")
            for piece in response.iter_content(CHUNK):
                text += piece
                if len(text) > _LONGEST_RECORD:
                    break
    except requests.RequestException as error:
        raise DataError(
            f"{address}: cannot read the record ({reason(error)}); try again, or name another one"
        ) from error
    try:
        files = json.loads(text)["files"]
        archives = [file for file in files if str(file["key"]).lower().endswith(".zip")]
        if len(archives) != 1:
            names = ", ".join(str(file["key"]) for file in files[:10])
            raise DataError(f"{address}: expected one .zip file in the record, got {len(archives)} ({names})")
        links = archives[0]["links"]
        url = links.get("content") or links["self"]  # where both are there, `self` is a description
        found = RemoteArchive(archives[0]["key"], archives[0]["size"], str(archives[0]["checksum"]).lower(), url)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError(
            f"{address}: not a record with files[].key, size, checksum and links.self in JSON"
            f" ({type(error).__name__}: {error}); expected one such as {RECORD}"
        ) from error
    _check(found, address)
    return found


def _check(found: RemoteArchive, address: str) -> None:
    algorithm, _, digest = found.checksum.partition(":")
    sound = {
        "key": re.fullmatch(r"[\w][\w.+ -]*", found.name),  # a name, and not a path
        "size": isinstance(found.size, int) and found.size > 0,
        "checksum": re.fullmatch(r"[0-9a-f]+", digest) and len(digest) == _DIGITS.get(algorithm),
        "links.self": isinstance(found.url, str) and found.url.startswith(("https://", "http://")),
    }
    wrong = [field for field, good in sound.items() if not good]
    if wrong:
        raise DataError(f"{address}: the record's {', '.join(wrong)} of its archive cannot be right: {found}")


@contextmanager
def answer(url: str, headers: dict[str, str]) -> Iterator[requests.Response]:
    """An answer whose body is not read yet, and not compressed: places in it are places in the file."""
    import requests

    own = {"User-Agent": f"keyseg/{__version__}", "Accept-Encoding": "identity"}
    with requests.get(url, headers=own | headers, stream=True, timeout=_WAIT) as response:
        yield response


def status(response: requests.Response) -> str:
    """The status of an answer in words, with the pause that a busy server asks for."""
    wait = response.headers.get("Retry-After")
    return f"the server answers {response.status_code} {response.reason}" + (f", retry after {wait} s" if wait else "")


def reason(error: Exception) -> str:
    """Why a request failed, in words."""
    import requests

    kinds = (
        (requests.exceptions.SSLError, "its certificate cannot be verified"),
        (requests.exceptions.Timeout, "no answer in time"),
        (requests.exceptions.ConnectionError, "no connection, or it broke"),
        (requests.exceptions.ChunkedEncodingError, "the connection broke"),
    )
    return next((words for kind, words in kinds if isinstance(error, kind)), f"{type(error).__name__}: {error}")
