"""A data set to train on, made from a user's videos and annotations."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from keyseg.data.feature_origin import read_sidecar
from keyseg.data.input_names import input_name
from keyseg.data.layout import check_folds, folds_by_group, frames_of, ready, write_layout
from keyseg.data.user_annotations import VideoNames, check_frame_labels, pair, read_groups, read_user_annotations
from keyseg.formats import AS_IT_IS, AnnotationOptions
from keyseg.timeline import ConfigError, DataError, OutputExistsError, Overlap
from keyseg.timeline.files import refuse_file
from keyseg.video.extractors import inputs_and_extractor
from keyseg.video.find_videos import SUFFIXES
from keyseg.video.jobs import Event, Work, extract_all


@dataclass(frozen=True)
class UserDataset:
    """What `init_dataset` wrote below `root`: numbers of videos, frames, classes and splits, and the frame rate."""

    root: Path
    videos: int
    frames: int
    fps: Fraction
    classes: int
    splits: int


def init_dataset(
    data: Path,
    *,
    videos: Collection[Path],
    annotations: Collection[Path],
    from_format: str | None = None,
    groups: Path | None = None,
    splits: int | None = None,
    fps: Fraction = Fraction(15),
    background: Collection[str] = (),
    overlap: Overlap = "error",
    options: AnnotationOptions = AS_IT_IS,
    extractor: str = "motion",
    track_fps: Fraction | None = None,
    workers: int = 1,
    cache: Path | None = None,
    damaged: bool = False,
    report: Callable[[str], None] = lambda note: None,
    notify: Callable[[Event, int], None] = lambda event, videos: None,
) -> UserDataset:
    """Make a data set to train on from your own videos and annotations: features, labels per frame, classes, splits.

    A video and its annotation belong together by name: `day1.mp4` and `day1.eaf`, or rows of a table that name `day1`
    or `day1.mp4`. Files without a partner are reported and left out. After an interruption the same command resumes.

    Args:
        data: New folder for the data set. It stays empty until everything has succeeded.
        videos: Video files, or folders of video files; tracks of body points for the extractor poses.
        annotations: Annotation files, or folders of them: ELAN, BORIS, TextGrid, subtitles, tables and more; see keyseg
            convert.
        from_format: Format of the annotations. Default: detected from their names and contents.
        groups: CSV table with the columns video and group, such as the person in the video: no group is both trained
            and tested on in one split. Default: each video is its own group.
        splits: Number of train/test splits for cross-validation. Default: 4, or the number of groups if there are
            fewer.
        fps: Frames per second of the labels and features, such as 15 or 30000/1001.
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
    """
    if not videos or not annotations:
        raise ConfigError("--videos and --annotations each name at least one file or folder")
    refuse_file(data, "data set")
    if data.exists() and any(data.iterdir()):
        raise OutputExistsError(f"{data} is not empty; choose a new folder for the data set")
    files, made_by = inputs_and_extractor(videos, extractor, track_fps)
    names = VideoNames(files, SUFFIXES)
    paired = pair(names, read_user_annotations(annotations, names, from_format, options, fps, report), report)
    by_video = {input_name(path): user for path, user in paired.items()}
    raw = {name: user.annotation for name, user in by_video.items()}
    actions, labels = ready(raw, background, overlap, report)
    group = read_groups(groups, names, by_video) if groups else {name: name for name in by_video}
    count = splits if splits is not None else max(2, min(4, len(set(group.values()))))
    check_folds(group, count)
    home = data.resolve()
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".init-", dir=home.parent) as folder:
        partial = Path(folder)
        work = Work(made_by, fps, partial / "features", cache, damaged)
        frames = _extract(list(paired), work, workers, notify)
        check_frame_labels(by_video, frames, fps)
        segmentations = frames_of(actions, frames, labels, fps, report)
        write_layout(partial, segmentations, labels, folds_by_group(group, frames, count))
        home.mkdir(exist_ok=True)
        for part in sorted(partial.iterdir()):  # into a folder that may be the current one, so it is not replaced
            part.rename(home / part.name)
    return UserDataset(data, len(by_video), sum(frames.values()), fps, len(labels), count)


def _extract(videos: Sequence[Path], work: Work, workers: int, notify: Callable[[Event, int], None]) -> dict[str, int]:
    """Extract the features of videos and return their numbers of frames. Raises DataError if one fails."""
    workers = min(workers, len(videos))
    failed = extract_all(videos, work, workers=workers, notify=lambda event: notify(event, len(videos)))
    if failed:
        raise DataError(
            f"{len(failed)} of {len(videos)} videos could not be read, so there is no data set yet; repair them or"
            " leave them out, and run the same command again: the others are not extracted again"
        )
    sidecars = {input_name(path): read_sidecar(work.out / f"{input_name(path)}.npy") for path in videos}
    return {name: sidecar.frames for name, sidecar in sidecars.items() if sidecar}
