"""What a file format is: its name, its file names, a reader, a writer, and what it can hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from keyseg.timeline import Annotation, LabelMap, Overlap


@dataclass(frozen=True)
class Reading:
    """What a file may not say itself. fps: frames a second; tier: which of several tiers; background: its labels."""

    fps: Fraction | None = None
    tier: str | None = None
    background: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Writing:
    """How to make frames where a format needs them.

    fps: frames a second, None for the annotation's own. frames: length, None for the annotation's own. background: what
    a gap is called where the annotation does not say it, () to refuse gaps. labels: the classes, None for those that
    occur.
    """

    fps: Fraction | None = None
    frames: int | None = None
    overlap: Overlap = "error"
    background: tuple[str, ...] = ("background",)
    labels: LabelMap | None = None


Read = Callable[[Path, Reading], list[Annotation]]
Write = Callable[[Sequence[Annotation], Writing], str]


@dataclass(frozen=True)
class Format:
    """One file format; its name is its key in FORMATS.

    suffix: end of the file names that keyseg writes, different for each format. looks: whether a text is of this
    format, asked where the file's name leaves a choice. several: a file may hold several videos; a writer of another
    format is given one. frames: it knows frames, so writing needs a rate. tiles: every frame has a label, also
    background. overlaps: intervals may overlap.
    """

    title: str
    suffix: str
    read: Read
    write: Write
    looks: Callable[[str], bool]
    several: bool = False
    frames: bool = False
    tiles: bool = False
    overlaps: bool = True
