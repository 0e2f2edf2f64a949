"""A data set on disk in the layout of MS-TCN: mapping.txt, groundTruth/, splits/ and features."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from keyseg.data.alignment import align_lengths
from keyseg.data.data_settings import DataSettings, settings_in_force
from keyseg.data.dataset_file import DatasetFile, read_dataset_file
from keyseg.data.feature_files import UNDECIDED, Axes, check_finite, detect_axes, open_features, stored_shape
from keyseg.data.feature_origin import FeatureOrigin, shared_origin
from keyseg.data.known_datasets import DatasetFacts, identify
from keyseg.data.read_options import ReadOptions
from keyseg.data.splits import SUBSETS, Split, Subset, bundle_path, find_splits, read_bundle, resolve_inside
from keyseg.formats.frame_labels import locate_frame_labels
from keyseg.timeline import ConfigError, DataError, IntArray, LabelMap, Segmentation, TimeBase, nearest
from keyseg.timeline.errors import ReportProblem, refuse
from keyseg.timeline.labels import read_class_list

NO_DATA_SET = "no such folder; expected a data set with mapping.txt, groundTruth/ and splits/"
_LISTED = 10  # unknown classes of a file


@dataclass(frozen=True)
class VideoSample:
    """One video, ready for a model.

    features: (T, D) float32, T in feature steps, in the memory order of the file. labels: (T,) int64 class ids, one per
    step. segmentation: the labels in annotation frames.
    """

    name: str
    features: npt.NDArray[np.float32]
    labels: IntArray
    segmentation: Segmentation


def read_annotation(path: Path, classes: tuple[str, ...], report: ReportProblem = refuse) -> list[str]:
    """One class name per frame; `report` is called if there are no frames, and for each name outside `classes`.

    No classes: any name will do. Raises DataError, with file and line, if the file cannot be read, or by `report`.
    """
    names, only_line = locate_frame_labels(path)
    if not names:
        report("empty", path, None, "no labels in it; expected one class name per line")
    known = set(classes)
    counts = Counter(name for name in names if name not in known) if classes else Counter[str]()
    for label, count in islice(counts.items(), _LISTED):
        frame = names.index(label)
        message = f"unknown class {label!r}{nearest(label, classes)} from frame {frame} on, {count} frames in total"
        report("unknown label", path, only_line or frame + 1, message)
    if len(counts) > _LISTED:
        report("unknown label", path, None, f"{len(counts) - _LISTED} more unknown classes; is it the right file?")
    return names


def check_background(
    path: Path, background: Iterable[str], classes: Collection[str], report: ReportProblem = refuse, source: str = ""
) -> None:
    """Call `report` for each background that is not a class. path: the file that is wrong. source: what states the
    names, if not this file."""
    by = f" ({source})" if source else ""
    for name in background:
        if unicodedata.normalize("NFC", name) not in classes:
            report("unknown label", path, None, f"background {name!r}{by} is not a class{nearest(name, classes)}")


@dataclass(frozen=True)
class Dataset:
    """Labels, splits and features below `root`, read when they are needed; the class list is read by `open`."""

    root: Path
    labels: LabelMap
    settings: DataSettings
    facts: DatasetFacts | None
    remembered: DatasetFile = field(default_factory=DatasetFile)
    _layouts: dict[Path, tuple[Axes, int]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def open(
        cls,
        root: Path | str,
        *,
        sources: Mapping[str, str] = MappingProxyType({}),
        otherwise: ReadOptions | None = None,
        **options: Any,
    ) -> Dataset:
        """Open a data set. options: the fields of `ReadOptions`; None: as dataset.yaml states it, else as `otherwise`
        does, else as its files or the defaults decide. sources: where options come from, by name, for errors.

        Raises DataError if there is no such data set or its dataset.yaml is wrong, ConfigError on an option that is
        unknown or out of range.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "mapping.txt").write_text("0 background\\n1 pour\\n")
        ...     _ = Path(folder, "dataset.yaml").write_text("fps: 30000/1001\\nsample_rate: 4\\n")
        ...     Dataset.open(folder, sample_rate=2).timebase
        TimeBase(fps=Fraction(30000, 1001), sample_rate=2)
        """
        root, chosen = Path(root), ReadOptions.of(**options)
        if not root.is_dir():
            raise DataError(f"{root}: {NO_DATA_SET}")
        remembered, classes = read_dataset_file(root), read_class_list(root / "mapping.txt")
        settings = settings_in_force(root, classes, chosen, remembered, sources=sources, otherwise=otherwise)
        background, (file, source) = settings.options.background or (), settings.place_of("background")
        check_background(root / file, background, classes, source=source)
        labels = LabelMap(classes, background)
        return cls(root, labels, settings, identify(classes), remembered)

    @property
    def options(self) -> ReadOptions:
        """How its files are read; every option is stated."""
        return self.settings.options

    @property
    def timebase(self) -> TimeBase:
        """Frame rate and sample rate."""
        return self.settings.timebase

    @cached_property
    def splits(self) -> tuple[int, ...]:
        """Split numbers, from the bundles. Raises DataError if there is none."""
        return find_splits(self.root)

    @cached_property
    def labelled(self) -> tuple[str, ...]:
        """All videos of the splits, and all others with labels and features, sorted. Raises DataError."""
        features, labels = self.feature_folder(None), self.root / "groundTruth"
        listed = {name for split in self.splits for name in self._both_sides(split)}
        there = (path.relative_to(labels).with_suffix("").as_posix() for path in labels.rglob("[!.]*.txt"))
        return tuple(sorted(listed | {name for name in there if (features / f"{name}.npy").is_file()}))

    def names(self, split: Split, subset: Subset) -> tuple[str, ...]:
        """Video names of one side of a split, in file order. Raises DataError on a missing split or bundle."""
        if subset not in SUBSETS:
            raise ConfigError(f"subset is 'train' or 'test', got {subset!r}{nearest(subset, SUBSETS)}")
        if split is None:
            return self.labelled if subset == "train" else ()
        self._known(split)
        return tuple(read_bundle(bundle_path(self.root, split, subset)))

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

    def feature_path(self, split: Split) -> Path:
        """Where a split's features belong: the option `features`, with the split's number for `*`."""
        return self.root / str(self.options.features).replace("*", str(split))

    def belongs_to_split(self, split: Split) -> bool:
        """Whether a split's features were learnt on its training videos, by the name of their folder."""
        return re.search(r"_split(\d+|None)$", self.feature_path(split).name) is not None

    def feature_folder(self, split: Split) -> Path:
        """Folder of a split's features. Raises DataError if it does not exist, or belongs to another split."""
        self._known(split)
        folder = self.feature_path(split)
        if split is None and self.belongs_to_split(split):
            raise DataError(
                f"{self.root}: its features belong to splits: those in a folder features_splitN were learnt on the"
                " training videos of split N, so that no model can be trained on all videos with them; name with"
                " --features a folder of features that no split was used for"
            )
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
                f" split {split}; name the folder of each split with *, as features_split*"
            )
        return folder

    def origin(self, split: Split) -> FeatureOrigin | None:
        """What made the features of a split's videos, None if no sidecar says it.

        Raises DataError if they were made in different ways, or at another frame rate than the labels have.
        """
        folder = self.feature_folder(split)
        origin = shared_origin(folder, self._both_sides(split))
        if origin and origin.fps != self.timebase.fps:
            raise DataError(
                f"{folder}: the features are at {origin.fps} fps, but fps is {self.timebase.fps}; take it out of the"
                " options and dataset.yaml, or extract the features again at the rate of the labels"
            )
        return origin

    def presampled(self, split: Split) -> bool:
        """Whether feature files hold one column per step, as those of most training videos; False at sample rate 1."""
        if self.timebase.sample_rate == 1:
            return False
        axis, folder, votes = self.layout(split)[0].index("T"), self.feature_folder(split), 0
        for name in self.names(split, "train"):
            with suppress(DataError):  # reported where the file is read
                columns, frames = stored_shape(resolve_inside(folder, name, ".npy"))[axis], self.annotation(name).length
                off = abs(columns - self.timebase.steps(frames)), abs(columns - frames)
                votes += (off[0] < off[1]) - (off[0] > off[1])
        return votes > 0

    def load(self, name: str, split: Split) -> VideoSample:
        """Features and labels of a video at one length. Raises DataError on anything wrong with its files."""
        path = resolve_inside(self.feature_folder(split), name, ".npy")
        segmentation = self.annotation(name)
        axes, dimension = self.layout(split)
        stored = open_features(path, dimension=dimension, orientation=axes)
        frames, columns = self.align(name, path, segmentation.length, len(stored))
        check_finite(path, stored)
        ids = segmentation.to_frames()[:frames]
        features = np.array(stored[columns], np.float32)  # a copy with the axes as stored, so the file is closed
        return VideoSample(name, features, self.timebase.frames_to_steps(ids), Segmentation.from_frames(ids))

    def align(self, name: str, path: Path, frames: int, columns: int) -> tuple[int, slice | IntArray]:
        """`align_lengths` for the feature file of a video, with the options of this data set."""
        return align_lengths(
            frames,
            columns,
            features=path,
            labels=self.annotation_path(name),
            sample_rate=self.timebase.sample_rate,
            lengths=self.options.lengths or "error",
            tolerance=self.options.tolerance or 0,
        )

    def _both_sides(self, split: Split) -> list[str]:
        return [name for subset in SUBSETS for name in self.names(split, subset)]

    def _known(self, split: Split) -> None:
        if split is not None and split not in self.splits:
            raise DataError(
                f"{self.root / 'splits'}: no split {split}; there are splits {', '.join(map(str, self.splits))}"
            )

    def layout(self, split: Split) -> tuple[Axes, int]:
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
            self._layouts[folder] = layout[0], self._usual_dimension(folder, self.names(split, "train"), layout)
        return self._layouts[folder]

    def _usual_dimension(self, folder: Path, names: Iterable[str], layout: tuple[Axes, int]) -> int:
        """D of most of these files of a folder, so that the odd ones are those that are wrong."""
        axis, sizes = layout[0].index("D"), Counter({layout[1]: 0})
        for name in names:
            with suppress(DataError):  # reported where the file is read
                sizes[stored_shape(resolve_inside(folder, name, ".npy"))[axis]] += 1
        return sizes.most_common(1)[0][0]

    def detect_layout(self, shapes: Iterable[tuple[tuple[int, int], int | None]]) -> tuple[Axes, int] | None:
        """`detect_axes` with the options of this data set."""
        rate, options = self.timebase.sample_rate, self.options
        orientation, tolerance = options.orientation or "auto", options.tolerance or 0
        return detect_axes(shapes, orientation=orientation, sample_rate=rate, tolerance=tolerance)
