"""keyseg features: video files in, feature files with their times out."""

from __future__ import annotations

import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from keyseg.timeline import ConfigError, TimelineError
from keyseg.timeline.rates import parse_rate

if TYPE_CHECKING:
    from keyseg.video.jobs import Event

EVERY = 15.0  # seconds between two lines about one video, where there is no terminal
FIRST = "{task.description}"
SPEED = "{task.fields[speed]}"


def features(
    *videos: Path,
    out: Path,
    extractor: str = "motion",
    fps: str = "15",
    shard: str = "1/1",
    workers: int = 1,
    sample_rate: int | None = None,
    revision: str | None = None,
    device: str | None = None,
    cache: Path | None = None,
    damaged: bool = False,
    force: bool = False,
) -> int:
    """Extract features of video files: OUT/VIDEO.npy, (T, D) float16, and OUT/VIDEO.json with frame times and origin.

    A video that cannot be read is reported and the others are still done. Interrupt it at any moment: the same command
    goes on, and what is done is not done again, also if a video was renamed.

    Parameters
    ----------
    videos
        Video files, or folders of them.
    out
        Folder for the features, such as DATA/features.
    extractor
        motion (colours, edges and movement; needs no network), or a video or image model: its name on the Hugging Face
        hub or its local folder (extra backbones).
    fps
        Frames a second that are looked at, such as 15 or 30000/1001; the timeline will have as many.
    shard
        Do only the i-th of n parts of the videos: i/n, for several machines.
    workers
        Videos at a time, each in a process of its own.
    sample_rate
        Frames a row of a model's features. Default: the extractor's.
    revision
        Commit of the model on the hub.
    device
        Where a model runs, such as cpu or cuda. Default: a GPU where there is one.
    cache
        Folder that keeps features by the content of the video. Default: keyseg/features in the system's folder for
        caches.
    damaged
        Go on over damage in a video: the last good picture stands in, and the sidecar names the gaps.
    force
        Overwrite other features in OUT.
    """
    from keyseg.video.find_videos import find_videos
    from keyseg.video.jobs import Work, extract_all

    if not videos:
        raise ConfigError("name at least one video file or a folder of them; see: keyseg features --help")
    if workers < 1:
        raise ConfigError(f"--workers takes a number >= 1, got {workers}")
    chosen = part_of(find_videos(videos), shard)
    work = Work(extractor, frame_rate(fps), out, cache, damaged, force, revision, device, sample_rate)
    with FeatureProgress(len(chosen)) as shown:
        extract_all(chosen, work, workers=min(workers, max(1, len(chosen))), notify=shown)
    if shown.failed:
        print(f"{shown.failed} of {len(chosen)} videos could not be done; the others are in {out}", file=sys.stderr)
    return 1 if shown.failed else 0


def frame_rate(text: str) -> Fraction:
    """--fps as an exact number. Raises ConfigError."""
    try:
        return parse_rate(text)
    except TimelineError as error:
        raise ConfigError(f"--fps: {error}") from None


def part_of(videos: list[Path], shard: str) -> list[Path]:
    """Every n-th video from the i-th on, for i/n. Raises ConfigError."""
    part, sign, parts = shard.partition("/")
    if not (sign and part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise ConfigError(f"--shard takes i/n with i from 1 to n, such as 2/4, got {shard!r}")
    return videos[int(part) - 1 :: int(parts)]


class FeatureProgress:
    """A bar a video on a terminal, else a line now and then; speed and time left in both. quiet: no line for a video
    that went well."""

    def __init__(self, videos: int, *, quiet: bool = False) -> None:
        self.videos, self.quiet, self.done, self.failed = videos, quiet, 0, 0
        self.console = Console(stderr=True)
        columns = (TextColumn(FIRST), BarColumn(), TaskProgressColumn(), TextColumn(SPEED), TimeRemainingColumn())
        self.bars = Progress(*columns, console=self.console, disable=not self.console.is_terminal, transient=True)
        self.tasks: dict[Path, Any] = {}
        self.began: dict[Path, float] = {}
        self.told: dict[Path, float] = {}

    def __enter__(self) -> FeatureProgress:
        self.bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bars.stop()

    def __call__(self, event: Event) -> None:
        """Show what happened."""
        now = time.monotonic()
        begun = self.began.setdefault(event.video, now)
        if event.kind == "frames":
            self._under_way(event, now - begun)
        elif event.kind == "remade":
            self._say(f"{event.video}: made again ({event.message})")
        else:
            self._finished(event, now - begun)

    def _under_way(self, event: Event, seconds: float) -> None:
        speed = event.frames / seconds if seconds else 0.0
        if self.console.is_terminal:
            if event.video not in self.tasks:
                self.tasks[event.video] = self.bars.add_task(event.video.name, total=None, speed="")
            self.bars.update(
                self.tasks[event.video], completed=event.frames, total=event.expected, speed=f"{speed:.0f} frames/s"
            )
        elif seconds - self.told.get(event.video, 0.0) >= EVERY:
            self.told[event.video] = seconds
            left = ""
            if event.expected and speed:
                left = f" of {event.expected:,}, about {max(0, event.expected - event.frames) / speed:.0f} s left"
            self._say(f"{event.video}: {event.frames:,} frames{left}, {speed:.0f} frames/s")

    def _finished(self, event: Event, seconds: float) -> None:
        self.done += 1
        if event.video in self.tasks:
            self.bars.remove_task(self.tasks.pop(event.video))
        count = f"[{self.done}/{self.videos}]"
        if event.kind == "failed":
            self.failed += 1
            self._say(f"{count} error: {_with_place(event)}")
            return
        if self.quiet:
            return
        what = {"made": f"in {seconds:.1f} s", "cached": "from the cache", "kept": "was there"}[event.kind]
        self._say(f"{count} {event.video}: {event.frames:,} frames {what}{event.message}")

    def _say(self, line: str) -> None:
        if self.console.is_terminal:
            self.bars.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=sys.stderr, flush=True)


def _with_place(event: Event) -> str:
    return event.message if str(event.video) in event.message else f"{event.video}: {event.message}"
