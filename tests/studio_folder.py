"""A studio's folder for tests: videos in its table without files, and segments in a short form."""

from __future__ import annotations

from keyseg.studio.rows import Saved
from keyseg.studio.segments import Splice, TimedSegment
from keyseg.studio.store import Store


def add_video(store: Store, video: str = "tea", *, frames: int = 1000, fps: str = "25", path: str | None = None) -> str:
    """Put a video in the table; its id."""
    with store.transaction() as connection:
        connection.execute(
            "INSERT INTO videos(id, path, digest, size, modified, frames, fps, playable)"
            " VALUES (?, ?, ?, 0, 0, ?, ?, 1)",
            (video, path or f"{video}.mp4", video, frames, fps),
        )
    return video


def segment(start: int, end: int, label: str = "pour", confidence: float | None = None) -> TimedSegment:
    return TimedSegment(start_frame=start, end_frame=end, label=label, confidence=confidence)


def insert(store: Store, at: int, *segments: TimedSegment, video: str = "tea", author: str = "Ada") -> Saved:
    """Save an insertion into the correction as it is now."""
    revision = store.row(video, "correction").revision
    splice = Splice(at=at, removed=(), inserted=segments)
    return store.edit(video, "correction", revision, splice, author=author, action="insert")
