"""Splits on disk: `splits/{train,test}.splitK.bundle`, a file name a line, and the paths that such names lead to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import Literal

from keyseg.timeline import DataError
from keyseg.timeline.files import read_text

Subset = Literal["train", "test"]
SUBSETS: tuple[Subset, Subset] = ("train", "test")

_BUNDLE = re.compile(r"(?:train|test)\.split(\d+)\.bundle")


def bundle_path(root: Path, split: int, subset: Subset) -> Path:
    """Where the names of one side of a split stand."""
    return root / "splits" / f"{subset}.split{split}.bundle"


def find_splits(root: Path) -> tuple[int, ...]:
    """Numbers of the splits that have at least one bundle. Raises DataError where there is none."""
    folder = root / "splits"
    found = {int(match[1]) for path in folder.glob("*.bundle") if (match := _BUNDLE.fullmatch(path.name))}
    if not found:
        raise DataError(f"{folder}: no splits here; expected train.split1.bundle and test.split1.bundle, a name a line")
    return tuple(sorted(found))


def bundle_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Line number and video name (without `.txt`) of every line that is not blank. Raises DataError if unreadable."""
    for number, line in enumerate(read_text(path, "the file name of a video a line").split("\n"), 1):
        if line.strip():
            yield number, line.strip().removesuffix(".txt")


def read_bundle(path: Path) -> tuple[str, ...]:
    """Video names of one side of a split, in file order.

    Raises DataError with file and line on a name that stands twice or leads out of its folder, and on an empty file.
    """
    lines: dict[str, int] = {}
    for number, name in bundle_lines(path):
        if name in lines:
            raise DataError(f"{path}:{number}: {name} stands here and on line {lines[name]}; delete one of the two")
        if not is_inside(name):
            raise DataError(f"{path}:{number}: {name!r} leads out of the data set; expected the file name of a video")
        lines[name] = number
    if not lines:
        raise DataError(f"{path}: no video names; expected the file name of a video a line")
    return tuple(lines)


def is_inside(name: str) -> bool:
    """Whether a name, taken as written, stays in the folder it is looked up in."""
    # A Windows path knows both kinds of slash, and drives: a name that is safe there is safe anywhere.
    path = PureWindowsPath(name)
    return bool(name) and "\0" not in name and not path.anchor and ".." not in path.parts


def resolve_inside(folder: Path, name: str, suffix: str) -> Path:
    """Path of a video's file. The folder may be a link; a file in it may not lead out of it.

    Raises DataError naming where it leads.
    """
    path = folder / f"{name}{suffix}"
    if not is_inside(name):
        raise DataError(f"{path}: leads out of {folder}; expected the file name of a video")
    try:
        target = path.resolve()
    except (OSError, RuntimeError) as error:  # a link that leads to itself
        raise DataError(f"{path}: leads nowhere ({error}); put the file itself there") from error
    if not target.is_relative_to(folder.resolve()):
        raise DataError(f"{path}: leads out of {folder}, to {target}; put the file itself there, or link the folder")
    return path
