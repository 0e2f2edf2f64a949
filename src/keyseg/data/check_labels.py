"""The part of the check that reads text: class list, splits and annotations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from keyseg.data.dataset import read_annotation
from keyseg.data.findings import Findings
from keyseg.data.known_datasets import DatasetFacts
from keyseg.data.splits import SUBSETS, Subset, bundle_path, find_splits, read_bundle, resolve_inside
from keyseg.timeline import nearest
from keyseg.timeline.labels import read_class_list

Splits = dict[int, dict[Subset, dict[str, int]]]
"""Split number, side, video name: the line of the bundle that has it first."""


def check_mapping(path: Path, background: Iterable[str] | None, findings: Findings) -> tuple[str, ...]:
    """Class names of all readable lines, each once, in order of their ids."""
    names = findings.attempt(path, read_class_list, path, findings.add)
    if names is None:
        return ()
    for name in background or ():
        if name not in names:
            findings.add("unknown label", path, None, f"background {name!r} is not a class{nearest(name, names)}")
    return names


def check_splits(root: Path, facts: DatasetFacts | None, findings: Findings) -> Splits:
    """Every bundle of every split, then what both sides of a split share."""
    splits: Splits = {}
    for number in findings.attempt(root / "splits", find_splits, root, kind="missing") or ():
        paths = {subset: bundle_path(root, number, subset) for subset in SUBSETS}
        splits[number] = {
            subset: findings.attempt(path, read_bundle, path, findings.add) or {} for subset, path in paths.items()
        }
        _check_leaks(root, number, splits[number], facts, findings)
    return splits


def _check_leaks(
    root: Path, number: int, sides: Mapping[Subset, dict[str, int]], facts: DatasetFacts | None, findings: Findings
) -> None:
    train, test = sides["train"], sides["test"]
    path = bundle_path(root, number, "test")
    where = bundle_path(root, number, "train").name
    for name in test.keys() & train.keys():
        findings.add(
            "leak", path, test[name], f"{name} is both a test and a training video ({where}, line {train[name]})"
        )
    if facts is None:
        return
    trained = {facts.group(name): name for name in train if name not in test}
    warned: set[str] = set()
    for name, line in test.items():
        group = facts.group(name)
        if name not in train and group in trained and group not in warned:
            warned.add(group)
            findings.warn(
                "group leak",
                path,
                line,
                f"{name} is a test video, and {trained[group]}, also of {group}, a training video",
            )


def check_annotations(root: Path, classes: tuple[str, ...], splits: Splits, findings: Findings) -> dict[str, int]:
    """Number of frames of every video in a split or in groundTruth/ whose labels can be read."""
    folder = root / "groundTruth"
    if not folder.is_dir():
        findings.add("missing", folder, None, "no such folder; expected the labels of each video in VIDEO.txt")
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
    if findings.attempt(path, resolve_inside, folder, name, ".txt", kind="outside") is None:
        return 0
    if not path.exists():
        findings.add("missing", path, None, f"no such file; expected the labels of the video named in {place}")
        return 0
    return len(findings.attempt(path, read_annotation, path, classes, findings.add) or ())
