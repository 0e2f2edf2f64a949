"""Frames at a steady rate from pictures at any times: which picture is on screen at time i / fps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

# A picture that starts this little after a time counts: the clocks of containers are rounded, often to 1 ms.
ROUNDING = Fraction(1, 1000)


class ShownPicture(NamedTuple):
    """A picture that stays on screen for some frames. pts: when it is due, in ticks."""

    picture: Any
    pts: int
    frames: int


@dataclass
class Sampler:
    """Takes pictures in order of time and returns how many frames each is shown for; keeps one picture.

    Frame i shows the last picture that starts at or before first_pts * time_base + i / fps, or the first good picture
    if there is none. fps: frames per second. time_base: seconds per tick. gaps: (first frame, end frame, reason) of
    frames whose own picture was lost. first_pts: when time begins; None for the first event, a loss or a picture.
    """

    fps: Fraction
    time_base: Fraction
    gaps: list[tuple[int, int, str]] = field(default_factory=list)
    first_pts: int | None = None
    end_pts: int = 0  # of the last event
    _shown: tuple[Any, int] | None = None
    _lost: tuple[int, str] | None = None  # since when, and why, the picture on screen is not the right one
    _next: int = 0

    @property
    def shows(self) -> bool:
        """Whether there is a picture."""
        return self._shown is not None

    def seconds(self, pts: int) -> Fraction:
        """Seconds from frame 0 to a time in ticks."""
        return (pts - (pts if self.first_pts is None else self.first_pts)) * self.time_base

    def lose(self, pts: int, end_pts: int, reason: str) -> None:
        """The right picture is missing from `pts` on, until `show` brings the next."""
        self._note(pts, end_pts)
        if self._lost is None or pts < self._lost[0]:
            self._lost = (pts, self._lost[1] if self._lost else reason)

    def mark(self, pts: int, reason: str) -> None:
        """Something is wrong at a time, but no picture is missing: a gap of no frames."""
        frame = self._frames_before(self.seconds(pts) - ROUNDING)
        self.gaps.append((frame, frame, reason))

    def show(self, picture: Any, pts: int, end_pts: int) -> list[ShownPicture]:
        """A picture comes on screen; return the frames before it, which are known now."""
        self._note(pts, end_pts)
        if self._shown is None:
            self._shown = (picture, self.first_pts if self.first_pts is not None else pts)
        shown = self._until(self._frames_before(self.seconds(pts) - ROUNDING))
        self._shown, self._lost = (picture, pts), None
        return shown

    def finish(self, seconds: Fraction, reason: str = "") -> list[ShownPicture]:
        """The remaining frames, up to `seconds` after frame 0; those after the last picture are lost."""
        if seconds > self.seconds(self.end_pts):
            self.lose(self.end_pts, self.end_pts, reason)
        frames = max(1, self._frames_before(seconds - min(self.time_base, ROUNDING)))
        shown = self._until(frames)
        if self._lost and not (self.gaps and self.gaps[-1][1] == frames):
            self.gaps.append((frames, frames, self._lost[1]))  # too short for a frame, but reported
        return shown

    def _note(self, pts: int, end_pts: int) -> None:
        if self.first_pts is None:
            self.first_pts = self.end_pts = pts
        if not self.shows:  # losses come in decoding order
            self.first_pts = min(self.first_pts, pts)
        self.end_pts = max(self.end_pts, end_pts)

    def _frames_before(self, seconds: Fraction) -> int:
        """The number of i >= 0 with i / fps < seconds."""
        return max(0, math.ceil(seconds * self.fps))

    def _until(self, frame: int) -> list[ShownPicture]:
        start = self._next
        if self._shown is None or frame <= start:
            return []
        if self._lost:
            first = max(start, self._frames_before(self.seconds(self._lost[0]) - ROUNDING))
            if first < frame:
                self.gaps.append((first, frame, self._lost[1]))
        self._next = frame
        return [ShownPicture(*self._shown, frame - start)]
