"""The part of the check that reads text: class list, splits and annotations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from keyseg.data.catalog import DatasetFacts
from keyseg.data.findings import Findings
from keyseg.data.splits import SUBSETS, Subset, bundle_lines, bundle_path, find_splits, is_inside, resolve_inside
from keyseg.formats.frame_labels import locate_frame_labels
from keyseg.timeline import DataError, nearest
from keyseg.timeline.files import read_text

Splits = dict[int, dict[Subset, dict[str, int]]]
"""Split number, side, video name: the line of the bundle on which it stands first."""


def check_mapping(path: Path, background: Iterable[str] | None, findings: Findings) -> tuple[str, ...]:
    """Class names of all lines that can be read, each once, in order of their ids."""
    try:
        lines = read_text(path, "one 'id name' a line").split("\n")
    except DataError as error:
        findings.add_error("unreadable" if path.exists() else "missing", path, error)
        return ()
    ids: dict[int, int] = {}
    names: dict[str, tuple[int, int]] = {}
    for number, line in enumerate(lines, 1):
        parts = line.split()
        if not parts:
            continue
        if len(parts) != 2 or not parts[0].isdecimal():
            findings.add("unreadable", path, number, f"expected 'id name', got {line!r}")
            continue
        label, name = int(parts[0]), parts[1]
        if label in ids:
            findings.add("duplicate", path, number, f"id {label} stands here and on line {ids[label]}")
        if name in names:
            findings.add("duplicate", path, number, f"class {name!r} stands here and on line {names[name][1]}")
        ids.setdefault(label, number)
        names.setdefault(name, (label, number))
    gaps = [str(label) for label in range(max(ids, default=-1) + 1) if label not in ids][:10]
    if gaps:
        findings.add("missing", path, None, f"ids must be 0..C-1 without gaps, there is no {', '.join(gaps)}")
    if not ids:
        findings.add("empty", path, None, "no classes in it; expected one 'id name' a line")
    for name in background or ():
        if name not in names:
            findings.add("unknown label", path, None, f"background {name!r} is not a class{nearest(name, names)}")
    return tuple(sorted(names, key=lambda name: names[name]))


def check_splits(root: Path, facts: DatasetFacts | None, findings: Findings) -> Splits:
    """Every bundle of every split, then what both sides of a split share."""
    try:
        numbers = find_splits(root)
    except DataError as error:
        findings.add_error("missing", root / "splits", error)
        return {}
    splits: Splits = {}
    for number in numbers:
        splits[number] = {subset: _check_bundle(bundle_path(root, number, subset), findings) for subset in SUBSETS}
        _check_leaks(root, number, splits[number], facts, findings)
    return splits


def _check_bundle(path: Path, findings: Findings) -> dict[str, int]:
    found: dict[str, int] = {}
    seen_any = False
    try:
        for number, name in bundle_lines(path):
            seen_any = True
            if not is_inside(name):
                findings.add("outside", path, number, f"{name!r} leads out of the data set; expected a file name")
            elif name in found:
                findings.add("duplicate", path, number, f"{name} stands here and on line {found[name]}; delete one")
            else:
                found[name] = number
    except DataError as error:
        findings.add_error("unreadable" if path.exists() else "missing", path, error)
        return found
    if not seen_any:
        findings.add("empty", path, None, "no video names in it; expected the file name of a video a line")
    return found


def _check_leaks(
    root: Path, number: int, sides: Mapping[Subset, dict[str, int]], facts: DatasetFacts | None, findings: Findings
) -> None:
    train, test = sides["train"], sides["test"]
    path = bundle_path(root, number, "test")
    where = bundle_path(root, number, "train").name
    for name in test.keys() & train.keys():
        findings.add("leak", path, test[name], f"{name} is tested on and trained on ({where}, line {train[name]})")
    if facts is None:
        return
    trained = {facts.group(name): name for name in train if name not in test}
    warned: set[str] = set()
    for name, line in test.items():
        group = facts.group(name)
        if name not in train and group in trained and group not in warned:
            warned.add(group)
            findings.warn(
                "group leak", path, line, f"{name} is tested on while {trained[group]}, also of {group}, is trained on"
            )


def check_annotations(root: Path, classes: tuple[str, ...], splits: Splits, findings: Findings) -> dict[str, int]:
    """Number of frames of every video in a split or in groundTruth/ whose labels can be read."""
    folder = root / "groundTruth"
    if not folder.is_dir():
        findings.add("missing", folder, None, "no such folder; expected the labels of a video in VIDEO.txt each")
        return {}
    named = _first_places(root, splits)
    unused = {path.stem: "" for path in sorted(folder.glob("*.txt")) if path.stem not in named}
    frames: dict[str, int] = {}
    for name, place in (named | unused).items():
        length = _check_annotation(folder, name, place, classes, findings)
        if length:
            frames[name] = length
    if splits:
        for name in unused:
            findings.warn("unused", folder / f"{name}.txt", None, "this video is in no split")
    return frames


def _first_places(root: Path, splits: Splits) -> dict[str, str]:
    """Where each video is named first, for messages."""
    places: dict[str, str] = {}
    for number, sides in splits.items():
        for subset, names in sides.items():
            for name, line in names.items():
                places.setdefault(name, f"{bundle_path(root, number, subset).name}, line {line}")
    return places


def _check_annotation(folder: Path, name: str, place: str, classes: tuple[str, ...], findings: Findings) -> int:
    path = folder / f"{name}.txt"
    try:
        resolve_inside(folder, name, ".txt")
    except DataError as error:
        findings.add_error("outside", path, error)
        return 0
    if not path.exists():
        findings.add("missing", path, None, f"no such file; expected the labels of the video named in {place}")
        return 0
    try:
        found = locate_frame_labels(path)
    except DataError as error:
        findings.add_error("unreadable", path, error)
        return 0
    if not found.names:
        findings.add("empty", path, None, "no labels in it; expected one class name a line")
    # Without a class list every label would be unknown, which says nothing new.
    for label in sorted(set(found.names).difference(classes)) if classes else ():
        frame, count = found.names.index(label), found.names.count(label)
        findings.add(
            "unknown label",
            path,
            found.line(frame),
            f"unknown class {label!r}{nearest(label, classes)} from frame {frame} on, {count} frames in all",
        )
    return len(found.names)
