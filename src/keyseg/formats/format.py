"""What a file format is: its name, its file names, a reader, a writer, and what it can hold."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from keyseg.timeline import Annotation, Interval, LabelMap, Overlap


@dataclass(frozen=True, kw_only=True)
class AnnotationOptions:
    """What to do where files of annotations leave a choice.

    Args:
        tier: Which of several tiers of ELAN or Praat, tracks of OpenTimelineIO or of an edit list, subjects of BORIS,
            attributes of VIA, animals of V-TRACE, channels of Bento, streams of Caltech, or tables of NWB. Named
            several times: the first of them that a file has.
        per_subject: One timeline per subject, tier, attribute, animal, channel or stream (BORIS, ELAN, Praat, VIA,
            V-TRACE, Bento, Caltech) instead of one per video.
        encoding: Encoding of text files, such as utf-16 or cp1252. Default: UTF-8, or what a byte order mark says.
        points: What becomes of events without a length: drop leaves them out, with a note; a number gives them so many
            frames. Default: they are an error.
        start_timecode: Timecode of the first frame, HH:MM:SS:FF, of edit lists that do not start at 0.
        lenient: Cut and drop what cannot be right, such as segments without a length or past the end of the video, and
            note it. Default: all of it is an error.

    >>> AnnotationOptions(tier=("actions",)).tier
    ('actions',)
    """

    tier: tuple[str, ...] = ()
    per_subject: bool = False
    encoding: str | None = None
    points: Literal["drop"] | int | None = None
    start_timecode: str | None = None
    lenient: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.tier, str):  # a name alone would be read as its letters
            object.__setattr__(self, "tier", (self.tier,))


AS_IT_IS = AnnotationOptions()
"""Read a file as it is: a choice that it leaves is an error."""


@dataclass(frozen=True, kw_only=True)
class ReadSettings(AnnotationOptions):
    """The options, and what the program knows of a file.

    fps: frames per second, for a file that does not say it. background: labels that are not actions. videos: names of
    the videos that are there, () if unknown, for files that link several or another. note: called with what is left out
    or changed.
    """

    fps: Fraction | None = None
    background: tuple[str, ...] | None = None
    videos: tuple[str, ...] = ()
    note: Callable[[str], None] = lambda text: None


@dataclass(frozen=True)
class WriteSettings:
    """How to make frames where a format needs them; None takes what the annotation says.

    fps: frames per second. frames: length of the video. overlap: as in `Annotation.segmentation`. background: name of
    gaps in annotations that name no background, () to refuse gaps. labels: the classes, None for those that occur.
    tier: name of the tier or track that is written. folder: where the file will lie, for relative paths in it.
    predicted: whether a network made the annotation, for tools that keep predictions apart. spaces: whether tables keep
    white space in labels, which no class has.
    """

    fps: Fraction | None = None
    frames: int | None = None
    overlap: Overlap = "error"
    background: tuple[str, ...] = ("background",)
    labels: LabelMap | None = None
    tier: str = "actions"
    folder: Path | None = None
    predicted: bool = False
    spaces: bool = False


def by_video(videos: Mapping[str, Sequence[Interval]], settings: ReadSettings) -> list[Annotation]:
    """One annotation per video; the forms of Unicode do not distinguish names."""
    merged: dict[str, list[Interval]] = {}
    for video, intervals in videos.items():
        merged.setdefault(unicodedata.normalize("NFC", video), []).extend(intervals)
    return [Annotation(video, tuple(intervals), None, settings.fps) for video, intervals in merged.items()]


@dataclass(frozen=True)
class Format:
    """One file format; its name is its key in FORMATS.

    suffix: end of the file names that keyseg writes, different for each format. write: returns the content of a file,
    text or bytes. looks: whether a text, without byte order mark, is of this format; asked where the file's name leaves
    a choice. also: other suffixes that tools give such files. several: a file may hold several videos; otherwise the
    writer gets one. frames: times are counted in frames, so writing needs a rate. tiles: every frame has a label,
    background included. overlaps: intervals may overlap. tracks: several timelines of one video keep their tracks;
    elsewhere the track becomes part of the name.
    """

    title: str
    suffix: str
    read: Callable[[Path, ReadSettings], list[Annotation]]
    write: Callable[[Sequence[Annotation], WriteSettings], str | bytes]
    looks: Callable[[str], object]
    also: tuple[str, ...] = ()
    several: bool = False
    frames: bool = False
    tiles: bool = False
    overlaps: bool = True
    tracks: bool = False
