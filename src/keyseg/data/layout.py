"""A data set in the layout of MS-TCN, written from annotations in seconds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from keyseg.data.splits import SUBSETS, bundle_path
from keyseg.formats.frame_labels import write_frame_labels
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
from keyseg.timeline.files import write_text


@dataclass(frozen=True)
class Fold:
    """One split: names of the videos on its two sides."""

    train: tuple[str, ...]
    test: tuple[str, ...]


BACKGROUND = "background"  # the class of times without a label
_LATE = Fraction(1)  # seconds by which an annotation may outlast the pictures: the sound is often longer


def ready(
    annotations: Mapping[str, Annotation], background: Iterable[str], overlap: Overlap, report: Callable[[str], None]
) -> tuple[dict[str, Annotation], LabelMap]:
    """Remove background intervals, resolve overlaps and find the classes: background, then the labels, sorted.

    background: labels, in upper or lower case, that mean that nothing is done; `background` is always one. report:
    called with notes about labels. Raises DataError naming the first overlap.
    """
    idle = {class_name(name).casefold() for name in (*background, BACKGROUND)}
    spelled: dict[str, set[str]] = defaultdict(set)  # the labels that become each class
    resolved = {}
    for name, annotation in annotations.items():
        actions = tuple(i for i in annotation.intervals if class_name(i.label).casefold() not in idle)
        if not actions:
            report(f"{name}: no action is labelled, all of it is background")
        for interval in actions:
            spelled[class_name(interval.label)].add(interval.label)
        try:
            resolved[name] = replace(annotation, intervals=actions).resolved(overlap)
        except TimelineError as error:
            raise DataError(str(error)) from error
    alike: dict[str, list[str]] = defaultdict(list)
    for label, ways in sorted(spelled.items()):
        alike[label.casefold()].append(label)
        if len(ways) > 1:
            report(f"{' and '.join(map(repr, sorted(ways)))} are one class, {label}")
    for classes in alike.values():
        if len(classes) > 1:
            report(f"{' and '.join(classes)} are different classes; rename one if they are the same")
    return resolved, LabelMap((BACKGROUND, *sorted(spelled)), (BACKGROUND,))


def frames_of(
    annotations: Mapping[str, Annotation],
    frames: Mapping[str, int],
    labels: LabelMap,
    fps: Fraction,
    report: Callable[[str], None],
) -> dict[str, Segmentation]:
    """Each annotation as frames of its video; frames: their number, by video. report: called with notes.

    The last label fills the last frame if it reaches into it, since videos end within a frame. A label that outlasts
    the pictures by less than a second is cut at their end, with a note. Raises DataError naming the video.
    """
    segmentations = {}
    for name, annotation in annotations.items():
        fitted = _fit_pictures(annotation, frames[name], fps, report)
        try:
            segmentations[name] = fitted.segmentation(labels, fps, frames=frames[name])
        except TimelineError as error:
            raise DataError(str(error)) from error
    return segmentations


def _fit_pictures(annotation: Annotation, frames: int, fps: Fraction, report: Callable[[str], None]) -> Annotation:
    """An annotation that ends with the last of `frames` frames, if it ended near there."""
    end, half = frames / fps, Fraction(1, 2) / fps
    last = max((interval.end_seconds for interval in annotation.intervals), default=Fraction(0))
    if not end - 2 * half < last <= end + _LATE:
        return annotation
    if last > end + half:
        ends = f"the labels end at {float(last):.2f} s, the pictures at {float(end):.2f} s"
        report(f"{annotation.video}: {ends}; cut there")
    kept = []
    for interval in annotation.intervals:
        if interval.start_seconds >= end - half and interval.end_seconds > end:
            report(f"{annotation.video}: {interval} starts after the pictures; left out")
        else:
            kept.append(replace(interval, end_seconds=min(interval.end_seconds, end)))
    latest = max(range(len(kept)), key=lambda i: kept[i].end_seconds, default=-1)
    if kept and kept[latest].end_seconds > end - 2 * half:
        kept[latest] = replace(kept[latest], end_seconds=end)
    return replace(annotation, intervals=tuple(kept))


def check_folds(groups: Mapping[str, str], folds: int) -> None:
    """Raise ConfigError unless there are as many groups as folds, and at least 2."""
    count = len(set(groups.values()))
    if count < 2:
        raise ConfigError(
            f"all {len(groups)} videos are of one group, which cannot be both trained on and tested; name at least two"
            " groups"
        )
    if not 2 <= folds <= count:
        raise ConfigError(
            f"{folds} splits: there must be at least 2, and at most one per group; there are {count} groups"
        )


def folds_by_group(groups: Mapping[str, str], frames: Mapping[str, int], folds: int) -> list[Fold]:
    """Splits for cross-validation: each video is tested once, in a split that trains on no video of its group.

    groups: the group of each video, such as the person in it. Groups are assigned from the largest on, each to the fold
    with the fewest frames, so that folds are of similar size; the same input gives the same folds. Raises ConfigError
    as `check_folds` does.
    """
    check_folds(groups, folds)
    sizes: dict[str, int] = defaultdict(int)
    for video, group in groups.items():
        sizes[group] += frames[video]
    load = [0] * folds
    home: dict[str, int] = {}
    for group in sorted(sizes, key=lambda name: (-sizes[name], name)):
        home[group] = load.index(min(load))
        load[home[group]] += sizes[group]
    videos = sorted(groups)
    tested = [tuple(video for video in videos if home[groups[video]] == fold) for fold in range(folds)]
    return [Fold(tuple(video for video in videos if video not in test), test) for test in tested]


def write_layout(
    root: Path, segmentations: Mapping[str, Segmentation], labels: LabelMap, folds: Sequence[Fold]
) -> None:
    """Write mapping.txt, groundTruth/ and splits/ below `root`."""
    (root / "groundTruth").mkdir(parents=True, exist_ok=True)
    for name, segmentation in segmentations.items():
        write_frame_labels(root / "groundTruth" / f"{name}.txt", labels.decode(segmentation.to_frames()))
    write_lists(root, labels, folds)


def write_lists(root: Path, labels: LabelMap, folds: Sequence[Fold]) -> None:
    """Write mapping.txt and splits/ below `root`; the test videos of the last split are written last."""
    write_text(root / "mapping.txt", "".join(f"{i} {name}\n" for i, name in enumerate(labels.names)))
    for number, fold in enumerate(folds, 1):
        for subset, names in zip(SUBSETS, (fold.train, fold.test), strict=True):
            write_text(bundle_path(root, number, subset), "".join(f"{name}.txt\n" for name in names))
