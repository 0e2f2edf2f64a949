"""The report page of one video: its timelines below each other, and a picture of each action."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from keyseg.data.layout import BACKGROUND
from keyseg.studio.exchange import annotation_of
from keyseg.studio.rows import CORRECTION, REFERENCE, SavedRow, Video
from keyseg.timeline import DataError, LabelMap, Segmentation, TimeBase
from keyseg.timeline.intervals import class_name
from keyseg.video.reading import read_key_frames
from keyseg.viz.page import VideoTimeline, write_report
from keyseg.viz.page_player import key_frame_times

SANDBOX = "sandbox allow-scripts; "
"""Before the page's own policy: its script runs apart from the studio's page and its cookie."""


def report_page(video: Video, rows: Sequence[SavedRow], file: Path, folder: Path) -> bytes:
    """The page, which loads nothing. folder: for a file while it is written. Raises DataError without a timeline."""
    if not rows:
        raise DataError(f"{video.path}: there is no timeline to report; label it, or predict it")
    ordered = sorted(rows, key=lambda row: (row.name != CORRECTION, row.name != REFERENCE, row.name))
    names = sorted({class_name(segment.label) for row in rows for segment in row.segments} - {BACKGROUND})
    labels = LabelMap((BACKGROUND, *names), (BACKGROUND,))
    shown = tuple((row.name, _segmentation(video, row, labels)) for row in ordered)
    timebase = TimeBase(video.fps)
    pictures = read_key_frames(file, key_frame_times(shown[0][1], timebase))
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as place:
        path = write_report(
            Path(place) / "report.html",
            title=video.path,
            introduction=f"{video.frames} frames at {float(video.fps):g} per second.",
            scores={},
            videos=[VideoTimeline(video.path, shown, key_frames=tuple(pictures))],
            labels=labels,
            timebase=timebase,
        )
        return path.read_bytes()


def _segmentation(video: Video, row: SavedRow, labels: LabelMap) -> Segmentation:
    return annotation_of(video, row).segmentation(labels, video.fps, frames=video.frames)
