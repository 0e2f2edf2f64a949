"""What a file format is: its name, its file names, a reader, a writer, and what it can hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from keyseg.timeline import Annotation, Interval, LabelMap, Overlap


@dataclass(frozen=True)
class ReadSettings:
    """What a file may leave open.

    fps: frames per second. tier: which of several tiers to read. background: labels that are not actions.
    """

    fps: Fraction | None = None
    tier: str | None = None
    background: tuple[str, ...] | None = None


@dataclass(frozen=True)
class WriteSettings:
    """How to make frames where a format needs them; None takes what the annotation says.

    fps: frames per second. frames: length of the video. overlap: as in `Annotation.segmentation`. background: name of
    gaps in annotations that name no background, () to refuse gaps. labels: the classes, None for those that occur.
    """

    fps: Fraction | None = None
    frames: int | None = None
    overlap: Overlap = "error"
    background: tuple[str, ...] = ("background",)
    labels: LabelMap | None = None


def by_video(intervals: Iterable[tuple[str, Interval]], settings: ReadSettings) -> list[Annotation]:
    """One annotation per video, in the order in which the videos' names first occur."""
    videos: dict[str, list[Interval]] = {}
    for video, interval in intervals:
        videos.setdefault(video, []).append(interval)
    return [Annotation(video, tuple(intervals), None, settings.fps) for video, intervals in videos.items()]


@dataclass(frozen=True)
class Format:
    """One file format; its name is its key in FORMATS.

    suffix: end of the file names that keyseg writes, different for each format. looks: whether a text, without byte
    order mark, is of this format; asked where the file's name leaves a choice. also: other suffixes that tools give
    such files. several: a file may hold several videos; otherwise the writer gets one. frames: times are counted in
    frames, so writing needs a rate. tiles: every frame has a label, background included. overlaps: intervals may
    overlap.
    """

    title: str
    suffix: str
    read: Callable[[Path, ReadSettings], list[Annotation]]
    write: Callable[[Sequence[Annotation], WriteSettings], str]
    looks: Callable[[str], object]
    also: tuple[str, ...] = ()
    several: bool = False
    frames: bool = False
    tiles: bool = False
    overlaps: bool = True
