"""Features of a user's videos, as files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

from keyseg.data.input_names import input_name
from keyseg.timeline import ConfigError
from keyseg.timeline.failures import Failures
from keyseg.timeline.files import all_paths
from keyseg.timeline.rates import parse_rate
from keyseg.video.engines import Engine, EngineName, Event
from keyseg.video.extractors import inputs_and_extractor
from keyseg.video.find_videos import find_videos, one_a_name
from keyseg.video.jobs import Work, extract_all
from keyseg.video.manifest import listed, part_of


@dataclass(frozen=True)
class ExtractedFeatures:
    """written: the feature file of each video that could be read. failed: the others, with the reason."""

    written: dict[Path, Path]
    failed: Mapping[Path, str]


def features(
    videos: Path | str | Sequence[Path | str],
    *,
    out: Path | str,
    extractor: str = "motion",
    poses: bool = False,
    track_fps: Fraction | float | str | None = None,
    fps: Fraction | float | str = Fraction(15),
    shard: str = "1/1",
    workers: int = 1,
    engine: EngineName = "processes",
    address: str | None = None,
    sample_rate: int | None = None,
    revision: str | None = None,
    device: str | None = None,
    cache: Path | str | None = None,
    damaged: bool = False,
    force: bool = False,
    notify: Callable[[Event, int], None] = lambda event, videos: None,
) -> ExtractedFeatures:
    """Extract features of video files: OUT/VIDEO.npy, (T, D) float16, and OUT/VIDEO.json with frame times and origin.

    A video that cannot be read is reported, and the others are still processed. After an interruption the same command
    resumes; finished videos are not processed again, even if they have been renamed.

    Args:
        videos: Video files, folders of video files, addresses of either such as s3://bucket/videos, or lists: .txt
            files with one of these per line. With --poses, tracks of body points.
        out: Folder for the features, such as DATA/features.
        extractor: motion (colours, edges and movement; needs no network), or a video or image model: its name on the
            Hugging Face hub or its local folder (needs the extra backbones), or poses.
        poses: Make features of tracks of DeepLabCut or SLEAP, CSV or H5, instead of videos; the same as --extractor
            poses.
        track_fps: Frames per second of the videos that tracks were made from.
        fps: Frames per second to read, such as 15 or 30000/1001; also the frame rate of timelines made from the
            features.
        shard: i/n: process only the i-th of n parts of the videos, to share the work among machines. The name of a
            video decides in which part it is.
        workers: Number of videos to process at the same time, each in its own process.
        engine: processes (of this machine, see --workers), or ray: all machines of a Ray cluster (needs the extra
            scale).
        address: Running Ray cluster to use, HOST:PORT or auto. Default: one that is started on this machine.
        sample_rate: Frames between two feature rows of a model. Default: the extractor's.
        revision: Commit of the model on the hub.
        device: Where a model runs, such as cpu or cuda. Default: a GPU if there is one.
        cache: Folder that keeps features by the content of the video. Default: keyseg/features in the system's cache
            folder.
        damaged: Accept damaged videos: the last good picture fills each gap, and VIDEO.json lists the gaps.
        force: Overwrite other features in OUT.
        notify: Called with each event, such as a failure and its reason, and the number of videos.

    >>> import keyseg
    >>> keyseg.features("videos", out="features", fps=10)  # doctest: +SKIP
    >>> keyseg.features("vidoes", out="features")
    Traceback (most recent call last):
    keyseg.timeline.errors.DataError: vidoes: no such file or folder
    """
    where, videos = Engine(engine, workers, address), listed(all_paths(videos))
    if not videos:
        raise ConfigError("name at least one video file or a folder of them; see: keyseg features --help")
    if poses and extractor not in ("motion", "poses"):
        raise ConfigError(f"--poses reads tracks, and the extractor {extractor} reads videos; choose one")
    track_rate = None if track_fps is None else parse_rate(track_fps)
    tracks, failures = poses or extractor == "poses", Failures()
    if len(videos) > 1:
        found = [path for path in videos if failures.attempt(path, partial(find_videos, tracks=tracks), [path])]
        videos = found or videos  # without any, the first raises below
    files, made_by = inputs_and_extractor(videos, "poses" if poses else extractor, track_rate)
    chosen = part_of(one_a_name(files), shard)
    cache = None if cache is None else Path(cache)
    work = Work(made_by, parse_rate(fps), Path(out), cache, damaged, force, revision, device, sample_rate)
    number = len(chosen) + len(failures.reasons)
    for path, reason in failures.reasons.items():
        notify(Event(path, "failed", message=reason), number)
    failed = failures.reasons | extract_all(chosen, work, engine=where, notify=lambda event: notify(event, number))
    written = {video: work.out / f"{input_name(video)}.npy" for video in chosen if video not in failed}
    return ExtractedFeatures(written, failed)
