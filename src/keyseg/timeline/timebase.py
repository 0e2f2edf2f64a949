"""Exact time: frames, feature steps and seconds."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from keyseg.timeline.errors import TimelineError
from keyseg.timeline.segmentation import IntArray, Segmentation


@dataclass(frozen=True)
class TimeBase:
    """How annotation frames, feature steps and seconds relate.

    fps: annotation frames per second, exact. sample_rate: annotation frames per feature step. Step i covers frames
    [i * sample_rate, (i + 1) * sample_rate); T frames make ceil(T / sample_rate) steps.

    >>> time = TimeBase(Fraction(30000, 1001), sample_rate=2)
    >>> time.start_seconds(30000), time.steps(7)
    (Fraction(1001, 1), 4)
    """

    fps: Fraction = Fraction(15)
    sample_rate: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "fps", Fraction(self.fps))
        if self.fps <= 0:
            raise TimelineError(f"fps must be positive, got {self.fps}")
        if int(self.sample_rate) != self.sample_rate or self.sample_rate < 1:
            raise TimelineError(f"sample_rate must be a whole number of frames >= 1, got {self.sample_rate}")
        object.__setattr__(self, "sample_rate", int(self.sample_rate))

    def start_seconds(self, frame: int) -> Fraction:
        """Exact time at which a frame starts."""
        return Fraction(frame) / self.fps

    def frame_at(self, seconds: Fraction) -> int:
        """The frame shown at a time: the inverse of `start_seconds`, rounding down."""
        return int(Fraction(seconds) * self.fps // 1)

    def steps(self, frames: int) -> int:
        """Number of feature steps that `frames` annotation frames make."""
        return -(-frames // self.sample_rate)

    def frames_to_steps(self, frames: npt.ArrayLike) -> IntArray:
        """Per-frame values (T, ...) to per-step values (steps, ...): those of the first frame of each step."""
        return np.asarray(frames)[:: self.sample_rate]

    def steps_to_frames(self, steps: npt.ArrayLike, length: int) -> IntArray:
        """Per-step values (steps,) to per-frame values (length,). Raises TimelineError on another number of steps."""
        values = np.asarray(steps)
        self._check_steps(len(values), length)
        return np.repeat(values, self.sample_rate)[:length]

    def segments_to_frames(self, segmentation: Segmentation, length: int) -> Segmentation:
        """Segments of steps as segments of `length` frames, as `steps_to_frames` of their labels but without a list of
        frames. Raises TimelineError on another number of steps."""
        merged = segmentation.merged()
        self._check_steps(merged.length, length)
        return Segmentation(np.minimum(merged.boundaries * self.sample_rate, length), merged.labels)

    def _check_steps(self, steps: int, length: int) -> None:
        if steps != self.steps(length):
            raise TimelineError(
                f"{length} frames at sample_rate {self.sample_rate} make {self.steps(length)} steps, got {steps}"
            )
