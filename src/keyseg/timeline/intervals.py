"""Annotation in seconds: what most tools write, with names, gaps and overlaps, before it becomes a segmentation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Literal

import numpy as np

from keyseg.timeline.errors import TimelineError
from keyseg.timeline.labels import LabelMap
from keyseg.timeline.segmentation import Segmentation
from keyseg.timeline.timebase import TimeBase

Overlap = Literal["error", "first", "last"]


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """One action from `start_seconds` (included) to `end_seconds` (excluded), both exact; `label` as its tool shows it."""

    start_seconds: Fraction
    end_seconds: Fraction
    label: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "start_seconds", Fraction(self.start_seconds))
        object.__setattr__(self, "end_seconds", Fraction(self.end_seconds))
        if self.start_seconds < 0 or self.end_seconds <= self.start_seconds:
            raise TimelineError(f"an interval needs 0 <= start < end, got {self}")
        if not self.label.strip():
            raise TimelineError(f"an interval needs a label, got {self.label!r} at {float(self.start_seconds):g} s")

    def __str__(self) -> str:
        return f"{self.label!r} from {float(self.start_seconds):g} s to {float(self.end_seconds):g} s"


@dataclass(frozen=True)
class Annotation:
    """The intervals of one video, by start; they may leave gaps and may overlap.

    duration_seconds: length of the video, None where the file does not say it. fps: frames a second that the times are
    whole multiples of, None where the file knows no frames.
    """

    video: str
    intervals: tuple[Interval, ...]
    duration_seconds: Fraction | None = None
    fps: Fraction | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "intervals", tuple(sorted(self.intervals)))

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that occur, sorted."""
        return tuple(sorted({interval.label for interval in self.intervals}))

    @classmethod
    def of(cls, video: str, segmentation: Segmentation, labels: LabelMap, timebase: TimeBase) -> Annotation:
        """A segmentation in seconds; background segments become gaps."""
        return cls(
            video,
            tuple(
                Interval(
                    timebase.start_seconds(segment.start_frame),
                    timebase.start_seconds(segment.end_frame),
                    labels.names[segment.label],
                )
                for segment in segmentation
                if segment.label not in labels.background_ids
            ),
            timebase.start_seconds(segmentation.length),
            timebase.fps,
        )

    def segmentation(
        self, labels: LabelMap, fps: Fraction, *, frames: int | None = None, overlap: Overlap = "error"
    ) -> Segmentation:
        """The frames of this annotation: edges go to the nearest frame, gaps to the first background class.

        frames: length; None takes the duration, or else the last end. labels: its classes, by `class_name` of the labels
        here. overlap: `error` names both intervals; `first` lets the earlier one end before the other starts is not
        needed: it keeps what was there, `last` lets the later one paint over. Raises TimelineError on an overlap, on an
        unknown label, on a gap without a background class, and where an interval ends after the video.
        """
        raise NotImplementedError


def class_name(label: str) -> str:
    """A label as a class of the field's files, which know no blanks: `take cup` becomes `take_cup`."""
    return "_".join(label.split())
