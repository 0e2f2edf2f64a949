"""A data set on disk in the field's layout: mapping.txt, groundTruth/, splits/ and features."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from keyseg.data.alignment import align
from keyseg.data.catalog import DatasetFacts, identify
from keyseg.data.feature_origin import FeatureOrigin, read_sidecar, shared_origin
from keyseg.data.features import (
    UNDECIDED,
    Axes,
    check_finite,
    detect_axes,
    open_features,
    read_as,
    stored_shape,
)
from keyseg.data.read_options import ReadOptions
from keyseg.data.splits import SUBSETS, Subset, bundle_path, find_splits, read_bundle, resolve_inside
from keyseg.formats.frame_labels import locate_frame_labels
from keyseg.timeline import ConfigError, DataError, IntArray, LabelMap, Segmentation, TimeBase, TimelineError, nearest


@dataclass(frozen=True)
class VideoSample:
    """One video, ready for a model.

    features: (T, D) float32, T in feature steps. labels: (T,) int64 class ids, one a step. segmentation: the same
    video in annotation frames.
    """

    name: str
    features: npt.NDArray[np.float32]
    labels: IntArray
    segmentation: Segmentation


def time_base(facts: DatasetFacts | None, origin: FeatureOrigin | None, options: ReadOptions) -> TimeBase:
    """Frame rate and sample rate as given, else what the features' sidecars say, else what is known of the data set,
    else 15 and 1.

    The sample rate never comes from the catalog: it belongs to a model and its features, not to the classes.
    """
    fps = options.fps or (origin.fps if origin else facts.fps if facts else Fraction(15))
    return TimeBase(fps, options.sample_rate or (origin.sample_rate if origin else 1))


def first_origin(root: Path, features: str | None) -> FeatureOrigin | None:
    """What the first sidecar of a data set's features says. Raises DataError where it cannot be read."""
    folders = [root / features] if features else [root / "features", *sorted(root.glob("features_split*"))]
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            sidecar = read_sidecar(path.with_suffix(".npy"))
            if sidecar:
                return sidecar.origin
    return None


@dataclass(frozen=True)
class Dataset:
    """Labels, splits and features below `root`; nothing is read before it is asked for, except the class list."""

    root: Path
    labels: LabelMap
    timebase: TimeBase
    facts: DatasetFacts | None
    options: ReadOptions = field(default_factory=ReadOptions)
    _layouts: dict[Path, tuple[Axes, int]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def open(cls, root: Path | str, **options: Any) -> Dataset:
        """Open a data set. options: the fields of `ReadOptions`.

        Raises DataError if there is no such data set, ConfigError on an option that is unknown or out of range.
        """
        root, chosen = Path(root), ReadOptions.of(**options)
        if not root.is_dir():
            raise DataError(f"{root}: no such folder; expected a data set with mapping.txt, groundTruth/ and splits/")
        labels = LabelMap.read(root / "mapping.txt", chosen.background)
        facts = identify(labels.names)
        return cls(root, labels, time_base(facts, first_origin(root, chosen.features), chosen), facts, chosen)

    @cached_property
    def splits(self) -> tuple[int, ...]:
        """Split numbers, from the bundles. Raises DataError where there is none."""
        return find_splits(self.root)

    def names(self, split: int, subset: Subset) -> tuple[str, ...]:
        """Video names of one side of a split, in file order. Raises DataError on a missing split or bundle."""
        if subset not in SUBSETS:
            raise ConfigError(f"subset is 'train' or 'test', got {subset!r}{nearest(subset, SUBSETS)}")
        self._known(split)
        return read_bundle(bundle_path(self.root, split, subset))

    def group(self, name: str) -> str:
        """Subject of a video, by the catalog, or the name itself."""
        return self.facts.group(name) if self.facts else name

    def annotation_path(self, name: str) -> Path:
        """The label file of a video. Raises DataError on a name that leads out of the data set."""
        return resolve_inside(self.root / "groundTruth", name, ".txt")

    def annotation(self, name: str) -> Segmentation:
        """Labels of a video in annotation frames. Raises DataError with file and line."""
        path = self.annotation_path(name)
        found = locate_frame_labels(path)
        if not found.names:
            raise DataError(f"{path}: no labels in it; expected one class name a line")
        try:
            return Segmentation.from_frames(self.labels.encode(found.names))
        except TimelineError:
            frame = next(i for i, label in enumerate(found.names) if label not in self.labels.names)
            label = found.names[frame]
            raise DataError(
                f"{path}:{found.line(frame)}: unknown class {label!r} at frame {frame}"
                f"{nearest(label, self.labels.names)}; the classes stand in {self.root / 'mapping.txt'}"
            ) from None

    def feature_path(self, split: int) -> Path:
        """Where a split's features belong: as set, else in `features`, else in `features_split{split}`."""
        shared = self.root / (self.options.features or "features")
        per_split = not self.options.features and not shared.is_dir() and any(self.root.glob("features_split*"))
        return self.root / f"features_split{split}" if per_split else shared

    def feature_folder(self, split: int) -> Path:
        """Folder of a split's features. Raises DataError if it is not there, or is that of another split."""
        self._known(split)
        folder = self.feature_path(split)
        if not folder.is_dir():
            there = sorted(path.name for path in self.root.glob("*features*") if path.is_dir())
            raise DataError(
                f"{folder}: no such folder; expected VIDEO.npy files in features, in features_split{split}, or in the"
                f" folder that the option features names (there is {', '.join(there) or 'none'})"
            )
        owner = re.search(r"_split(\d+)$", folder.name)
        if owner and int(owner[1]) != split:
            raise DataError(
                f"{folder}: features learnt on the training videos of split {owner[1]}, asked for split {split}, whose"
                " test videos they may have seen; leave features unset to take the folder of each split"
            )
        return folder

    def dimension(self, split: int) -> int:
        """D, channels of the features of a split."""
        return self.layout(split)[1]

    def origin(self, split: int) -> FeatureOrigin | None:
        """What made the features of a split's videos, None where no sidecar says it.

        Raises DataError where they were not made alike, or at another rate than the labels have.
        """
        folder = self.feature_folder(split)
        origin = shared_origin(folder, [name for subset in SUBSETS for name in self.names(split, subset)])
        if origin and origin.fps != self.timebase.fps:
            raise DataError(
                f"{folder}: features at {origin.fps} fps, and labels were said to be at {self.timebase.fps}; leave fps"
                " out, or extract the features again at the rate of the labels"
            )
        return origin

    def presampled(self, split: int) -> bool:
        """Whether the feature files hold a column a step already, by the first training video; False at sample_rate 1."""
        if self.timebase.sample_rate == 1:
            return False
        name = self.names(split, "train")[0]
        shape = stored_shape(self.feature_folder(split) / f"{name}.npy")
        columns = shape[1] if self.layout(split)[0] == "DT" else shape[0]
        return columns == self.timebase.steps(self.annotation(name).length)

    def load(self, name: str, split: int) -> VideoSample:
        """Features and labels of a video at one length. Raises DataError on anything wrong with its files."""
        path = resolve_inside(self.feature_folder(split), name, ".npy")
        segmentation = self.annotation(name)
        axes, dimension = self.layout(split)
        stored = open_features(path, dimension=dimension, orientation=axes)
        frames, columns = align(
            segmentation.length,
            len(stored),
            features=path,
            labels=self.annotation_path(name),
            sample_rate=self.timebase.sample_rate,
            lengths=self.options.lengths,
            tolerance=self.options.tolerance,
        )
        check_finite(path, stored)
        ids = segmentation.to_frames()[:frames]
        features = np.array(stored[columns], np.float32, order="C")  # a copy, so the file is closed
        return VideoSample(name, features, self.timebase.frames_to_steps(ids), Segmentation.from_frames(ids))

    def _known(self, split: int) -> None:
        if split not in self.splits:
            raise DataError(
                f"{self.root / 'splits'}: no split {split}; there are splits {', '.join(map(str, self.splits))}"
            )

    def layout(self, split: int) -> tuple[Axes, int]:
        """Axes and D of a split's feature files, found once a folder. Raises DataError where they cannot be told."""
        folder = self.feature_folder(split)
        if folder not in self._layouts:
            self._layouts[folder] = self._find_layout(folder, split)
        return self._layouts[folder]

    def _find_layout(self, folder: Path, split: int) -> tuple[Axes, int]:
        names = [name for subset in SUBSETS for name in self.names(split, subset)]
        failures: list[DataError] = []
        shapes = self._shapes(folder, names, failures)
        if self.options.orientation == "auto":
            found = detect_axes(shapes, sample_rate=self.timebase.sample_rate, tolerance=self.options.tolerance)
        else:
            found = next((read_as(shape, self.options.orientation) for shape, _ in shapes), None)
        if found is None and failures:
            raise failures[0]
        if found is None:
            raise DataError(UNDECIDED.format(folder=folder, files=len(names)))
        return found

    def _shapes(
        self, folder: Path, names: Iterable[str], failures: list[DataError]
    ) -> Iterator[tuple[tuple[int, int], int]]:
        """Stored shape and number of labels of each video that can be read; what cannot does not stop the others."""
        for name in names:
            try:
                yield stored_shape(resolve_inside(folder, name, ".npy")), self.annotation(name).length
            except DataError as error:
                failures.append(error)
