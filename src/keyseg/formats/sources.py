"""The annotation files in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from keyseg.formats.table_of_formats import FORMATS, format_named, format_of, name_fits
from keyseg.timeline import DataError


@dataclass(frozen=True)
class Sources:
    """formats: the format of each file to read, in order. left_out: the other files of the folder."""

    formats: dict[Path, str]
    left_out: tuple[Path, ...] = ()


def find_sources(path: Path, named: str | None = None) -> Sources:
    """A file, or the files of a folder that are of a known format, or of the format `named`.

    Raises DataError on a file of no known format and on a folder without annotation files, ConfigError on an unknown
    `named`.
    """
    if named is not None:
        format_named(named)
    if not path.is_dir():
        return Sources({path: named or format_of(path)})
    formats: dict[Path, str] = {}
    others: list[Path] = []
    for file in sorted(path.iterdir()):
        if not file.is_file() or file.name.startswith("."):
            continue
        if not any(name_fits(file, name) for name in ([named] if named else FORMATS)):
            others.append(file)
            continue
        try:
            formats[file] = named or format_of(file)
        except DataError:
            others.append(file)
    if not formats:
        what = named or "of a known format"
        raise DataError(f"{path}: no file here that is {what}; it holds {_listed(others) or 'nothing'}")
    return Sources(formats, tuple(others))


def _listed(files: list[Path]) -> str:
    return ", ".join(file.name for file in files[:5]) + (" ..." if len(files) > 5 else "")
