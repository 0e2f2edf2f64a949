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
        _check_leaks(paths, splits[number], facts, findings)
    return splits


def _check_leaks(
    paths: Mapping[Subset, Path],
    sides: Mapping[Subset, dict[str, int]],
    facts: DatasetFacts | None,
    findings: Findings,
) -> None:
    train, test = sides["train"], sides["test"]
    trained = {facts.group(name): name for name in train if name not in test} if facts else {}
    for name, line in test.items():
        if name in train:
            both = f"{name} is both a test and a training video ({paths['train'].name}, line {train[name]})"
            findings.add("leak", paths["test"], line, both)
        elif facts:
            group = facts.group(name)
            other = trained.pop(group, None)  # so that there is one warning per subject
            if other:
                message = f"{name} is a test video, and {other}, also of {group}, a training video"
                findings.add("group leak", paths["test"], line, message)


def check_annotations(root: Path, classes: tuple[str, ...], splits: Splits, findings: Findings) -> dict[str, int]:
    """Number of frames of every video in a split or in groundTruth/ whose labels can be read."""
    folder = root / "groundTruth"
    if not folder.is_dir():
        findings.add("missing", folder, None, "no such folder; expected the labels of each video in VIDEO.txt")
        return {}
    places: dict[str, str] = {}  # where each video is named first
    for number, sides in splits.items():
        for subset, names in sides.items():
            for name, line in names.items():
                places.setdefault(name, f"{bundle_path(root, number, subset).name}, line {line}")
    unused = [path.stem for path in sorted(folder.glob("*.txt")) if path.stem not in places]
    frames: dict[str, int] = {}
    for name in (*places, *unused):
        path = folder / f"{name}.txt"
        if findings.attempt(path, resolve_inside, folder, name, ".txt", kind="outside") is None:
            continue
        if name in places and not path.exists():
            findings.add(
                "missing", path, None, f"no such file; expected the labels of the video named in {places[name]}"
            )
        elif labels := findings.attempt(path, read_annotation, path, classes, findings.add):
            frames[name] = len(labels)
    for name in unused if splits else ():
        findings.add("unused", folder / f"{name}.txt", None, "this video is in no split")
    return frames
