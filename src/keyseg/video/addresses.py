"""Inputs that are elsewhere: addresses that fsspec reads, such as `s3://bucket/videos/day1.mp4`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from keyseg.data.feature_origin import sidecar_path
from keyseg.data.folders import cache_folder
from keyseg.data.input_names import is_feature_file
from keyseg.timeline import ConfigError, DataError
from keyseg.timeline.extras import extra
from keyseg.timeline.partials import partial_folder

# A `Path` has one slash where the address has two. One letter is a drive of Windows.
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):[/\\]+(.+)", re.DOTALL)


def address_of(path: Path) -> str | None:
    """The address that was typed where a path is expected, or None if it is a path of this machine.

    >>> address_of(Path("s3://bucket/day1.mp4"))
    's3://bucket/day1.mp4'
    >>> address_of(Path("videos/day1.mp4"))
    """
    match = _ADDRESS.fullmatch(str(path))
    if match is None:
        return None
    scheme, rest = match[1], match[2].replace("\\", "/")
    return f"{scheme}://{'/' * (scheme == 'file')}{rest}"


def inside_address(path: Path, suffixes: Collection[str]) -> list[Path]:
    """The address itself, or if it is that of a folder, those of the files in it with these endings, sorted.

    Raises DataError if there is nothing or it cannot be read, ConfigError if the package for it is not installed.
    """
    address = str(address_of(path))
    files, place = _file_system(address)
    with _reading(address):
        if not files.isdir(place):
            return [path]
        names = sorted(str(name).rstrip("/").rpartition("/")[2] for name in files.ls(place, detail=False))
    inside = [path / name for name in names if not name.startswith(".") and Path(name).suffix.lower() in suffixes]
    if not inside:
        raise DataError(f"{address}: no such file, or nothing to read in this folder")
    return inside


@contextmanager
def fetched(path: Path, cache: Path | None = None) -> Iterator[Path]:
    """The file itself, or of an address a copy with the same name in the cache's folder, which is removed at the end.

    Features are fetched with their sidecar, if they have one. Raises DataError, which names the address.
    """
    address = address_of(path)
    if address is None:
        yield path
        return
    files, place = _file_system(address)
    folder = cache or cache_folder() / "features"
    with partial_folder(folder / path.name) as own:  # a killed process leaves it to the next that fetches the file
        local = own / path.name
        with _reading(address):
            files.get_file(place, str(local))
            if is_feature_file(path):
                with suppress(FileNotFoundError):
                    files.get_file(str(sidecar_path(Path(place)).as_posix()), str(sidecar_path(local)))
        try:
            yield local
        except DataError as error:
            raise DataError(str(error).replace(str(local), address)) from error


def _file_system(address: str) -> tuple[Any, str]:
    """The file system of an address, and the place in it."""
    with extra("scale", "an address as input"):
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]
    try:
        files, place = url_to_fs(address)
    except ImportError as error:  # says what to install
        raise ConfigError(f"{address}: {str(error).rstrip('.')}, with pip install") from error
    except ValueError as error:
        raise ConfigError(f"{address}: {error}") from error
    return files, str(place)


@contextmanager
def _reading(address: str) -> Iterator[None]:
    """Let whatever fsspec and its packages raise, which have errors of their own, be a DataError."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{address}: no such file or folder") from error
    except Exception as error:
        reason = str(error).strip().splitlines()
        raise DataError(f"{address}: cannot read it ({reason[0] if reason else type(error).__name__})") from error
