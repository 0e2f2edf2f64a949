"""keyseg features: video files in, feature files with their times out."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

from rich.progress import TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from keyseg.cli.options import FrameRate, PositiveNumber
from keyseg.cli.progress import ProgressDisplay
from keyseg.cli.verb import say_failed
from keyseg.timeline import ConfigError
from keyseg.video.extractors import inputs_and_extractor
from keyseg.video.find_videos import one_a_name
from keyseg.video.jobs import Event, Work, extract_all

_LOG_SECONDS = 15.0  # between two lines about one video, where there is no terminal


def features_verb(
    *videos: Path,
    out: Path,
    extractor: str = "motion",
    poses: bool = False,
    track_fps: FrameRate | None = None,
    fps: FrameRate = Fraction(15),
    shard: str = "1/1",
    workers: PositiveNumber = 1,
    sample_rate: PositiveNumber | None = None,
    revision: str | None = None,
    device: str | None = None,
    cache: Path | None = None,
    damaged: bool = False,
    force: bool = False,
) -> int:
    """Extract features of video files: OUT/VIDEO.npy, (T, D) float16, and OUT/VIDEO.json with frame times and origin.

    A video that cannot be read is reported, and the others are still processed. After an interruption the same command
    resumes; finished videos are not processed again, even if they have been renamed.

    Args:
        videos: Video files, or folders of video files; with --poses, tracks of body points.
        out: Folder for the features, such as DATA/features.
        extractor: motion (colours, edges and movement; needs no network), or a video or image model: its name on the
            Hugging Face hub or its local folder (needs the extra backbones), or poses.
        poses: Make features of tracks of DeepLabCut or SLEAP, CSV or H5, instead of videos; the same as --extractor
            poses.
        track_fps: Frames per second of the videos that tracks were made from.
        fps: Frames per second to read, such as 15 or 30000/1001; also the frame rate of timelines made from the
            features.
        shard: i/n: process only the i-th of n parts of the videos, to share the work among machines.
        workers: Number of videos to process at the same time, each in its own process.
        sample_rate: Frames between two feature rows of a model. Default: the extractor's.
        revision: Commit of the model on the hub.
        device: Where a model runs, such as cpu or cuda. Default: a GPU if there is one.
        cache: Folder that keeps features by the content of the video. Default: keyseg/features in the system's cache
            folder.
        damaged: Accept damaged videos: the last good picture fills each gap, and VIDEO.json lists the gaps.
        force: Overwrite other features in OUT.
    """
    if not videos:
        raise ConfigError("name at least one video file or a folder of them; see: keyseg features --help")
    if poses and extractor not in ("motion", "poses"):
        raise ConfigError(f"--poses reads tracks, and the extractor {extractor} reads videos; choose one")
    files, made_by = inputs_and_extractor(videos, "poses" if poses else extractor, track_fps)
    files = one_a_name(files)
    chosen = _part_of(files, shard)
    work = Work(made_by, fps, out, cache, damaged, force, revision, device, sample_rate)
    with FeatureProgress(len(chosen)) as shown:
        failed = extract_all(chosen, work, workers=min(workers, max(1, len(chosen))), notify=shown)
    if failed:
        say_failed(len(failed), len(chosen), out)
    return 1 if failed else 0


def _part_of(videos: list[Path], shard: str) -> list[Path]:
    """Every n-th video, from the i-th on, for the shard i/n. Raises ConfigError."""
    part, slash, parts = shard.partition("/")
    if not (slash and part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise ConfigError(f"--shard takes i/n with i from 1 to n, such as 2/4, got {shard!r}")
    return videos[int(part) - 1 :: int(parts)]


class FeatureProgress(ProgressDisplay):
    """One bar per video on a terminal, else a line now and then; both show speed and remaining time.

    quiet: print no line about a video that succeeds, unless it has gaps or notes.
    """

    def __init__(self, videos: int, *, quiet: bool = False) -> None:
        super().__init__(
            TaskProgressColumn(), TextColumn("{task.fields[speed]}"), TimeRemainingColumn(), transient=True
        )
        self.videos, self.quiet, self.done = videos, quiet, 0
        self.tasks: dict[Path, TaskID] = {}
        self.started: dict[Path, float] = {}
        self.logged: dict[Path, float] = {}

    def __call__(self, event: Event, videos: int | None = None) -> None:
        """Show an event of the extraction. videos: how many there are, if that was not known at first."""
        self.videos = videos or self.videos
        if event.kind == "frames":
            self.advance(event.video, event.frames, event.expected)
        elif event.kind == "remade":
            self.print(f"{event.video}: extracting again ({event.message})")
        else:
            self._finished(event)

    def advance(self, video: Path, frames: int, expected: int | None) -> None:
        """Show that `frames` of the `expected` frames of a video are processed."""
        seconds = self._seconds(video)
        speed = frames / seconds if seconds else 0.0
        if self.terminal:
            if video not in self.tasks:
                self.tasks[video] = self.bars.add_task(video.name, total=None, speed="")
            self.bars.update(self.tasks[video], completed=frames, total=expected, speed=f"{speed:.0f} frames/s")
        elif seconds - self.logged.get(video, 0.0) >= _LOG_SECONDS:
            self.logged[video] = seconds
            left = ""
            if expected and speed:
                left = f" of {expected:,}, about {max(0, expected - frames) / speed:.0f} s left"
            self.print(f"{video}: {frames:,} frames{left}, {speed:.0f} frames/s")

    def clear(self) -> None:
        """Remove all bars."""
        while self.tasks:
            self.bars.remove_task(self.tasks.popitem()[1])

    def _finished(self, event: Event) -> None:
        self.done += 1
        if event.video in self.tasks:
            self.bars.remove_task(self.tasks.pop(event.video))
        count = f"[{self.done}/{self.videos}]"
        if event.kind == "failed":
            place = "" if str(event.video) in event.message else f"{event.video}: "
            self.print(f"{count} error: {place}{event.message}")
        elif event.message or not self.quiet:
            seconds = self._seconds(event.video)
            how = {"made": f"in {seconds:.1f} s", "cached": "from the cache", "kept": "already extracted"}[event.kind]
            self.print(f"{count} {event.video}: {event.frames:,} frames {how}{event.message}")

    def _seconds(self, video: Path) -> float:
        """Seconds since the first event about a video."""
        now = time.monotonic()
        return now - self.started.setdefault(video, now)
