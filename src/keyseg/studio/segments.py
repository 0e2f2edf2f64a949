"""The timeline that a person edits: segments in frames, with gaps where nothing is labelled, and splices as edits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from keyseg.timeline import TimelineError

Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class TimedSegment(BaseModel):
    """One action, from `start_frame` (included) to `end_frame` (excluded). confidence: of a prediction, from 0 to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start_frame: int = Field(ge=0)
    end_frame: int
    label: Label
    confidence: float | None = Field(default=None, ge=0, le=1)

    @model_validator(mode="after")
    def _ends_later(self) -> TimedSegment:
        if self.end_frame <= self.start_frame:
            raise ValueError(f"a segment ends after its start, got {self.start_frame} to {self.end_frame}")
        return self


class Splice(BaseModel):
    """An edit: the segments `removed`, which begin at index `at`, give way to `inserted`. Every edit is one.

    >>> pour = TimedSegment(start_frame=0, end_frame=9, label="pour")
    >>> Splice(at=0, removed=(), inserted=(pour,)).inverse().removed[0].label
    'pour'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: int = Field(ge=0)
    removed: tuple[TimedSegment, ...]
    inserted: tuple[TimedSegment, ...]

    def inverse(self) -> Splice:
        """The edit that takes this one back."""
        return Splice(at=self.at, removed=self.inserted, inserted=self.removed)

    def applied(self, segments: Sequence[TimedSegment], frames: int) -> list[TimedSegment]:
        """The segments after this edit, of a video of so many frames.

        Raises TimelineError unless `removed` is there and the result is in order, without overlaps, inside the video.
        """
        end = self.at + len(self.removed)
        if tuple(segments[self.at : end]) != self.removed:
            raise TimelineError(f"segments {self.at} to {end} are not those that the edit removes")
        after = [*segments[: self.at], *self.inserted, *segments[end:]]
        first, last = max(self.at - 1, 0), self.at + len(self.inserted) + 1
        check_segments(after[first:last], frames)
        return after


def check_segments(segments: Sequence[TimedSegment], frames: int) -> None:
    """Raise TimelineError unless segments are in order, without overlaps, inside a video of so many frames."""
    position = 0
    for segment in segments:
        if segment.start_frame < position:
            raise TimelineError(f"segment {segment.label!r} starts at frame {segment.start_frame}, before {position}")
        position = segment.end_frame
    if position > frames:
        raise TimelineError(f"the last segment ends at frame {position} of {frames}")
