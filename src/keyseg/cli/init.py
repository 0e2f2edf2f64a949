"""keyseg init: a data set in the field's layout from one's own videos and annotations."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from keyseg.timeline import ConfigError, DataError, OutputExistsError

if TYPE_CHECKING:
    from keyseg.timeline import Annotation

Paths = Annotated[tuple[Path, ...], Parameter(consume_multiple=True)]


def init(
    data: Path,
    /,
    *,
    videos: Paths,
    annotations: Paths,
    format: str | None = None,
    tier: str | None = None,
    groups: Path | None = None,
    splits: int | None = None,
    fps: str = "15",
    background: str = "background",
    overlap: Literal["error", "first", "last"] = "error",
    extractor: str = "motion",
    workers: int = 1,
    cache: Path | None = None,
    damaged: bool = False,
) -> int:
    """Make a data set to train on from your own videos and annotations: features, labels a frame, classes, splits.

    A video and its annotation belong together by name: `day1.mp4` and `day1.eaf`, or rows of a table that name `day1`
    or `day1.mp4`. What has no partner is named and left out. Interrupt it at any moment: the same command goes on.

    Parameters
    ----------
    data
        New folder of the data set.
    videos
        Video files, or folders of them.
    annotations
        Annotation files, or folders of them: ELAN, BORIS, TextGrid, subtitles, tables and more; see keyseg convert.
    format
        Format of the annotations, where their names and content do not tell.
    tier
        Which tier of ELAN or TextGrid files, where they have several.
    groups
        CSV table with the columns video and group, such as the person: no group is trained and tested on at once.
        Default: each video is its own group.
    splits
        How many train/test splits for cross-validation. Default: 4, or as many as there are groups if fewer.
    fps
        Frames a second of the labels and features, such as 15 or 30000/1001.
    background
        Name of the class for times without a label.
    overlap
        Where two labels overlap: an error that names both, keep the first, or the last.
    extractor
        What makes the features; see keyseg features.
    workers
        Videos at a time, each in a process of its own.
    cache
        Folder that keeps features by the content of the video; see keyseg features.
    damaged
        Go on over damage in a video; see keyseg features.
    """
    from keyseg.cli.features import FeatureProgress, frame_rate
    from keyseg.data.feature_origin import read_sidecar
    from keyseg.data.layout import classes_of, folds_by_group, frames_of, write_layout
    from keyseg.video.files import find_videos
    from keyseg.video.jobs import Work, extract_all

    if not videos or not annotations:
        raise ConfigError("--videos and --annotations each name at least one file or folder")
    if workers < 1:
        raise ConfigError(f"--workers takes a number >= 1, got {workers}")
    if data.exists() and not (data.is_dir() and not any(data.iterdir())):
        raise OutputExistsError(f"{data} is there and not empty; choose a new folder for the data set")
    rate = frame_rate(fps)
    files = {path.stem: path for path in find_videos(videos)}
    found = paired(files, read_all(annotations, format, tier))
    by_video = read_groups(groups, found) if groups else {name: name for name in found}
    labels = classes_of(found, background)
    partial = data.with_name(f".{data.name}.partial")
    work = Work(extractor, rate, partial / "features", cache, damaged)
    with FeatureProgress(len(found)) as shown:
        extract_all([files[name] for name in found], work, workers=min(workers, len(found)), notify=shown)
    if shown.failed:
        raise DataError(
            f"{shown.failed} of {len(found)} videos could not be read, so there is no data set yet; mend them or leave"
            " them out, and run the same command again: the others are not done again"
        )
    sidecars = {name: read_sidecar(work.out / f"{name}.npy") for name in found}
    frames = {name: sidecar.frames for name, sidecar in sidecars.items() if sidecar}
    segmentations = frames_of(found, frames, labels, rate, overlap)
    count = splits if splits is not None else min(4, len(set(by_video.values())))
    folds = folds_by_group(by_video, frames, count)
    write_layout(partial, segmentations, labels, folds)
    if data.exists():
        data.rmdir()  # it is empty
    partial.rename(data)
    print(
        f"{data}: {len(found)} videos, {sum(frames.values()):,} frames at {rate} fps, {len(labels)} classes,"
        f" {count} splits"
    )
    print(f"next: keyseg check {data}; keyseg train {data} --split all --out runs/{data.name}")
    return 0


def read_all(paths: tuple[Path, ...], fmt: str | None, tier: str | None) -> dict[str, Annotation]:
    """Annotations of all files, by video. Raises DataError where two speak of one video."""
    from keyseg.formats import read_annotations

    files: list[Path] = []
    for path in paths:
        inside = (
            sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
            if path.is_dir()
            else [path]
        )
        if not inside:
            raise DataError(f"{path}: no annotation file in this folder")
        files += inside
    found: dict[str, Annotation] = {}
    homes: dict[str, Path] = {}
    for file in files:
        for annotation in read_annotations(file, fmt, tier=tier):
            name = video_stem(annotation.video)
            if name in found:
                raise DataError(f"{homes[name]} and {file} both annotate {name}; leave one of them out")
            found[name], homes[name] = annotation, file
    return found


def video_stem(name: str) -> str:
    """`day1` for `clips/day1.mp4` and for `day1`."""
    from keyseg.video.files import SUFFIXES

    path = Path(name)
    return path.stem if path.suffix.lower() in SUFFIXES else path.name


def paired(files: Mapping[str, Path], annotations: Mapping[str, Annotation]) -> dict[str, Annotation]:
    """Annotations of the videos that are there, by name; the rest is told. Raises DataError on fewer than two."""
    both = sorted(set(files) & set(annotations))
    alone = sorted(set(files) - set(annotations))
    orphans = sorted(set(annotations) - set(files))
    for names, what in ((alone, "videos have no annotation"), (orphans, "annotations have no video")):
        if names:
            print(
                f"left out: {len(names)} {what}: {', '.join(names[:10])}{' ...' if len(names) > 10 else ''}",
                file=sys.stderr,
            )
    if len(both) < 2:
        raise DataError(
            f"{len(both)} of {len(files)} videos have an annotation by the same name, and at least 2 are needed;"
            f" videos: {', '.join(sorted(files)[:5])}; annotations: {', '.join(sorted(annotations)[:5])}"
        )
    return {name: annotations[name] for name in both}


def read_groups(path: Path, names: Mapping[str, object]) -> dict[str, str]:
    """The group of each video by a table with the columns video and group. Raises DataError with file and line."""
    from keyseg.data.annotations import read_text

    rows = csv.DictReader(read_text(path, "a CSV table with the columns video and group").splitlines())
    if not {"video", "group"} <= set(rows.fieldnames or ()):
        raise DataError(
            f"{path}:1: expected the columns video and group, got {', '.join(rows.fieldnames or ()) or 'nothing'}"
        )
    found: dict[str, str] = {}
    for row in rows:
        name = video_stem(row["video"] or "")
        if not name or not row["group"]:
            raise DataError(
                f"{path}:{rows.line_num}: expected a video and its group, got {row['video']!r}, {row['group']!r}"
            )
        if found.setdefault(name, row["group"]) != row["group"]:
            raise DataError(
                f"{path}:{rows.line_num}: {name} is in group {found[name]} by an earlier line; delete one of the two"
            )
    missing = sorted(set(names) - set(found))
    if missing:
        raise DataError(f"{path}: no group for {', '.join(missing[:10])} ({len(missing)} videos); add a line for each")
    return {name: found[name] for name in names}
