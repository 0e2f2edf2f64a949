"""keyseg init: a data set in the field's layout from one's own videos and annotations."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from keyseg.cli.own_annotations import by_name, paired, read_all, read_groups, say
from keyseg.timeline import ConfigError, DataError, OutputExistsError

if TYPE_CHECKING:
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
    from keyseg.timeline.files import refuse_file
    from keyseg.video.find_videos import find_videos
    from keyseg.video.jobs import Work

    if not videos or not annotations:
        raise ConfigError("--videos and --annotations each name at least one file or folder")
    if workers < 1:
        raise ConfigError(f"--workers takes a number >= 1, got {workers}")
    refuse_file(data, "data set")
    if data.exists() and not (data.is_dir() and not any(data.iterdir())):
        raise OutputExistsError(f"{data} is there and not empty; choose a new folder for the data set")
    rate = frame_rate(fps)
    files = by_name(find_videos(videos))
    own = read_all(annotations, files, from_, tier, rate)
    labelled = ready(paired(files, own.annotations), background, overlap)
    found = labelled.annotations
    by_video = read_groups(groups, found) if groups else {name: name for name in found}
    count = splits if splits is not None else max(2, min(4, len(set(by_video.values()))))
    check_folds(by_video, count)
    say(labelled.notes)
    home = data.resolve()
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".init-", dir=home.parent) as name:
        partial = Path(name)
        chosen = [path for path in files.values() if path.stem in found]
        frames = extract(chosen, Work(extractor, rate, partial / "features", cache, damaged), workers)
        own.check_lengths(frames, rate)
        segmentations, notes = frames_of(found, frames, labelled.labels, rate)
        say(notes)
        write_layout(partial, segmentations, labelled.labels, folds_by_group(by_video, frames, count))
        home.mkdir(exist_ok=True)
        for part in sorted(partial.iterdir()):
            part.rename(home / part.name)
    size = f"{len(found)} videos, {sum(frames.values()):,} frames at {rate} fps, {len(labelled.labels)} classes"
    print(f"{data}: {size}, {count} splits")
    print(f"next: keyseg check {data}; keyseg train {data} --split all --out runs/{home.name}")
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
