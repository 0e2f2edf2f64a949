"""A data set to train on, made from a user's videos and annotations."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from keyseg.data.feature_origin import read_sidecar
from keyseg.data.layout import check_folds, folds_by_group, frames_of, ready, write_layout
from keyseg.data.user_annotations import VideoNames, check_frame_labels, pair, read_groups, read_user_annotations
from keyseg.timeline import ConfigError, DataError, OutputExistsError, Overlap
from keyseg.timeline.files import refuse_file
from keyseg.video.find_videos import SUFFIXES, find_videos
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
    root: Path,
    videos: Collection[Path],
    annotations: Collection[Path],
    *,
    from_format: str | None = None,
    tier: str | None = None,
    groups: Path | None = None,
    splits: int | None = None,
    fps: Fraction = Fraction(15),
    background: Iterable[str] = (),
    overlap: Overlap = "error",
    extractor: str = "motion",
    workers: int = 1,
    cache: Path | None = None,
    damaged: bool = False,
    report: Callable[[str], None] = lambda note: None,
    notify: Callable[[Event, int], None] = lambda event, videos: None,
) -> UserDataset:
    """Make a data set below `root`: features, labels per frame, classes and splits for cross-validation.

    A video and its annotation belong together by name. videos, annotations: files, or folders of them. groups: CSV
    table with the columns video and group; no group is in both halves of a split. splits: None for 4, or the number of
    groups if there are fewer. background: labels besides `background` that mean that nothing is done. report: called
    with notes about what is left out or changed. notify: called with each event of the extraction and the number of
    videos.
    The other arguments are those of `read_annotations` and `Work`.

    `root` stays empty until everything has succeeded. Raises ConfigError, DataError, and OutputExistsError.
    """
    if not videos or not annotations:
        raise ConfigError("--videos and --annotations each name at least one file or folder")
    refuse_file(root, "data set")
    if root.exists() and any(root.iterdir()):
        raise OutputExistsError(f"{root} is not empty; choose a new folder for the data set")
    names = VideoNames.of(find_videos(videos), SUFFIXES)
    paired = pair(names, read_user_annotations(annotations, names, from_format, tier, fps, report), report)
    by_video = {path.stem: user for path, user in paired.items()}
    raw = {name: user.annotation for name, user in by_video.items()}
    actions, labels = ready(raw, background, overlap, report)
    group = read_groups(groups, names, by_video) if groups else {name: name for name in by_video}
    count = splits if splits is not None else max(2, min(4, len(set(group.values()))))
    check_folds(group, count)
    home = root.resolve()
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".init-", dir=home.parent) as folder:
        partial = Path(folder)
        work = Work(extractor, fps, partial / "features", cache, damaged)
        frames = _extract(list(paired), work, workers, notify)
        check_frame_labels(by_video, frames, fps)
        segmentations = frames_of(actions, frames, labels, fps, report)
        write_layout(partial, segmentations, labels, folds_by_group(group, frames, count))
        home.mkdir(exist_ok=True)
        for part in sorted(partial.iterdir()):  # into a folder that may be the current one, so it is not replaced
            part.rename(home / part.name)
    return UserDataset(root, len(by_video), sum(frames.values()), fps, len(labels), count)


def _extract(videos: Sequence[Path], work: Work, workers: int, notify: Callable[[Event, int], None]) -> dict[str, int]:
    """Extract the features of videos and return their numbers of frames. Raises DataError if one fails."""
    failed = []

    def noted(event: Event) -> None:
        if event.kind == "failed":
            failed.append(event.video)
        notify(event, len(videos))

    extract_all(videos, work, workers=min(workers, len(videos)), notify=noted)
    if failed:
        raise DataError(
            f"{len(failed)} of {len(videos)} videos could not be read, so there is no data set yet; repair them or"
            " leave them out, and run the same command again: the others are not extracted again"
        )
    sidecars = {path.stem: read_sidecar(work.out / f"{path.stem}.npy") for path in videos}
    return {name: sidecar.frames for name, sidecar in sidecars.items() if sidecar}
