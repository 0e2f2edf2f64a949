"""A data set on disk in the layout of MS-TCN: mapping.txt, groundTruth/, splits/ and features."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from keyseg.data.alignment import align_lengths
from keyseg.data.dataset_file import DatasetFile, read_dataset_file
from keyseg.data.feature_files import UNDECIDED, Axes, check_finite, detect_axes, open_features, stored_shape
from keyseg.data.feature_origin import FeatureOrigin, read_sidecar, shared_origin
from keyseg.data.known_datasets import DatasetFacts, identify
from keyseg.data.read_options import ReadOptions
from keyseg.data.splits import SUBSETS, Subset, bundle_path, find_splits, read_bundle, resolve_inside
from keyseg.formats.frame_labels import locate_frame_labels
from keyseg.timeline import ConfigError, DataError, IntArray, LabelMap, Segmentation, TimeBase, nearest
from keyseg.timeline.errors import ReportProblem, refuse

NO_DATA_SET = "no such folder; expected a data set with mapping.txt, groundTruth/ and splits/"


@dataclass(frozen=True)
class VideoSample:
    """One video, ready for a model.

    features: (T, D) float32, T in feature steps. labels: (T,) int64 class ids, one per step. segmentation: the labels
    in annotation frames.
    """

    name: str
    features: npt.NDArray[np.float32]
    labels: IntArray
    segmentation: Segmentation


def time_base(facts: DatasetFacts | None, origin: FeatureOrigin | None, options: ReadOptions) -> TimeBase:
    """Frame rate and sample rate: the options, else what the sidecars of the features say, else what is known of the
    data set, else 15 and 1.

    The sample rate is never taken from `facts`: it belongs to a model and its features, not to the classes.
    """
    fps = options.fps or (origin.fps if origin else facts.fps if facts else Fraction(15))
    return TimeBase(fps, options.sample_rate or (origin.sample_rate if origin else 1))


def first_origin(root: Path, features: str | None) -> FeatureOrigin | None:
    """What the first sidecar of a data set's features says. Raises DataError if it cannot be read."""
    folders = [root / features] if features else [root / "features", *sorted(root.glob("features_split*"))]
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            if sidecar := read_sidecar(path.with_suffix(".npy")):
                return sidecar.origin
    return None


def read_annotation(path: Path, classes: tuple[str, ...], report: ReportProblem = refuse) -> list[str]:
    """One class name per frame; `report` is called if there are no frames, and for each name outside `classes`.

    No classes: any name will do. Raises DataError, with file and line, if the file cannot be read, or by `report`.
    """
    names, only_line = locate_frame_labels(path)
    if not names:
        report("empty", path, None, "no labels in it; expected one class name per line")
    for label in sorted(set(names).difference(classes), key=names.index) if classes else ():
        frame, count = names.index(label), names.count(label)
        message = f"unknown class {label!r}{nearest(label, classes)} from frame {frame} on, {count} frames in total"
        report("unknown label", path, only_line or frame + 1, message)
    return names


@dataclass(frozen=True)
class Dataset:
    """Labels, splits and features below `root`, read when they are needed; the class list is read by `open`.

    only: the videos that splits may name, None for all.
    """

    root: Path
    labels: LabelMap
    timebase: TimeBase
    facts: DatasetFacts | None
    options: ReadOptions = field(default_factory=ReadOptions)
    remembered: DatasetFile = field(default_factory=DatasetFile)
    only: frozenset[str] | None = None
    _layouts: dict[Path, tuple[Axes, int]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def open(cls, root: Path | str, **options: Any) -> Dataset:
        """Open a data set. options: the fields of `ReadOptions`.

        Raises DataError if there is no such data set, ConfigError on an option that is unknown or out of range.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "mapping.txt").write_text("0 background\\n1 pour\\n")
        ...     Dataset.open(folder, fps="30000/1001", sample_rate=2).timebase
        TimeBase(fps=Fraction(30000, 1001), sample_rate=2)
        """
        root, chosen = Path(root), ReadOptions.of(**options)
        if not root.is_dir():
            raise DataError(f"{root}: {NO_DATA_SET}")
        labels = LabelMap.read(root / "mapping.txt", chosen.background)
        facts = identify(labels.names)
        timebase = time_base(facts, first_origin(root, chosen.features), chosen)
        return cls(root, labels, timebase, facts, chosen, read_dataset_file(root))

    @cached_property
    def splits(self) -> tuple[int, ...]:
        """Split numbers, from the bundles. Raises DataError if there is none."""
        return find_splits(self.root)

    def names(self, split: int, subset: Subset) -> tuple[str, ...]:
        """Video names of one side of a split, in file order. Raises DataError on a missing split or bundle."""
        if subset not in SUBSETS:
            raise ConfigError(f"subset is 'train' or 'test', got {subset!r}{nearest(subset, SUBSETS)}")
        self._known(split)
        names = read_bundle(bundle_path(self.root, split, subset))
        return tuple(name for name in names if self.only is None or name in self.only)

    def limited_to(self, names: Iterable[str]) -> Dataset:
        """The same data set as if its splits named no other videos, whose files are then never opened."""
        return replace(self, only=frozenset(names))

    def group(self, name: str) -> str:
        """Group of a video that the data set remembers, or subject in a known data set, or the name itself."""
        return self.remembered.groups.get(name) or (self.facts.group(name) if self.facts else name)

    def annotation_path(self, name: str) -> Path:
        """The label file of a video. Raises DataError on a name that leads out of the data set."""
        return resolve_inside(self.root / "groundTruth", name, ".txt")

    def annotation(self, name: str) -> Segmentation:
        """Labels of a video in annotation frames. Raises DataError with file and line."""
        names = read_annotation(self.annotation_path(name), self.labels.names)
        return Segmentation.from_frames(self.labels.encode(names))

    def feature_path(self, split: int) -> Path:
        """Where a split's features belong: the option `features`, else `features`, else `features_split{split}`."""
        shared = self.root / (self.options.features or "features")
        per_split = not self.options.features and not shared.is_dir() and any(self.root.glob("features_split*"))
        return self.root / f"features_split{split}" if per_split else shared

    def feature_folder(self, split: int) -> Path:
        """Folder of a split's features. Raises DataError if it does not exist, or belongs to another split."""
        self._known(split)
        folder = self.feature_path(split)
        if not folder.is_dir():
            there = sorted(path.name for path in self.root.glob("*features*") if path.is_dir())
            raise DataError(
                f"{folder}: no such folder; expected VIDEO.npy files in features, in features_split{split}, or in the"
                f" folder named by the option features (existing: {', '.join(there) or 'none'})"
            )
        owner = re.search(r"_split(\d+)$", folder.name)
        if owner and int(owner[1]) != split:
            raise DataError(
                f"{folder}: features learnt on the training videos of split {owner[1]} may have seen test videos of"
                f" split {split}; leave the option features unset to use the folder of each split"
            )
        return folder

    def origin(self, split: int) -> FeatureOrigin | None:
        """What made the features of a split's videos, None if no sidecar says it.

        Raises DataError if they were made in different ways, or at another frame rate than the labels have.
        """
        folder = self.feature_folder(split)
        origin = shared_origin(folder, self._both_sides(split))
        if origin and origin.fps != self.timebase.fps:
            raise DataError(
                f"{folder}: the features are at {origin.fps} fps, but the option fps is {self.timebase.fps};"
                " leave it out, or extract the features again at the rate of the labels"
            )
        return origin

    def presampled(self, split: int) -> bool:
        """Whether feature files hold one column per step, by the first training video; False at sample rate 1."""
        if self.timebase.sample_rate == 1:
            return False
        name = self.names(split, "train")[0]
        shape = stored_shape(self.feature_folder(split) / f"{name}.npy")
        return shape[self.layout(split)[0].index("T")] == self.timebase.steps(self.annotation(name).length)

    def load(self, name: str, split: int) -> VideoSample:
        """Features and labels of a video at one length. Raises DataError on anything wrong with its files."""
        path = resolve_inside(self.feature_folder(split), name, ".npy")
        segmentation = self.annotation(name)
        axes, dimension = self.layout(split)
        stored = open_features(path, dimension=dimension, orientation=axes)
        frames, columns = self.align(name, path, segmentation.length, len(stored))
        check_finite(path, stored)
        ids = segmentation.to_frames()[:frames]
        features = np.array(stored[columns], np.float32, order="C")  # a copy, so the file is closed
        return VideoSample(name, features, self.timebase.frames_to_steps(ids), Segmentation.from_frames(ids))

    def align(self, name: str, path: Path, frames: int, columns: int) -> tuple[int, slice | IntArray]:
        """`align_lengths` for the feature file of a video, with the options of this data set."""
        return align_lengths(
            frames,
            columns,
            features=path,
            labels=self.annotation_path(name),
            sample_rate=self.timebase.sample_rate,
            lengths=self.options.lengths,
            tolerance=self.options.tolerance,
        )

    def _both_sides(self, split: int) -> list[str]:
        return [name for subset in SUBSETS for name in self.names(split, subset)]

    def _known(self, split: int) -> None:
        if split not in self.splits:
            raise DataError(
                f"{self.root / 'splits'}: no split {split}; there are splits {', '.join(map(str, self.splits))}"
            )

    def layout(self, split: int) -> tuple[Axes, int]:
        """Axes and D of a split's feature files, found once per folder. Raises DataError if nothing decides."""
        folder = self.feature_folder(split)
        if folder not in self._layouts:
            names = self._both_sides(split)
            failures: list[DataError] = []

            def readable() -> Iterator[tuple[tuple[int, int], int]]:
                for name in names:
                    try:
                        yield stored_shape(resolve_inside(folder, name, ".npy")), self.annotation(name).length
                    except DataError as error:
                        failures.append(error)

            layout = self.detect_layout(readable())
            if layout is None:
                raise failures[0] if failures else DataError(f"{folder}: {UNDECIDED.format(files=len(names))}")
            self._layouts[folder] = layout
        return self._layouts[folder]

    def detect_layout(self, shapes: Iterable[tuple[tuple[int, int], int | None]]) -> tuple[Axes, int] | None:
        """`detect_axes` with the options of this data set."""
        rate, options = self.timebase.sample_rate, self.options
        return detect_axes(shapes, orientation=options.orientation, sample_rate=rate, tolerance=options.tolerance)
