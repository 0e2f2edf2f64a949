"""The timeline that a person edits: segments in frames, with gaps where nothing is labelled, and splices as edits."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from keyseg.timeline import TimelineError


def _one_line(label: str) -> str:
    """A label in the form NFC, so that letters with accents have one spelling."""
    if any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in label):
        raise ValueError(f"a label is one line without control characters, got {label!r}")
    return unicodedata.normalize("NFC", label)


Label = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_one_line)
]


class TimedSegment(BaseModel):
    """One action, from `start_frame` (included) to `end_frame` (excluded). confidence: of a prediction, from 0 to 1.

    >>> TimedSegment(start_frame=0, end_frame=9, label="pour").model_dump(exclude_none=True)
    {'start_frame': 0, 'end_frame': 9, 'label': 'pour'}
    """

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

    at: int = Field(ge=0, le=2**53)
    removed: tuple[TimedSegment, ...]
    inserted: tuple[TimedSegment, ...]

    @classmethod
    def between(cls, before: Sequence[TimedSegment], after: Sequence[TimedSegment]) -> Splice:
        """The smallest edit that makes `after` of `before`.

        >>> one, two = (TimedSegment(start_frame=at, end_frame=at + 9, label="pour") for at in (0, 9))
        >>> Splice.between([one, two], [one]) == Splice(at=1, removed=(two,), inserted=())
        True
        """
        shorter = min(len(before), len(after))
        same = next((i for i in range(shorter) if before[i] != after[i]), shorter)
        most = shorter - same
        tail = next((i for i in range(most) if before[-1 - i] != after[-1 - i]), most)
        return cls(
            at=same,
            removed=tuple(before[same : len(before) - tail]),
            inserted=tuple(after[same : len(after) - tail]),
        )

    def inverse(self) -> Splice:
        """The edit that takes this one back."""
        return Splice(at=self.at, removed=self.inserted, inserted=self.removed)

    def applied(self, segments: Sequence[TimedSegment], frames: int, first: int = 0) -> list[TimedSegment]:
        """The segments after this edit, of a video of so many frames.

        first: index of the first of `segments`, where they are a part of the timeline: the neighbours of the edit are
        enough. Raises TimelineError unless `removed` is there and the result is in order, without overlaps, inside the
        video.
        """
        at = self.at - first
        end = at + len(self.removed)
        if end > len(segments) or tuple(segments[at:end]) != self.removed:
            raise TimelineError(f"the timeline does not have the segments that the edit removes at index {self.at}")
        after = [*segments[:at], *self.inserted, *segments[end:]]
        check_segments(after[max(at - 1, 0) : at + len(self.inserted) + 1], frames)
        return after


def check_segments(segments: Sequence[TimedSegment], frames: int) -> None:
    """Raise TimelineError unless segments are in order, without overlaps, inside a video of so many frames.

    >>> check_segments([TimedSegment(start_frame=0, end_frame=9, label="pour")], frames=8)
    Traceback (most recent call last):
    keyseg.timeline.errors.TimelineError: segment 'pour' ends at frame 9, but the video has 8 frames
    """
    position = 0
    for segment in segments:
        if segment.start_frame < position:
            raise TimelineError(
                f"segment {segment.label!r} starts at frame {segment.start_frame}, before the one ahead of it ends"
                f" ({position}); move its start, or shorten the other"
            )
        position = segment.end_frame
    if position > frames:
        raise TimelineError(
            f"segment {segments[-1].label!r} ends at frame {position}, but the video has {frames} frames"
        )
