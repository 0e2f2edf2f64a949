"""A data set to train on, made from a user's videos and annotations."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from keyseg.data.data_settings import DEFAULTS
from keyseg.data.dataset import check_background
from keyseg.data.dataset_file import DATASET_FILE, read_dataset_file, write_dataset_file
from keyseg.data.feature_origin import read_sidecar
from keyseg.data.folders import filled, refuse_filled
from keyseg.data.layout import BACKGROUND, check_folds, folds_by_group, frames_of, ready, write_layout
from keyseg.data.user_annotations import VideoNames, check_frame_labels, pair, read_groups, read_user_annotations
from keyseg.data.video_files import write_video_files
from keyseg.formats import AS_IT_IS, AnnotationOptions
from keyseg.timeline import ConfigError, DataError, Overlap
from keyseg.timeline.files import all_paths, refuse_file
from keyseg.timeline.rates import parse_rate
from keyseg.video.engines import Engine, Event
from keyseg.video.extractors import inputs_and_extractor
from keyseg.video.jobs import Work, extract_all


@dataclass(frozen=True)
class UserDataset:
    """What `init` wrote below `root`: numbers of videos, frames in all timelines, classes and splits, and the
    frame rate."""

    root: Path
    videos: int
    frames: int
    fps: Fraction
    classes: int
    splits: int


def init(
    data: Path | str,
    *,
    videos: Path | str | Collection[Path | str],
    annotations: Path | str | Collection[Path | str],
    from_format: str | None = None,
    groups: Path | str | None = None,
    splits: int | None = None,
    fps: Fraction | float | str | None = None,
    background: Collection[str] = (),
    overlap: Overlap = "error",
    options: AnnotationOptions = AS_IT_IS,
    extractor: str = "motion",
    track_fps: Fraction | float | str | None = None,
    workers: int = 1,
    cache: Path | str | None = None,
    damaged: bool = False,
    report: Callable[[str], None] = lambda note: None,
    notify: Callable[[Event, int], None] = lambda event, videos: None,
) -> UserDataset:
    """Make a data set to train on from your own videos and annotations: features, labels per frame, classes, splits.

    A video and its annotation belong together by name: `day1.mp4` and `day1.eaf`, or rows of a table that name `day1`
    or `day1.mp4`; where two files have one name, by folder as well: `P01/cam1.mp4`. Files without a partner are
    reported and left out. DATA/dataset.yaml states the frame rate, the background, the groups, and the first `--tier`,
    to which predictions are written. After an interruption the same command resumes.

    Args:
        data: New folder for the data set. Only a hidden folder is in it until everything has succeeded.
            It may hold a dataset.yaml,
            such as that of an earlier round: what it states is used where no option is given, and stays.
        videos: Video files, or folders of video files; tracks of body points for the extractor poses.
        annotations: Annotation files, or folders of them: ELAN, BORIS, TextGrid, subtitles, tables and more; see keyseg
            convert.
        from_format: Format of the annotations. Default: detected from their names and contents.
        groups: CSV table with the columns video and group, such as the person in the video: no group is both trained
            and tested on in one split. Default: as dataset.yaml states; a video that it does not list is its own group.
        splits: Number of train/test splits for cross-validation. Default: 4, or the number of groups if there are
            fewer.
        fps: Frames per second of the labels and features, such as 15 or 30000/1001. Default: as dataset.yaml states,
            else 15.
        background: Labels that mean that nothing is done, besides 'background'; their times become background.
        overlap: Where two labels overlap: error reports both; first keeps the one that starts first; last lets the one
            that starts last interrupt it; score keeps the one with the higher score.
        extractor: Feature extractor; see keyseg features.
        track_fps: Frames per second of the videos that tracks were made from, for the extractor poses.
        workers: Number of videos to process at the same time, each in its own process.
        cache: Folder that keeps features by the content of the video; see keyseg features.
        damaged: Accept damaged videos; see keyseg features.
        report: Called with notes about what is left out or changed.
        notify: Called with each event of the extraction and the number of videos.

    >>> import keyseg
    >>> keyseg.init("data", videos="videos", annotations="sheets", groups="people.csv")  # doctest: +SKIP
    UserDataset(root=PosixPath('data'), videos=12, frames=10800, fps=Fraction(15, 1), classes=5, splits=4)
    >>> keyseg.init("data", videos="vidoes", annotations="sheets")
    Traceback (most recent call last):
    keyseg.timeline.errors.DataError: vidoes: no such file or folder
    """
    data, groups = Path(data), None if groups is None else Path(groups)
    cache = None if cache is None else Path(cache)
    videos, annotations = all_paths(videos), all_paths(annotations)
    track_rate = None if track_fps is None else parse_rate(track_fps)
    if not videos or not annotations:
        raise ConfigError("--videos and --annotations each name at least one file or folder")
    refuse_file(data, "data set")
    refuse_filled(data, (DATASET_FILE,))
    stated = read_dataset_file(data)
    rate = (None if fps is None else parse_rate(fps)) or stated.fps or DEFAULTS["fps"]
    if stated.tier and not options.tier:
        options = replace(options, tier=(stated.tier,))
    files, made_by = inputs_and_extractor(videos, extractor, track_rate)
    names = VideoNames(files)
    paired = pair(names, read_user_annotations(annotations, names, from_format, options, rate, report), report)
    actions, labels = ready({name: one.user.annotation for name, one in paired.items()}, background, overlap, report)
    check_background(data / DATASET_FILE, stated.background or (), labels.names)
    first: dict[str, str] = {}  # the first timeline of each video
    for name, one in paired.items():
        first.setdefault(one.video, name)
    if len(paired) > len(first):
        report(f"{len(paired)} timelines of {len(first)} videos: {', '.join(list(paired)[:10])}")
    by_video = {video: stated.groups.get(name, video) for video, name in first.items()}
    if groups:
        by_video = read_groups(groups, names, first)
    group = {name: by_video[one.video] for name, one in paired.items()}
    count = splits if splits is not None else max(2, min(4, len(set(group.values()))))
    check_folds(group, count)
    home = data.resolve()
    with filled(home, (DATASET_FILE,), (DATASET_FILE, "mapping.txt")) as partial:
        called = {names.files[video]: name for video, name in first.items()}
        work = Work(made_by, rate, partial / "features", cache, damaged, names=called)
        lengths = _extract(list(called), work, workers, notify)
        frames = {name: lengths[first[one.video]] for name, one in paired.items()}
        for name, one in paired.items():
            for suffix in (".npy", ".json") if name != first[one.video] else ():
                shutil.copyfile(work.out / f"{first[one.video]}{suffix}", work.out / f"{name}{suffix}")
        check_frame_labels({name: one.user for name, one in paired.items()}, frames, rate)
        segmentations = frames_of(actions, frames, labels, rate, report)
        write_layout(partial, segmentations, labels, folds_by_group(group, frames, count))
        if (data / DATASET_FILE).exists():
            shutil.copyfile(data / DATASET_FILE, partial / DATASET_FILE)
        facts = stated.changed(fps=rate, background=(BACKGROUND,) if stated.background is None else stated.background)
        grouped = {**stated.groups, **group} if stated.groups else _shared(group)
        facts = facts.changed(tier=next(iter(options.tier), None), groups=grouped)
        write_dataset_file(partial, facts)
        write_video_files(partial, {name: names.files[one.video] for name, one in paired.items()}, home)
    return UserDataset(data, len(first), sum(frames.values()), rate, len(labels), count)


def _shared(groups: Mapping[str, str]) -> dict[str, str]:
    """The groups, unless each timeline is alone in its own."""
    return dict(groups) if len(set(groups.values())) < len(groups) else {}


def _extract(videos: Sequence[Path], work: Work, workers: int, notify: Callable[[Event, int], None]) -> dict[str, int]:
    """Extract the features of videos and return their numbers of frames by name. Raises DataError if one fails."""
    failed = extract_all(videos, work, engine=Engine(workers=workers), notify=lambda event: notify(event, len(videos)))
    if failed:
        raise DataError(
            f"{len(failed)} of {len(videos)} videos could not be read, so there is no data set yet; repair them or"
            " leave them out, and run the same command again: the others are not extracted again\n"
            + "\n".join(failed.values())
        )
    sidecars = {name: read_sidecar(work.out / f"{name}.npy") for name in work.names.values()}
    return {name: sidecar.frames for name, sidecar in sidecars.items() if sidecar}
