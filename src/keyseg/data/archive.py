"""One data set in a release's zip archive: its files, and unpacking them all or not at all."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from keyseg.data.dataset import Dataset
from keyseg.data.folders import claimed
from keyseg.data.splits import SUBSETS, is_inside
from keyseg.timeline import ConfigError, DataError, OutputExistsError
from keyseg.timeline.files import nearest_existing

StageProgress = Callable[[str, int, int], None]
"""Called with a stage ("downloading", "checking", "unpacking"), bytes done and bytes in total."""

_MOST_EXPANSION = 100  # unpacked bytes per byte of archive; labels alone come near it, features stay below 2
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Contents:
    """The files of one data set in an archive.

    root: its folder in the archive, such as data/gtea. members: path below it, and the zip's entry. size: unpacked
    bytes by the zip's directory; unpacking writes no more than that.
    """

    root: PurePosixPath
    members: list[tuple[PurePosixPath, zipfile.ZipInfo]]
    size: int


def open_zip(file: Path | BinaryIO, where: str) -> zipfile.ZipFile:
    """Open an archive and read its directory. Raises DataError if it is not a zip archive."""
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise DataError(f"{where}: not a readable zip archive ({error}); check whether the record is right") from error


def contents(archive: zipfile.ZipFile, name: str, size: int, where: str) -> Contents:
    """The files of data set `name`, in NAME/ or data/NAME/, of an archive of `size` bytes; `where` is for messages.

    Raises DataError if it is not in there, and on anything that should not be unpacked: names that lead out of the
    folder, links, encrypted files, and far more bytes than such an archive can hold.
    """
    entries = [(PurePosixPath(info.filename), info) for info in archive.infolist()]
    for _, info in entries:
        if not is_inside(info.filename):
            raise DataError(
                f"{where}: {info.filename!r} leads out of the folder it is unpacked to; do not use this file"
            )
    for root in (PurePosixPath("data", name), PurePosixPath(name)):
        below = [(path, info) for path, info in entries if root in path.parents and not info.is_dir()]
        if below:
            break
    else:
        tops = sorted({"/".join(path.parts[: 1 + (path.parts[0] == "data")]) for path, _ in entries if path.parts})
        raise DataError(f"{where}: no data set {name!r} in it; it holds {', '.join(tops[:10]) or 'nothing'}")
    for _, info in below:
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            raise DataError(f"{where}: {info.filename!r} is a link or a special file; expected files and folders only")
        if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(
                f"{where}: {info.filename!r} is encrypted, or not compressed by 'deflate' (method"
                f" {info.compress_type}), which keyseg does not read; unpack the archive with another program"
            )
    unpacked = sum(info.file_size for _, info in below)
    if unpacked > _MOST_EXPANSION * size:
        raise DataError(
            f"{where}: {root} would grow to {size_text(unpacked)} from an archive of {size_text(size)};"
            " no archive of features does, do not use this file"
        )
    return Contents(root, [(path.relative_to(root), info) for path, info in below], unpacked)


def unpack(path: Path, name: str, out: Path, progress: StageProgress) -> None:
    """Unpack data set `name` of the archive at `path` to the folder `out`, which appears when it is complete.

    Raises OutputExistsError unless `out` is new or empty, and DataError if there is not enough space or the archive is
    damaged, malicious, or without a sound data set. Nothing is left behind then.
    """
    out = check_target(out)
    hidden = out.with_name(f".{out.name}.unpacking")
    folder = hidden / out.name
    with open_zip(path, str(path)) as archive:
        files = contents(archive, name, path.stat().st_size, str(path))
        check_space({out: files.size})
        with claimed(hidden) as mine:
            if not mine:
                raise DataError(f"{hidden}: another keyseg is unpacking to {out}; wait for it")
            try:
                shutil.rmtree(folder, ignore_errors=True)  # of a killed process
                _extract(archive, files, folder, progress, path)
                _check_layout(folder, files, path)
                if out.exists():
                    out.rmdir()  # fails if somebody has put something there
                folder.rename(out)
            finally:
                shutil.rmtree(hidden, ignore_errors=True)


def check_target(out: Path) -> Path:
    """Absolute path of a folder to unpack to. Raises OutputExistsError unless it is new or empty.

    Raises ConfigError if it is the current folder or a mount point, which cannot be replaced, or cannot be created.
    """
    out = out.resolve()
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise OutputExistsError(f"{out} is not an empty folder: a data set is unpacked only into a new or empty one")
    if out == Path.cwd() or os.path.ismount(out):
        raise ConfigError(f"{out} is the current folder or a mount point; name a new folder below it")
    above = nearest_existing(out.parent)
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise ConfigError(f"{out}: cannot create it, {above} is not a writable folder; name another place")
    return out


def check_space(needs: Mapping[Path, int]) -> None:
    """Raise DataError if the disk of these folders does not have the bytes free that they need, all together."""
    disks: dict[int, list[Path]] = defaultdict(list)
    for folder in needs:
        disks[nearest_existing(folder).stat().st_dev].append(folder)
    for folders in disks.values():
        free = shutil.disk_usage(nearest_existing(folders[0])).free
        if sum(needs[folder] for folder in folders) > free:
            parts = " and ".join(f"{size_text(needs[folder])} in {folder}" for folder in folders)
            raise DataError(f"not enough space: {parts}, with {size_text(free)} free; make room or name another disk")


def size_text(size: int) -> str:
    """Bytes in words, such as 30.2 GB, 4.0 MB or 12 bytes."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} bytes"


def _extract(archive: zipfile.ZipFile, files: Contents, folder: Path, progress: StageProgress, path: Path) -> None:
    done = 0
    for place, info in files.members:
        target = folder / place
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(info) as source, target.open("xb") as sink:
                while chunk := source.read(_CHUNK):  # no more than info.file_size in total
                    sink.write(chunk)
                    done += len(chunk)
                    progress("unpacking", done, files.size)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise DataError(f"{path}: {info.filename} is damaged ({error}); nothing was unpacked") from error
        except (FileExistsError, NotADirectoryError) as error:
            raise DataError(f"{path}: {info.filename} is in it twice, or as a file and a folder") from error


def _check_layout(folder: Path, files: Contents, path: Path) -> None:
    """A quick check of what was unpacked: it opens, and every split has names, features and labels."""
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
        reason = str(error).replace(str(folder), str(files.root))
        tops = Counter(f"{place.parts[0]}/" if len(place.parts) > 1 else place.name for place, _ in files.members)
        listing = ", ".join(f"{top} ({tops[top]} files)" if top[-1] == "/" else top for top in sorted(tops)[:10])
        raise DataError(f"{path}: not a complete data set, {reason}; the archive holds {listing}") from error
