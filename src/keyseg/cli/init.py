"""keyseg init: a data set in the field's layout from one's own videos and annotations."""

from __future__ import annotations

import csv
import sys
import tempfile
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from keyseg.timeline import ConfigError, DataError, OutputExistsError

if TYPE_CHECKING:
    from keyseg.timeline import Annotation
    from keyseg.video.jobs import Work

Names = Annotated[tuple[str, ...], Parameter(consume_multiple=True, show_default=False)]
Paths = Annotated[tuple[Path, ...], Parameter(consume_multiple=True)]


def init(
    data: Path,
    /,
    *,
    videos: Paths,
    annotations: Paths,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    tier: str | None = None,
    groups: Path | None = None,
    splits: int | None = None,
    fps: str = "15",
    background: Names = (),
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
    from_
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
        Labels that mean that nothing is done, beside 'background': they become times without a label.
    overlap
        Where two labels overlap: an error that names both; first keeps the one that starts first; last lets the one
        that starts last interrupt it.
    extractor
        What makes the features; see keyseg features.
    workers
        Videos at a time, each in a process of its own.
    cache
        Folder that keeps features by the content of the video; see keyseg features.
    damaged
        Go on over damage in a video; see keyseg features.
    """
    from keyseg.cli.features import frame_rate
    from keyseg.data.layout import check_folds, folds_by_group, frames_of, ready, write_layout
    from keyseg.video.files import find_videos
    from keyseg.video.jobs import Work

    if not videos or not annotations:
        raise ConfigError("--videos and --annotations each name at least one file or folder")
    if workers < 1:
        raise ConfigError(f"--workers takes a number >= 1, got {workers}")
    if data.exists() and not (data.is_dir() and not any(data.iterdir())):
        raise OutputExistsError(f"{data} is there and not empty; choose a new folder for the data set")
    rate = frame_rate(fps)
    files = {name_key(path.stem): path for path in find_videos(videos)}
    labelled = ready(paired(files, read_all(annotations, from_, tier, rate)), background, overlap)
    found = labelled.annotations
    by_video = read_groups(groups, found) if groups else {name: name for name in found}
    count = splits if splits is not None else max(2, min(4, len(set(by_video.values()))))
    check_folds(by_video, count)
    say(labelled.notes)
    data.absolute().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".init-", dir=data.absolute().parent) as name:
        partial = Path(name)
        chosen = [path for path in files.values() if path.stem in found]
        frames = extract(chosen, Work(extractor, rate, partial / "features", cache, damaged), workers)
        segmentations, notes = frames_of(found, frames, labelled.labels, rate)
        say(notes)
        write_layout(partial, segmentations, labelled.labels, folds_by_group(by_video, frames, count))
        data.mkdir(exist_ok=True)
        for part in sorted(partial.iterdir()):
            part.rename(data / part.name)
    size = f"{len(found)} videos, {sum(frames.values()):,} frames at {rate} fps, {len(labelled.labels)} classes"
    print(f"{data}: {size}, {count} splits")
    print(f"next: keyseg check {data}; keyseg train {data} --split all --out runs/{data.absolute().name}")
    return 0


def extract(videos: Sequence[Path], work: Work, workers: int) -> dict[str, int]:
    """Leave the features of videos and return their numbers of frames. Raises DataError if one fails."""
    from keyseg.cli.features import FeatureProgress
    from keyseg.data.feature_origin import read_sidecar
    from keyseg.video.jobs import extract_all

    with FeatureProgress(len(videos)) as shown:
        extract_all(videos, work, workers=min(workers, len(videos)), notify=shown)
    if shown.failed:
        raise DataError(
            f"{shown.failed} of {len(videos)} videos could not be read, so there is no data set yet; mend them or leave"
            " them out, and run the same command again: the others are not done again"
        )
    sidecars = {path.stem: read_sidecar(work.out / f"{path.stem}.npy") for path in videos}
    return {name: sidecar.frames for name, sidecar in sidecars.items() if sidecar}


def say(notes: Iterable[str]) -> None:
    """What a user should know."""
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


def read_all(paths: tuple[Path, ...], fmt: str | None, tier: str | None, fps: Fraction) -> dict[str, Annotation]:
    """Annotations of all files, by video. Raises DataError where two speak of one video."""
    from keyseg.formats import find_sources, read_annotations
    from keyseg.video.files import SUFFIXES

    found: dict[str, Annotation] = {}
    homes: dict[str, Path] = {}
    for path in paths:
        sources = find_sources(path, fmt)
        others = [file.name for file in sources.left_out if file.suffix.lower() not in SUFFIXES]
        if others:
            say([f"no annotations, left out: {', '.join(others[:10])}{' ...' if len(others) > 10 else ''}"])
        for file, form in sources.formats.items():
            for annotation in read_annotations(file, form, fps=fps, tier=tier):
                name = name_key(annotation.video)
                if name in found and file.resolve() != homes[name].resolve():
                    raise DataError(f"{homes[name]} and {file} both annotate {name}; leave one of them out")
                found[name], homes[name] = annotation, file
    return found


def name_key(name: str) -> str:
    """A name as it is compared: without folders, and with one spelling of accented letters."""
    return unicodedata.normalize("NFC", PureWindowsPath(name).name)


def video_stem(name: str) -> str:
    """`day1` for `day1.mp4` and for `day1`."""
    from keyseg.video.files import SUFFIXES

    path = PureWindowsPath(name)
    return path.stem if path.suffix.lower() in SUFFIXES else path.name


def paired(files: Mapping[str, Path], annotations: Mapping[str, Annotation]) -> dict[str, Annotation]:
    """Annotations of the videos that are there, by the names of their files; the rest is told.

    Raises DataError on fewer than two.
    """
    by_name: dict[str, Annotation] = {}
    orphans = []
    for name, annotation in annotations.items():
        key = name if name in files else video_stem(name)
        if key not in files:
            orphans.append(name)
        elif key in by_name:
            raise DataError(f"two annotations are of {key}; leave one of them out")
        else:
            by_name[key] = annotation
    alone = sorted(set(files) - set(by_name))
    for names, what in ((alone, "videos have no annotation"), (sorted(orphans), "annotations have no video")):
        if names:
            say([f"left out, {len(names)} {what}: {', '.join(names[:10])}{' ...' if len(names) > 10 else ''}"])
    if len(by_name) < 2:
        raise DataError(
            f"{len(by_name)} of {len(files)} videos have an annotation by the same name, and at least 2 are needed;"
            f" videos: {', '.join(sorted(files)[:5])}; annotations: {', '.join(sorted(annotations)[:5])}"
        )
    return {files[name].stem: by_name[name] for name in sorted(by_name)}


def read_groups(path: Path, names: Mapping[str, object]) -> dict[str, str]:
    """The group of each video by a table with the columns video and group. Raises DataError with file and line."""
    from keyseg.data.annotations import read_text

    rows = csv.DictReader(read_text(path, "a CSV table with the columns video and group").splitlines())
    if not {"video", "group"} <= set(rows.fieldnames or ()):
        raise DataError(
            f"{path}:1: expected the columns video and group, got {', '.join(rows.fieldnames or ()) or 'nothing'}"
        )
    found: dict[str, str] = {}
    known = {name_key(name) for name in names}
    for row in rows:
        name = name_key(row["video"] or "")
        name = name if name in known else video_stem(name)
        if not name or not row["group"]:
            raise DataError(
                f"{path}:{rows.line_num}: expected a video and its group, got {row['video']!r}, {row['group']!r}"
            )
        if found.setdefault(name, row["group"]) != row["group"]:
            raise DataError(
                f"{path}:{rows.line_num}: {name} is in group {found[name]} by an earlier line; delete one of the two"
            )
    missing = sorted(set(known) - set(found))
    if missing:
        raise DataError(f"{path}: no group for {', '.join(missing[:10])} ({len(missing)} videos); add a line for each")
    return {name: found[name_key(name)] for name in names}
