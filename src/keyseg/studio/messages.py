"""What the page and the server say to each other: requests and answers of the HTTP API, in the names of its JSON."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from keyseg.studio.rows import SavedRow
from keyseg.studio.segments import Label, Splice, TimedSegment

Person = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=4000)]  # a constraint also refuses half a letter
ClassColour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]


class Request(BaseModel):
    """The body of a request: unknown keys are an error, since they would be misspelt ones."""

    model_config = ConfigDict(extra="forbid")


class EditRequest(Request):
    """One splice against the revision that its author saw."""

    revision: int = Field(ge=0)
    splice: Splice
    action: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    author: Person = ""


class CopyRequest(Request):
    """Begin a correction as the copy of another row. revision: of the correction, 0 if there is none."""

    source: Text = Field(alias="from")
    revision: int = Field(ge=0)
    author: Person = ""


class CheckedRequest(Request):
    """A person has checked the correction, or takes that back."""

    checked: bool
    author: Person = ""


class ClassRequest(Request):
    """A new class."""

    name: Label
    colour: ClassColour


class ClassChange(Request):
    """Another name, which all rows get, or another colour."""

    name: Label | None = None
    colour: ClassColour | None = None
    author: Person = ""


class BundleRequest(Request):
    """A bundle to add. path: of its folder on this machine."""

    path: Text


class JobRequest(BaseModel):
    """Work for the worker process. videos: ids, or null for all; further keys belong to the kind."""

    model_config = ConfigDict(extra="allow")

    kind: Literal["predict", "retrain", "propose", "proxy"]
    videos: list[Text] | None = None
    bundle: Text | None = None


class Health(BaseModel):
    """That the server runs."""

    status: Literal["ok"] = "ok"
    version: str


class ClassOfLibrary(BaseModel):
    """A class and its colour as #rrggbb."""

    name: str
    colour: str


class BundleOfLibrary(BaseModel):
    """A bundle of the folder. active: whether it predicts. added: seconds since 1970."""

    name: str
    active: bool
    added: float
    details: dict[str, Any]


class VideoFacts(BaseModel):
    """A video of the folder. name: its path below the folder. fps: exact, such as 30000/1001. priority: 1 is next.
    error: why it cannot be read."""

    id: str
    name: str
    seconds: float
    fps: str
    frames: int
    state: Literal["unlabelled", "predicted", "corrected", "checked"]
    confidence: float | None
    priority: int | None
    missing: bool
    playable: bool
    proxy: Literal["none", "making", "ready"]
    error: str


class VideoOfLibrary(VideoFacts):
    """A video with the names of its timelines."""

    rows: list[str]


class Library(BaseModel):
    """All that the page shows before a video is opened."""

    folder: str
    version: str
    classes: list[ClassOfLibrary]
    videos: list[VideoOfLibrary]
    bundles: list[BundleOfLibrary]
    formats: list[str]
    authors: list[str]


class TimelineRow(BaseModel):
    """A timeline as it is now."""

    revision: int
    segments: tuple[TimedSegment, ...]
    details: dict[str, Any]

    @classmethod
    def of(cls, row: SavedRow) -> TimelineRow:
        """A saved row."""
        return cls(revision=row.revision, segments=row.segments, details=row.details)


class VideoWithRows(VideoFacts):
    """A video with its timelines by name."""

    rows: dict[str, TimelineRow]


class Revision(BaseModel):
    """The revision that an edit made."""

    revision: int


class PastEdit(BaseModel):
    """An edit of the history. time: seconds since 1970."""

    revision: int
    action: str
    author: str
    time: float
    splice: Splice


class Waveform(BaseModel):
    """Loudness over the length of the sound: peaks of equal parts, 0 to 255."""

    seconds: float
    peaks: list[int]


class NextVideo(BaseModel):
    """A video to label next, and why."""

    id: str
    priority: int
    why: str


class JobState(BaseModel):
    """Work that is waiting, running or over. videos: as asked for. done: 0 to 1. curve: of training."""

    model_config = ConfigDict(extra="allow")

    id: str
    kind: str
    videos: list[str] | None
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    done: float
    message: str
    result: dict[str, Any]


class Imported(BaseModel):
    """What an import made: the row of each video, by id, and what could not be imported, with reasons."""

    rows: dict[str, TimelineRow]
    failures: list[ErrorAnswer]


class ErrorAnswer(BaseModel):
    """An error: what, where, what to do."""

    error: str


class ConflictAnswer(ErrorAnswer):
    """Somebody else saved the row in the meantime: who, and how it is now."""

    author: str
    row: TimelineRow
