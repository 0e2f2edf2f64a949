"""Annotation files of a folder, among whatever else lies there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from keyseg.formats.catalog import FORMATS
from keyseg.formats.files import format_named, format_of, name_fits
from keyseg.timeline import DataError


@dataclass(frozen=True)
class Sources:
    """formats: the format of each file to read, in order. left_out: what lies beside them and is not read."""

    formats: dict[Path, str]
    left_out: tuple[Path, ...] = ()


def find_sources(path: Path, named: str | None = None) -> Sources:
    """A file, or the files of a folder that are of a known format, or of the one named.

    Raises DataError on a file that is of none, and on a folder without one; ConfigError on an unknown format.
    """
    if named is not None:
        format_named(named)
    if not path.is_dir():
        return Sources({path: named or format_of(path)})
    found: dict[Path, str] = {}
    others: list[Path] = []
    for file in sorted(path.iterdir()):
        if not file.is_file() or file.name.startswith("."):
            continue
        if not any(name_fits(file, name) for name in ([named] if named else FORMATS)):
            others.append(file)
            continue
        try:
            found[file] = named or format_of(file)
        except DataError:
            others.append(file)
    if not found:
        what = named or "of a known format"
        raise DataError(f"{path}: no file here that is {what}; there is {_listed(others) or 'nothing'}")
    return Sources(found, tuple(others))


def _listed(files: list[Path]) -> str:
    return ", ".join(file.name for file in files[:5]) + (" ..." if len(files) > 5 else "")
