"""Every problem of a data set at once, each with its file and line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from keyseg.data.check_labels import Splits, check_annotations, check_mapping, check_splits
from keyseg.data.dataset import Dataset, first_origin, time_base
from keyseg.data.feature_files import UNDECIDED, Axes, first_bad_step, open_features, stored_shape
from keyseg.data.feature_origin import read_sidecar, shared_origin
from keyseg.data.findings import Findings, Problem
from keyseg.data.known_datasets import identify
from keyseg.data.read_options import ReadOptions
from keyseg.data.splits import resolve_inside
from keyseg.timeline import DataError, LabelMap
from keyseg.timeline.files import file_sha256


@dataclass(frozen=True)
class CheckReport:
    """What `check_dataset` found: problems, warnings, and counts of what could be read.

    dataset: title of the data set that has these classes, or None. videos, frames: annotation files that can be read,
    and their labels. dimension: D of the features (that of most files if they differ), or None. origin: what made the
    features, by their sidecars, or None.
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

    @property
    def ok(self) -> bool:
        """Whether there is no problem; warnings do not count."""
        return not self.problems

    def to_json(self) -> str:
        """The report as a JSON object, paths as strings."""
        return json.dumps({"ok": self.ok, **asdict(self)}, default=str, indent=2)


def check_dataset(root: Path | str, **options: Any) -> CheckReport:
    """Look at every file of a data set and report all that is wrong, sorted by path and line.

    options: the fields of `ReadOptions`. Bad data never raises; an option that is unknown or out of range raises
    ConfigError.
    """
    root, chosen = Path(root), ReadOptions.of(**options)
    findings = Findings()
    classes: tuple[str, ...] = ()
    splits: Splits = {}
    frames: dict[str, int] = {}
    dimension = None
    origin = findings.attempt(root, first_origin, root, chosen.features, kind="unreadable")
    if root.is_dir():
        # Not Dataset.open, which stops at the first problem of the class list.
        dataset = Dataset(root, LabelMap(()), time_base(None, origin, chosen), None, chosen)
        classes = check_mapping(root / "mapping.txt", chosen.background, findings)
        splits = check_splits(root, identify(classes), findings)
        frames = check_annotations(root, classes, splits, findings)
        dimension = _check_features(dataset, splits, frames, findings)
    else:
        message = "no such folder; expected a data set with mapping.txt, groundTruth/ and splits/"
        findings.add("missing", root, None, message)
    facts = identify(classes)
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
        origin=str(origin) if origin else None,
    )


def _check_features(dataset: Dataset, splits: Splits, frames: dict[str, int], findings: Findings) -> int | None:
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
