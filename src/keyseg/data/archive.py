"""One data set out of a release's zip archive: what is in there, and unpacking it whole or not at all."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from filelock import FileLock, Timeout

from keyseg.data.dataset import Dataset
from keyseg.data.splits import SUBSETS, is_inside
from keyseg.timeline import ConfigError, DataError, OutputExistsError

Progress = Callable[[str, int, int], None]
"""Called with a stage ("downloading", "checking", "unpacking"), bytes done and bytes in all."""

MOST_EXPANSION = 100  # unpacked bytes a byte of archive; labels alone may come near it, features stay below 2
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Contents:
    """The files of one data set in an archive.

    root: its folder in the archive, such as data/gtea. members: path below it, and the zip's entry. size: bytes when
    unpacked, as the zip's directory says; unpacking writes no more than that.
    """

    root: str
    members: tuple[tuple[PurePosixPath, zipfile.ZipInfo], ...]
    size: int

    def listing(self) -> str:
        """What stands at the top: `mapping.txt, features/ (28 files)`."""
        counts = Counter(place.parts[0] for place, _ in self.members)
        folders = {place.parts[0] for place, _ in self.members if len(place.parts) > 1}
        return ", ".join(f"{top}/ ({counts[top]} files)" if top in folders else top for top in sorted(counts)[:10])


def open_zip(file: Path | BinaryIO, where: str) -> zipfile.ZipFile:
    """Open an archive and read its directory. Raises DataError if it is none."""
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise DataError(f"{where}: not a zip archive that can be read ({error}); see if the record is right") from error


def contents(archive: zipfile.ZipFile, name: str, size: int, where: str) -> Contents:
    """The files of data set `name`, in NAME/ or data/NAME/, of an archive of `size` bytes; `where` is for messages.

    Raises DataError if it is not in there, and on whatever should not be unpacked: names that lead out of the folder,
    links, encrypted files, and far more bytes than such an archive can honestly hold.
    """
    entries = [(PurePosixPath(info.filename).parts, info) for info in archive.infolist()]
    for _, info in entries:
        if not is_inside(info.filename):
            raise DataError(
                f"{where}: {info.filename!r} leads out of the folder it is unpacked to; do not use this file"
            )
    for root in (("data", name), (name,)):
        below = [(parts[len(root) :], info) for parts, info in entries if parts[: len(root)] == root]
        members = tuple((PurePosixPath(*parts), info) for parts, info in below if parts and not info.is_dir())
        if members:
            break
    else:
        tops = sorted({"/".join(parts[: 1 + (parts[0] == "data")]) for parts, _ in entries if parts})
        raise DataError(f"{where}: no data set {name!r} in it; it holds {', '.join(tops[:10]) or 'nothing'}")
    for _, info in members:
        _check_member(info, where)
    found = Contents("/".join(root), members, sum(info.file_size for _, info in members))
    if found.size > MOST_EXPANSION * size:
        raise DataError(
            f"{where}: {found.root} would grow to {size_text(found.size)}, out of an archive of {size_text(size)};"
            " that is no honest archive of features, do not use this file"
        )
    return found


def _check_member(info: zipfile.ZipInfo, where: str) -> None:
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
        raise DataError(f"{where}: {info.filename!r} is a link or a special file; expected files and folders only")
    if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(
            f"{where}: {info.filename!r} is encrypted or compressed in another way than 'deflate' (method"
            f" {info.compress_type}), which keyseg does not read; unpack the archive with another program"
        )


def unpack(path: Path, name: str, out: Path, progress: Progress) -> None:
    """Unpack data set `name` of the archive at `path` to the folder `out`, which appears when all is there.

    Raises OutputExistsError unless `out` is new or empty, DataError on an archive that is damaged, hostile, or without
    a data set in the field's layout, and where there is not enough space. Nothing is left behind then.
    """
    out = check_target(out)
    with open_zip(path, str(path)) as archive:
        found = contents(archive, name, path.stat().st_size, str(path))
        check_space({out: found.size})
        with _hidden(out) as folder:
            _extract(archive, found, folder, progress, path)
            _check_layout(folder, found, path)
            if out.exists():
                out.rmdir()  # fails if somebody has put something there
            folder.rename(out)


def check_target(out: Path) -> Path:
    """Absolute path of a folder to unpack to. Raises OutputExistsError unless it is new or empty.

    ConfigError: it is the current folder or a mount point, which cannot be renamed to, or it cannot be made.
    """
    out = out.resolve()
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise OutputExistsError(f"{out} is not an empty folder: a data set is unpacked only into a new or empty one")
    if out == Path.cwd() or out.is_mount():
        raise ConfigError(f"{out} is the current folder or a mount point; name a new folder below it")
    above = nearest_existing(out.parent)
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise ConfigError(f"{out}: cannot make it, {above} is no folder that may be written to; name another place")
    return out


def nearest_existing(path: Path) -> Path:
    """The path itself, or the first folder above it that is there."""
    path = path.absolute()
    return next(place for place in (path, *path.parents) if place.exists())


def check_space(needs: Mapping[Path, int]) -> None:
    """Raise DataError where the disk of these folders has not as many bytes free as they need, all together."""
    disks: dict[int, list[Path]] = {}
    for folder in needs:
        disks.setdefault(nearest_existing(folder).stat().st_dev, []).append(folder)
    for folders in disks.values():
        need = sum(needs[folder] for folder in folders)
        free = shutil.disk_usage(nearest_existing(folders[0])).free
        if need > free:
            parts = " and ".join(f"{size_text(needs[folder])} in {folder}" for folder in folders)
            raise DataError(f"not enough space: {parts}, with {size_text(free)} free; make room or name another disk")


def size_text(size: int) -> str:
    """30.2 GB, 4.0 MB, 12 bytes."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} bytes"


@contextmanager
def _hidden(out: Path) -> Iterator[Path]:
    """A place beside `out` for one process at a time; what is still there at the end, or after a kill, is removed."""
    hidden = out.with_name(f".{out.name}.unpacking")
    hidden.mkdir(parents=True, exist_ok=True)
    lock = FileLock(hidden / "lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise DataError(f"{hidden}: another keyseg is unpacking to {out}; wait for it") from None
    try:
        folder = hidden / out.name
        if folder.exists():
            shutil.rmtree(folder)
        yield folder
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
        lock.release()


def _extract(archive: zipfile.ZipFile, found: Contents, folder: Path, progress: Progress, path: Path) -> None:
    done = 0
    for place, info in found.members:
        target = folder.joinpath(*place.parts)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(info) as source, target.open("xb") as sink:
                while chunk := source.read(_CHUNK):  # no more than info.file_size in all
                    sink.write(chunk)
                    done += len(chunk)
                    progress("unpacking", done, found.size)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise DataError(f"{path}: {info.filename} is damaged ({error}); nothing was unpacked") from error
        except (FileExistsError, NotADirectoryError) as error:
            raise DataError(f"{path}: {info.filename} is in it twice, or as a file and a folder") from error


def _check_layout(folder: Path, found: Contents, path: Path) -> None:
    """A light look at what was unpacked: it opens, and every split has its names, features and labels."""
    try:
        dataset = Dataset.open(folder)
        for split in dataset.splits:
            for subset in SUBSETS:
                dataset.names(split, subset)
            features = dataset.feature_folder(split)
            for place, pattern in ((features, "*.npy"), (folder / "groundTruth", "*.txt")):
                if not any(place.glob(pattern)):
                    raise DataError(f"{place}: no {pattern} in it")
    except DataError as error:
        reason = str(error).replace(str(folder), found.root)
        raise DataError(
            f"{path}: no data set in the field's layout, {reason}; the archive holds {found.listing()}"
        ) from error
