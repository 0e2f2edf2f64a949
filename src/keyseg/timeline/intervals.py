"""Annotation in seconds: what most tools write, with names, gaps and overlaps, before it becomes a segmentation."""

from __future__ import annotations

import unicodedata
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from heapq import heappop, heappush
from itertools import pairwise
from typing import Literal, TypeVar

from keyseg.timeline.errors import TimelineError
from keyseg.timeline.labels import LabelMap
from keyseg.timeline.segmentation import Segment, Segmentation
from keyseg.timeline.timebase import TimeBase

Overlap = Literal["error", "first", "last", "score"]
Time = TypeVar("Time", int, Fraction)


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """One action from `start_seconds` (included) to `end_seconds` (excluded), both exact; the label is free text,
    kept in Unicode's form NFC: letters with accents have one spelling.

    score: how sure a detector is, the more the higher; None if the file does not say it. It does not count in
    comparisons.

    >>> print(Interval(Fraction(1, 2), Fraction(2), "take cup"))
    'take cup' from 0.5 s to 2 s
    """

    start_seconds: Fraction
    end_seconds: Fraction
    label: str
    score: float | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "start_seconds", Fraction(self.start_seconds))
        object.__setattr__(self, "end_seconds", Fraction(self.end_seconds))
        object.__setattr__(self, "label", unicodedata.normalize("NFC", self.label))
        if self.start_seconds < 0 or self.end_seconds <= self.start_seconds:
            raise TimelineError(f"an interval needs 0 <= start < end, got {self}")
        if not self.label.strip():
            raise TimelineError(f"an interval needs a label, got {self.label!r} at {_time(self.start_seconds)}")

    def __repr__(self) -> str:
        score = "" if self.score is None else f", score {self.score:.2f}"
        return f"Interval({self}{score})"

    def __str__(self) -> str:
        return f"{self.label!r} from {_time(self.start_seconds)} to {_time(self.end_seconds)}"


@dataclass(frozen=True)
class Annotation:
    """The intervals of one video, sorted by start; they may leave gaps and may overlap. Names are in the form NFC.

    duration_seconds: length of the video, None if unknown. fps: frames per second of the video, None if unknown.
    background: labels that are not actions; gaps get the first one. media: path or address of the video as a file names
    it. track: whose timeline of the video this is (a subject, a tier), where it has several. classes: all classes of
    the data set in the order of their ids, where a file names them; they do not count in comparisons.

    >>> tea = Annotation("tea", (Interval(1, 3, "pour"),), duration_seconds=Fraction(4), background=("idle",))
    >>> tea
    Annotation('tea': 1 interval, 4 s)
    >>> tea.segmentation(LabelMap(("idle", "pour"), ("idle",)), fps=Fraction(2)).to_frames()
    array([0, 0, 1, 1, 1, 1, 0, 0])
    """

    video: str
    intervals: tuple[Interval, ...]
    duration_seconds: Fraction | None = None
    fps: Fraction | None = None
    background: tuple[str, ...] = ()
    media: str = ""
    track: str = ""
    classes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "intervals", tuple(sorted(self.intervals)))
        object.__setattr__(self, "video", unicodedata.normalize("NFC", self.video))
        object.__setattr__(self, "track", unicodedata.normalize("NFC", self.track))
        object.__setattr__(self, "background", tuple(unicodedata.normalize("NFC", name) for name in self.background))

    def __repr__(self) -> str:
        end = f", {_time(self.duration_seconds)}" if self.duration_seconds is not None else ""
        rate = f" at {float(self.fps):g} fps" if self.fps is not None else ""
        count = "1 interval" if len(self.intervals) == 1 else f"{len(self.intervals)} intervals"
        return f"Annotation({self.name!r}: {count}{end}{rate})"

    @property
    def name(self) -> str:
        """Name of the timeline: the video's, and the track's where there is one.

        >>> Annotation("day1", (), track="female").name
        'day1.female'
        """
        return f"{self.video}.{self.track}" if self.track else self.video

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that occur, sorted."""
        return tuple(sorted({interval.label for interval in self.intervals}))

    @classmethod
    def of(
        cls,
        video: str,
        segmentation: Segmentation,
        labels: LabelMap,
        timebase: TimeBase,
        *,
        keep_background: bool = False,
    ) -> Annotation:
        """A segmentation in seconds; background segments become gaps, or stay intervals with `keep_background`."""
        at = timebase.start_seconds
        intervals = (Interval(at(s.start_frame), at(s.end_frame), labels.names[s.label]) for s in segmentation)
        whole = cls(video, tuple(intervals), at(segmentation.length), timebase.fps, labels.background)
        return whole if keep_background else whole.actions()

    def actions(self) -> Annotation:
        """The same without background intervals, which become gaps."""
        return replace(self, intervals=tuple(i for i in self.intervals if i.label not in self.background))

    def resolved(self, overlap: Overlap = "error") -> Annotation:
        """The same without overlaps, at exact times; `overlap` is as in `segmentation`. Raises TimelineError."""
        spans = _resolve(self, [(i.start_seconds, i.end_seconds, i) for i in self.intervals], overlap)
        return replace(self, intervals=tuple(Interval(start, end, i.label, i.score) for start, end, i in spans))

    def segmentation(
        self, labels: LabelMap, fps: Fraction, *, frames: int | None = None, overlap: Overlap = "error"
    ) -> Segmentation:
        """The frames of this annotation: edges move to the nearest frame, gaps get the first background class.

        labels: the classes; an interval belongs to the class `class_name(label)`. frames: length of the video; default:
        its duration, or the end of the last interval. overlap: what to do where intervals overlap after rounding.
        `error` names both; `first` gives the frames to the one that starts first; `last` gives them to the one that
        starts last, and what it interrupts continues after it; `score` gives them to the one with the higher score. Of
        two that start together the longer counts as later.

        Raises TimelineError on an overlap, also of intervals without a score under `score`, an unknown label, a gap
        without a background class, an interval too short to keep a frame, and one that ends more than half a frame
        after the video.
        """
        spans, length = self.frame_spans(fps, frames=frames, overlap=overlap)
        segments, reached = [], 0
        for start, end, interval in spans:
            if start > reached:
                segments.append(Segment(reached, start, self._gap(labels, reached, start, fps)))
            try:
                segments.append(Segment(start, end, labels.id(class_name(interval.label))))
            except TimelineError as error:
                raise TimelineError(f"{self.video}: {error}; it is labelled {interval}") from None
            reached = end
        if length > reached:
            segments.append(Segment(reached, length, self._gap(labels, reached, length, fps)))
        return Segmentation.from_segments(segments)

    def frame_spans(
        self, fps: Fraction, *, frames: int | None = None, overlap: Overlap = "error"
    ) -> tuple[list[tuple[int, int, Interval]], int]:
        """Start frame, end frame (excluded) and interval of each span, by start; and the length in frames.

        Rounds, resolves overlaps and raises as `segmentation` does; gaps and labels stay.
        """
        ends = (interval.end_seconds for interval in self.intervals)
        duration = self.duration_seconds if self.duration_seconds is not None else max(ends, default=Fraction(0))
        length = frames if frames is not None else nearest_frame(duration * fps)
        spans = []
        for interval in self.intervals:
            start, end = nearest_frame(interval.start_seconds * fps), nearest_frame(interval.end_seconds * fps)
            if end > length and interval.end_seconds * fps - length <= Fraction(1, 2):
                end = length
            if end > length:
                raise TimelineError(
                    f"{self.video}: {interval} ends after the video, which has {length} frames"
                    f" ({_time(length / fps)} at {fps} frames per second); is the frame rate right?"
                )
            if start >= end:
                raise TimelineError(
                    f"{self.video}: {interval} is too short to keep a frame at {fps} frames per second;"
                    " remove it or choose a higher frame rate"
                )
            spans.append((start, end, interval))
        return _resolve(self, spans, overlap), length

    def _gap(self, labels: LabelMap, start: int, end: int, fps: Fraction) -> int:
        if labels.background:
            return labels.id(labels.background[0])
        raise TimelineError(
            f"{self.video}: nothing is labelled from {_time(start / fps)} to {_time(end / fps)} (frames {start} to"
            f" {end}), and there is no background class to fill the gap; name one"
        )


def class_name(label: str) -> str:
    """A label as a class name, without white space and in the form NFC: `take cup` becomes `take_cup`."""
    return "_".join(unicodedata.normalize("NFC", label).split())


def _time(seconds: Fraction) -> str:
    return f"{float(seconds):.6f}".rstrip("0").rstrip(".") + " s"


def nearest_frame(frames: Fraction) -> int:
    """Half a frame is rounded up, so that intervals that meet still meet."""
    return int((frames + Fraction(1, 2)) // 1)


def _resolve(
    annotation: Annotation, spans: Iterable[tuple[Time, Time, Interval]], overlap: Overlap
) -> list[tuple[Time, Time, Interval]]:
    """Spans that do not overlap, by start; parts of one span that touch are joined."""
    ordered = sorted(spans, key=lambda span: span[:2])
    clash = next(((a, b) for a, b in pairwise(ordered) if b[0] < a[1]), None)
    if clash is None:
        return ordered
    if overlap == "error":
        raise TimelineError(
            f"{annotation.name}: {clash[0][2]} and {clash[1][2]} overlap, and a frame has one label; remove one,"
            " or choose which to keep: first, last, or score"
            + ("" if annotation.track else "; if two subjects do it, give each a timeline with --per-subject")
        )
    edges = sorted({edge for span in ordered for edge in span[:2]})
    ranks = _ranks(annotation.name, ordered, overlap)
    coming, waiting = deque(enumerate(ordered)), list[tuple[float, int]]()  # the rank and the number of open spans
    parts: list[tuple[Time, Time, Interval]] = []
    for start, end in pairwise(edges):
        while coming and coming[0][1][0] <= start:
            number, _ = coming.popleft()
            heappush(waiting, (ranks[number], number))
        while (
            waiting and ordered[waiting[0][1]][1] <= start
        ):  # others that have ended are dropped when it is their turn
            heappop(waiting)
        if not waiting:
            continue
        interval = ordered[waiting[0][1]][2]
        if parts and parts[-1][1] == start and parts[-1][2] is interval:
            parts[-1] = (parts[-1][0], end, interval)
        else:
            parts.append((start, end, interval))
    return parts


def _ranks(video: str, ordered: Sequence[tuple[Time, Time, Interval]], overlap: Overlap) -> list[float]:
    """By span, by start: its rank among those that overlap it. The lowest gets the time; of equal ones the first."""
    if overlap == "first":
        return [0.0] * len(ordered)
    if overlap == "last":
        return [-float(number) for number in range(len(ordered))]
    unscored = next((span[2] for span in ordered if span[2].score is None), None)
    if unscored is not None:
        raise TimelineError(f"{video}: {unscored} has no score; choose which of two to keep: first or last")
    return [-(span[2].score or 0.0) for span in ordered]
