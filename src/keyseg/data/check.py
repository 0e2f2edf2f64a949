"""Every problem of a data set at once, each with its file and line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from keyseg.data.data_settings import DataSettings, first_origin, settings_in_force
from keyseg.data.dataset import NO_DATA_SET, Dataset, check_background, read_annotation
from keyseg.data.dataset_file import DATASET_FILE, DatasetFile, read_dataset_file
from keyseg.data.feature_files import UNDECIDED, Axes, first_bad_step, open_features, stored_shape
from keyseg.data.feature_origin import read_sidecar, shared_origin
from keyseg.data.findings import Findings, Problem
from keyseg.data.known_datasets import identify
from keyseg.data.order import common_order
from keyseg.data.read_options import ReadOptions
from keyseg.data.splits import SUBSETS, Subset, bundle_path, find_splits, read_bundle, resolve_inside
from keyseg.timeline import DataError, LabelMap, nearest
from keyseg.timeline.files import file_sha256
from keyseg.timeline.labels import read_class_list

_Splits = dict[int, dict[Subset, dict[str, int]]]
"""Split number, side, video name: the line of the bundle that has it first."""


@dataclass(frozen=True)
class CheckReport:
    """What `check_dataset` found: problems, warnings, and counts of what could be read.

    dataset: title of the data set that has these classes, or None. videos, frames: annotation files that can be read,
    and their labels. dimension: D of the features (that of most files if they differ), or None. origin: what made the
    features, by their sidecars, or None. common_order: that of the annotations in percent, by `common_order`, or None
    where there is nothing to compare. settings: how the files were read, or None without a folder.
    """

    root: Path
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    dataset: str | None
    videos: int
    frames: int
    classes: int
    splits: int
    dimension: int | None
    origin: str | None
    common_order: float | None
    settings: DataSettings | None

    @property
    def ok(self) -> bool:
        """Whether there is no problem; warnings do not count."""
        return not self.problems

    def to_json(self) -> str:
        """The report as a JSON object, paths as strings."""
        content = {"ok": self.ok, **asdict(self), "settings": self.settings.to_json() if self.settings else {}}
        return json.dumps(content, default=str, indent=2)


def check_dataset(root: Path | str, **options: Any) -> CheckReport:
    """Look at every file of a data set and report all that is wrong, sorted by path and line.

    options: the fields of `ReadOptions`. Bad data never raises; an option that is unknown or out of range raises
    ConfigError.
    """
    root, chosen = Path(root), ReadOptions.of(**options)
    findings = Findings()
    classes: tuple[str, ...] = ()
    splits: _Splits = {}
    frames: dict[str, int] = {}
    dimension = facts = order = settings = None
    if root.is_dir():
        classes = findings.attempt(root / "mapping.txt", read_class_list, root / "mapping.txt", findings.add) or ()
        facts = identify(classes)
        # Not Dataset.open, which stops at the first problem.
        remembered = findings.attempt(root / DATASET_FILE, read_dataset_file, root) or DatasetFile()
        read_origin = partial(findings.attempt, root, first_origin, kind="unreadable")
        settings = settings_in_force(root, classes, chosen, remembered, read_origin=read_origin)
        file, source = settings.place_of("background")
        check_background(root / file, settings.options.background or (), classes, findings.add, source)
        dataset = Dataset(root, LabelMap(classes), settings, facts, remembered)
        splits = _check_splits(dataset, findings)
        frames, orders = _check_annotations(dataset, splits, findings)
        _check_groups(dataset, splits, frames, findings)
        order = common_order(list(orders.values()), [dataset.group(video) for video in orders])
        dimension = _check_features(dataset, splits, frames, findings)
    else:
        findings.add("missing", root, None, NO_DATA_SET)
    return CheckReport(
        root,
        findings.ordered(warnings=False),
        findings.ordered(warnings=True),
        facts.title if facts else None,
        videos=len(frames),
        frames=sum(frames.values()),
        classes=len(classes),
        splits=len(splits),
        dimension=dimension,
        origin=str(settings.origin) if settings and settings.origin else None,
        common_order=order,
        settings=settings,
    )


def _check_splits(dataset: Dataset, findings: Findings) -> _Splits:
    """Every bundle of every split, then what both sides of a split share."""
    splits: _Splits = {}
    for number in findings.attempt(dataset.root / "splits", find_splits, dataset.root, kind="missing") or ():
        sides = splits[number] = {}
        for subset in SUBSETS:
            path = bundle_path(dataset.root, number, subset)
            sides[subset] = findings.attempt(path, read_bundle, path, findings.add) or {}
        path, train, test = bundle_path(dataset.root, number, "test"), sides["train"], sides["test"]
        trained = {dataset.group(name): name for name in train if name not in test}
        for name, line in test.items():
            group = dataset.group(name)
            if name in train:
                place = f"{bundle_path(dataset.root, number, 'train').name}, line {train[name]}"
                findings.add("leak", path, line, f"{name} is both a test and a training video ({place})")
            elif group in trained:
                other = trained.pop(group)  # so that there is one warning per subject
                message = f"{name} is a test video, and {other}, also of {group}, a training video"
                findings.add("group leak", path, line, message)
    return splits


def _check_groups(dataset: Dataset, splits: _Splits, frames: Collection[str], findings: Findings) -> None:
    """A group of a video that there is not, such as a misspelt one, would keep nothing out of a test."""
    videos = {*frames, *(name for sides in splits.values() for names in sides.values() for name in names)}
    unknown = sorted(set(dataset.remembered.groups) - videos)
    if unknown:
        listed = ", ".join(f"{name!r}{nearest(name, videos)}" for name in unknown[:5])
        message = f"groups: no video is called {listed} ({len(unknown)} in all)"
        findings.add("unused", dataset.root / DATASET_FILE, None, message)


def _check_annotations(
    dataset: Dataset, splits: _Splits, findings: Findings
) -> tuple[dict[str, int], dict[str, list[str]]]:
    """Number of frames, and names of the segments in order, of every video in a split or in groundTruth/ whose labels
    can be read."""
    folder = dataset.root / "groundTruth"
    if not folder.is_dir():
        findings.add("missing", folder, None, "no such folder; expected the labels of each video in VIDEO.txt")
        return {}, {}
    places: dict[str, str] = {}  # where each video is named first
    for number, sides in splits.items():
        for subset, names in sides.items():
            for name, line in names.items():
                places.setdefault(name, f"{bundle_path(dataset.root, number, subset).name}, line {line}")
    unused = [path.stem for path in sorted(folder.glob("*.txt")) if path.stem not in places]
    frames: dict[str, int] = {}
    orders: dict[str, list[str]] = {}
    for name in (*places, *unused):
        path = folder / f"{name}.txt"
        if findings.attempt(path, resolve_inside, folder, name, ".txt", kind="outside") is None:
            continue
        if name in places and not path.exists():
            findings.add(
                "missing", path, None, f"no such file; expected the labels of the video named in {places[name]}"
            )
        elif labels := findings.attempt(path, read_annotation, path, dataset.labels.names, findings.add):
            frames[name] = len(labels)
            orders[name] = [label for label, _ in groupby(labels)]
    for name in unused if splits else ():
        findings.add("unused", folder / f"{name}.txt", None, "this video is in no split")
    return frames, orders


def _check_features(dataset: Dataset, splits: _Splits, frames: dict[str, int], findings: Findings) -> int | None:
    """Every feature file that a split needs, once; returns the usual D of the last folder."""
    folders: dict[Path, dict[str, None]] = {}
    wrong: dict[Path, DataError] = {}  # a folder that is wrong for several splits is one problem
    for split, sides in splits.items():
        folder = dataset.feature_path(split)
        try:
            dataset.feature_folder(split)
        except DataError as error:
            wrong.setdefault(folder, error)
            continue
        folders.setdefault(folder, {}).update(dict.fromkeys(name for side in sides.values() for name in side))
    for folder, reason in wrong.items():
        findings.add_error("leak" if folder.is_dir() else "missing", folder, reason)
    dimension = None
    for folder, names in folders.items():
        dimension = _check_folder(dataset, folder, names, frames, findings) or dimension
    return dimension


def _check_folder(
    dataset: Dataset, folder: Path, names: Iterable[str], frames: dict[str, int], findings: Findings
) -> int | None:
    paths = {name: folder / f"{name}.npy" for name in names}
    shapes = {}
    for name, path in paths.items():
        if findings.attempt(path, resolve_inside, folder, name, ".npy", kind="outside"):
            shape = findings.attempt(path, stored_shape, path)
            if shape:
                shapes[name] = shape
    if not shapes:
        return None
    findings.attempt(folder, shared_origin, folder, shapes, kind="origin")
    layout = dataset.detect_layout((shape, frames.get(name)) for name, shape in shapes.items())
    for name in shapes:
        _check_content(paths[name], layout[0] if layout else None, findings)
    if layout is None:
        findings.add("orientation", folder, None, UNDECIDED.format(files=len(shapes)))
        return None
    time, channels = layout[0].index("T"), layout[0].index("D")
    ((usual, _),) = Counter(shape[channels] for shape in shapes.values()).most_common(1)
    for name, shape in shapes.items():
        if shape[channels] != usual:
            message = f"expected {usual} channels as in most files, got {shape[channels]}"
            findings.add("dimension", paths[name], None, message)
        elif name in frames:
            findings.attempt(paths[name], dataset.align, name, paths[name], frames[name], shape[time], kind="length")
    return usual


def _check_content(path: Path, axes: Axes | None, findings: Findings) -> None:
    """A feature file must be finite, and the one that its sidecar describes."""
    step = findings.attempt(path, lambda: first_bad_step(open_features(path, orientation=axes or "TD")))
    if step is not None:
        where = f" at step {step}" if axes else ""
        findings.add("not finite", path, None, f"NaN or infinite value{where}; extract these features again")
    with suppress(DataError):  # `shared_origin` has reported it
        sidecar = read_sidecar(path)
        if sidecar and file_sha256(path) != sidecar.features_sha256:
            findings.add("origin", path, None, "its content is not what its sidecar says; extract these features again")
