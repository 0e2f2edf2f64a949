"""Rows of start, end and label that may have flaws: all of them listed at once, or cut and dropped with notes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from keyseg.formats.format import ReadSettings
from keyseg.formats.text import LONGEST, point_intervals
from keyseg.timeline import DataError, Interval
from keyseg.timeline.intervals import nearest_frame

_LISTED = 20  # flaws in one error
_NAMED = 5  # segments in one note
_TOO_SHORT = "without a frame after a cut dropped"


@dataclass(frozen=True)
class SegmentRow:
    """What a file says of one segment, right or wrong: `video`, exact seconds, the label, and the place in the file."""

    video: str
    start: Fraction
    end: Fraction
    label: str
    where: str
    score: float | None = None

    def __str__(self) -> str:
        return f"{self.label[:80]!r} from {float(self.start):g} to {float(self.end):g} s of {self.video}"


def checked(
    rows: Iterable[SegmentRow],
    settings: ReadSettings,
    lengths: Mapping[str, Fraction] | None = None,
    rates: Mapping[str, Fraction] | None = None,
) -> dict[str, list[Interval]]:
    """The intervals of each video, in the order in which the videos first occur.

    A segment without a label, before 0, past the end of its video, without a length, or that ends before it starts, is
    a flaw. With `settings.lenient` what is outside the video is cut off and the rest is dropped, with one note per
    kind. Segments without a length are points where `settings.points` says what to do with them.

    lengths: seconds of each video that are known; half a frame more is no flaw. rates: frames per second, where the
    file states them. Raises DataError that lists the flaws with their places, and on a time that no video has.
    """
    lengths, rates = lengths or {}, rates or {}
    videos: dict[str, list[Interval]] = {}
    points: dict[str, list[tuple[Fraction, str, str]]] = {}
    wrong: list[tuple[SegmentRow, str]] = []
    changed: dict[str, list[SegmentRow]] = {}
    for row in rows:
        videos.setdefault(row.video, [])
        far = max(row.start, row.end, key=abs)
        if abs(far) > LONGEST:
            raise DataError(f"{row.where}: expected a time up to {LONGEST} seconds, got {float(far):g}")
        length, fps = lengths.get(row.video), settings.fps or rates.get(row.video)
        inside = row.start >= 0 and (length is None or row.start <= length)
        if row.start == row.end and inside and row.label.strip() and settings.points is not None:
            points.setdefault(row.video, []).append((row.start, row.label, row.where))
            continue
        flaw = _flaw(row, length, fps)
        start, end = row.start, row.end
        if flaw is not None and flaw[1].startswith("cut"):
            start, end = max(start, Fraction(0)), end if length is None else min(end, length)
            flaw = flaw if not fps or nearest_frame(start * fps) < nearest_frame(end * fps) else (flaw[0], _TOO_SHORT)
        if flaw is None or flaw[1].startswith("cut"):
            videos[row.video].append(Interval(start, end, row.label.strip(), row.score))
        if flaw is not None:
            wrong.append((row, flaw[0]))
            changed.setdefault(flaw[1], []).append(row)
    if wrong and not settings.lenient:
        raise DataError(_listed(wrong))
    for what, dropped in changed.items():
        some = "; ".join(map(str, dropped[:_NAMED])) + " ..." * (len(dropped) > _NAMED)
        settings.note(f"{len(dropped)} segment{'s' * (len(dropped) > 1)} {what}: {some}")
    if settings.points == "drop":
        point_intervals([point for several in points.values() for point in several], settings)
    else:
        for video, several in points.items():
            videos[video] += point_intervals(several, settings, rates.get(video), lengths.get(video))
    return videos


def _flaw(row: SegmentRow, length: Fraction | None, fps: Fraction | None) -> tuple[str, str] | None:
    """What is wrong with a segment, and what `lenient` does about it; None if nothing is."""
    start, end = f"{float(row.start):g} s", f"{float(row.end):g} s"
    if not row.label.strip():
        return f"expected a label for {start} to {end}", "without a label dropped"
    label = repr(row.label[:80])
    if row.start > row.end:
        return f"{label} ends at {end}, before it starts at {start}", "with the end before the start dropped"
    if row.start == row.end:
        return f"{label} is a point at {start}; give it a length, or see --points", "of length 0 dropped"
    if row.end <= 0:
        return f"{label} ends at {end}, before the video starts", "before the start of the video dropped"
    if row.start < 0:
        return f"{label} starts at {start}, before the video", "cut at the start of the video"
    if length is None:
        return None
    after = f"after the video, which is {float(length):g} s long"
    if row.start >= length:
        return f"{label} starts at {start}, {after}", "after the end of the video dropped"
    if row.end > length + (1 / (2 * fps) if fps else 0):
        return f"{label} ends at {end}, {after}", "cut at the end of the video"
    return None


def _listed(wrong: list[tuple[SegmentRow, str]]) -> str:
    """One error for all flaws; the first comes with its place in front."""
    lines = [f"{row.where}: {what}" for row, what in wrong[:_LISTED]]
    if len(wrong) == 1:
        return f"{lines[0]}; --lenient cuts or drops it"
    more = [f"and {len(wrong) - _LISTED} more"] if len(wrong) > _LISTED else []
    head = f"{len(wrong)} segments cannot be right; correct them, or cut and drop them with --lenient"
    return "\n  ".join([f"{head}:", *lines, *more])
