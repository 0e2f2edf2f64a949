"""Timelines of the studio as annotations, which any format can hold, and annotations as timelines of the studio."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import PurePosixPath

from pydantic import ValidationError

from keyseg.studio.rows import SavedRow, Video
from keyseg.studio.segments import TimedSegment
from keyseg.timeline import Annotation, DataError, Interval


def segments_of(
    annotation: Annotation, frames: int, fps: Fraction, spelled: Callable[[str], str] = str
) -> list[TimedSegment]:
    """The intervals of an annotation on the grid of a video; background becomes gaps, and gaps stay.

    frames, fps: length of the video and its frames per second. spelled: gives a label as the folder spells it. Raises
    TimelineError where intervals overlap, are shorter than a frame or end after the video, DataError on a label that
    cannot be a class.

    >>> tea = Annotation("tea", (Interval(1, 3, "pour"),))
    >>> segments_of(tea, 100, Fraction(25))
    [TimedSegment(start_frame=25, end_frame=75, label='pour', confidence=None)]
    """
    spans, _ = annotation.actions().frame_spans(fps, frames=frames)
    return [_segment(annotation, start, end, interval, spelled(interval.label)) for start, end, interval in spans]


def annotation_of(video: Video, row: SavedRow, classes: Sequence[str] = ()) -> Annotation:
    """A timeline of a video as an annotation, in exact seconds. classes: names of all, in their order.

    >>> file = PurePosixPath("tea.mp4")
    >>> video = Video("v", "tea.mp4", file, 100, Fraction(25), True, False, False, False, "")
    >>> annotation_of(video, SavedRow("v", "correction"))
    Annotation('tea': 0 intervals, 4 s at 25 fps)
    """
    intervals = (
        Interval(s.start_frame / video.fps, s.end_frame / video.fps, s.label, s.confidence) for s in row.segments
    )
    name = PurePosixPath(video.path).stem
    length = video.frames / video.fps
    return Annotation(name, tuple(intervals), length, video.fps, media=str(video.file), classes=tuple(classes))


def _segment(annotation: Annotation, start: int, end: int, interval: Interval, label: str) -> TimedSegment:
    score = interval.score if interval.score is not None and 0 <= interval.score <= 1 else None
    try:
        return TimedSegment(start_frame=start, end_frame=end, label=label, confidence=score)
    except ValidationError as error:
        raise DataError(f"{annotation.name}: {interval} cannot be imported: {error.errors()[0]['msg']}") from error
