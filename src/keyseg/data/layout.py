"""A data set in the field's layout, written from annotations in seconds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from keyseg.data.annotations import write_frame_labels
from keyseg.data.files import write_text
from keyseg.data.splits import SUBSETS, bundle_path
from keyseg.timeline import (
    Annotation,
    ConfigError,
    DataError,
    LabelMap,
    Overlap,
    Segmentation,
    TimelineError,
    class_name,
)


@dataclass(frozen=True)
class Fold:
    """One split: names of the videos on its two sides."""

    train: tuple[str, ...]
    test: tuple[str, ...]


def classes_of(annotations: Mapping[str, Annotation], background: str) -> LabelMap:
    """The classes of a data set: the background first, then all labels that occur, sorted."""
    names = {class_name(label) for annotation in annotations.values() for label in annotation.labels}
    return LabelMap((background, *sorted(names - {background})), (background,))


def frames_of(
    annotations: Mapping[str, Annotation],
    frames: Mapping[str, int],
    labels: LabelMap,
    fps: Fraction,
    overlap: Overlap = "error",
) -> dict[str, Segmentation]:
    """Each annotation as frames of its video; frames: their number, by video. Raises DataError naming the video."""
    found = {}
    for name, annotation in annotations.items():
        try:
            found[name] = annotation.segmentation(labels, fps, frames=frames[name], overlap=overlap)
        except TimelineError as error:
            raise DataError(f"annotation of {name}: {error}") from error
    return found


def folds_by_group(groups: Mapping[str, str], frames: Mapping[str, int], folds: int) -> list[Fold]:
    """Splits for cross-validation: each video is tested once, and never one whose group is trained on.

    groups: the group of each video, such as the person in it. The largest group goes first, always to the fold that has
    the fewest frames, so the folds are of like size; the same input gives the same folds. Raises ConfigError on fewer
    groups than folds.
    """
    sizes: dict[str, int] = defaultdict(int)
    for video, group in groups.items():
        sizes[group] += frames[video]
    if not 2 <= folds <= len(sizes):
        raise ConfigError(
            f"{folds} splits need at least as many groups, and at least 2; there are {len(sizes)} for"
            f" {len(groups)} videos"
        )
    load = [0] * folds
    home: dict[str, int] = {}
    for group in sorted(sizes, key=lambda name: (-sizes[name], name)):
        home[group] = load.index(min(load))
        load[home[group]] += sizes[group]
    videos = sorted(groups)
    return [
        Fold(
            tuple(video for video in videos if home[groups[video]] != fold),
            tuple(video for video in videos if home[groups[video]] == fold),
        )
        for fold in range(folds)
    ]


def write_layout(
    root: Path, segmentations: Mapping[str, Segmentation], labels: LabelMap, folds: Sequence[Fold]
) -> None:
    """Write mapping.txt, groundTruth/ and splits/ below `root`."""
    write_text(root / "mapping.txt", "".join(f"{i} {name}\n" for i, name in enumerate(labels.names)))
    (root / "groundTruth").mkdir(parents=True, exist_ok=True)
    for name, segmentation in segmentations.items():
        write_frame_labels(root / "groundTruth" / f"{name}.txt", labels.decode(segmentation.to_frames()))
    for number, fold in enumerate(folds, 1):
        for subset in SUBSETS:
            names = fold.train if subset == "train" else fold.test
            write_text(bundle_path(root, number, subset), "".join(f"{name}.txt\n" for name in names))
