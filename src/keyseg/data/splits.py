"""Splits on disk, `splits/{train,test}.splitK.bundle` with one file name per line, and the paths of such names."""

from __future__ import annotations

import re
from pathlib import Path, PureWindowsPath
from typing import Literal

from keyseg.timeline import DataError
from keyseg.timeline.errors import ReportProblem, refuse
from keyseg.timeline.files import read_text

Subset = Literal["train", "test"]
SUBSETS: tuple[Subset, Subset] = ("train", "test")

Split = int | None
"""A split's number, or None for all labelled videos at once, which leaves none to test on."""

_BUNDLE = re.compile(r"(?:train|test)\.split(\d+)\.bundle")


def bundle_path(root: Path, split: int, subset: Subset) -> Path:
    """The file with the names of one side of a split."""
    return root / "splits" / f"{subset}.split{split}.bundle"


def find_splits(root: Path) -> tuple[int, ...]:
    """Numbers of the splits that have at least one bundle. Raises DataError if there is none."""
    folder = root / "splits"
    numbers = {int(match[1]) for path in folder.glob("*.bundle") if (match := _BUNDLE.fullmatch(path.name))}
    if not numbers:
        raise DataError(
            f"{folder}: no splits here; expected train.split1.bundle and test.split1.bundle, with one name per line"
        )
    return tuple(sorted(numbers))


def read_bundle(path: Path, report: ReportProblem = refuse) -> dict[str, int]:
    """Video names of one side of a split and their lines, in file order, without those that `report` is called for.

    Raises DataError if the file cannot be read; `report` raises it, with file and line, on a duplicate name, on a name
    that leads out of the data set, and on an empty file.
    """
    lines = read_text(path, "the file name of one video per line").split("\n")
    names: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        name = line.strip().removesuffix(".txt")
        if not line.strip():
            continue
        if not is_inside(name):
            report("outside", path, number, f"{name!r} leads out of the data set; expected the file name of a video")
        elif name in names:
            report("duplicate", path, number, f"{name} is on line {names[name]} already; delete one of the two")
        else:
            names[name] = number
    if not any(map(str.strip, lines)):
        report("empty", path, None, "no video names in it; expected the file name of one video per line")
    return names


def is_inside(name: str) -> bool:
    """Whether a name, taken as written, stays in the folder in which it is looked up."""
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
