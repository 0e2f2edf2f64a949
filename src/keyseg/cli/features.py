"""keyseg features: video files in, feature files with their times out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rich.progress import TaskID, TaskProgressColumn, TimeRemainingColumn

from keyseg.cli.options import FrameRate, FrameRateOrNone, PositiveNumber
from keyseg.cli.progress import ProgressDisplay, plain_column
from keyseg.cli.terminal import say_failed
from keyseg.cli.verb import presents
from keyseg.video.engines import Event
from keyseg.video.make_features import features

_LOG_SECONDS = 15.0  # between two lines about one video, where there is no terminal


@presents(features, videos="Sequence[Path]", track_fps=FrameRateOrNone, fps=FrameRate, workers=PositiveNumber)
def features_verb(**arguments: Any) -> int:
    with FeatureProgress(0) as shown:
        made = features(**arguments, notify=shown)
    return say_failed(made.failed, len(made.written) + len(made.failed), arguments["out"], said_before=True)


class FeatureProgress(ProgressDisplay):
    """One bar per video on a terminal, else a line now and then; both show speed and remaining time.

    quiet: print no line about a video that succeeds, unless it has gaps or notes.
    """

    def __init__(self, videos: int, *, quiet: bool = False) -> None:
        super().__init__(
            TaskProgressColumn(), plain_column("{task.fields[speed]}"), TimeRemainingColumn(), transient=True
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
                self.tasks[video] = self.add(video.name, total=None, speed="")
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
            self.print(f"{count} error: {event.message}")
        elif event.message or not self.quiet:
            # On a cluster it is not known when a video was begun.
            made = f"in {self._seconds(event.video):.1f} s" if event.video in self.started else "extracted"
            how = {"made": made, "cached": "from the cache", "kept": "already extracted"}[event.kind]
            self.print(f"{count} {event.video}: {event.frames:,} frames {how}{event.message}")

    def _seconds(self, video: Path) -> float:
        """Seconds since the first event about a video."""
        now = time.monotonic()
        return now - self.started.setdefault(video, now)
