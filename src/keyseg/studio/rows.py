"""Timelines of a video by name, what was saved of them, and the videos themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from keyseg.studio.segments import TimedSegment
from keyseg.timeline import KeysegError

CORRECTION = "correction"
REFERENCE = "reference"
PROPOSAL = "proposal"
PREDICTION = "prediction:"  # before the name of a bundle
CHECKED = "checked"  # the row of edits that mark a video, or take the mark back


class Conflict(KeysegError):
    """Somebody else saved the row in the meantime. row: as it is now; author: who saved it."""

    def __init__(self, row: SavedRow, author: str) -> None:
        super().__init__(f"{author or 'somebody'} has saved this timeline in the meantime (revision {row.revision})")
        self.row = row
        self.author = author


@dataclass(frozen=True)
class SavedRow:
    """One timeline of a video. revision: 0 for one that is not there yet. details: of a prediction."""

    video: str
    name: str
    revision: int = 0
    segments: tuple[TimedSegment, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Saved:
    """What was saved: a row of a video by its name, its new revision, and who did it."""

    video: str
    name: str
    revision: int
    author: str


@dataclass(frozen=True)
class Video:
    """A video of the folder. file: where it is. error: why it cannot be read; there are no frames then."""

    id: str
    path: str
    file: Path
    frames: int
    fps: Fraction
    playable: bool
    missing: bool
    checked: bool
    held_out: bool
    error: str
