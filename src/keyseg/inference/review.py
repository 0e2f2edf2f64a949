"""What to check first: the segments of many predictions, the least sure first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from keyseg.formats.tables import table_text
from keyseg.timeline.files import write_text

if TYPE_CHECKING:  # which needs torch
    from keyseg.inference.prediction import Prediction

REVIEW = "review.csv"
_COLUMNS = ("video", "start", "end", "label", "confidence", "second_label")
_NAMED = 5  # videos in one note


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """One segment. start, end: seconds of the video. second_label: the most probable other class, if there is one."""

    video: str
    start: float
    end: float
    label: str
    confidence: float
    second_label: str


def review_rows(video: str, prediction: Prediction) -> list[ReviewRow]:
    """The segments of one video in their order, background included."""
    names, at = prediction.labels.names, prediction.timebase.start_seconds
    facts = zip(prediction.segmentation, prediction.confidence, prediction.second_labels, strict=True)
    return [
        ReviewRow(
            video,
            round(float(at(segment.start_frame)), 3),
            round(float(at(segment.end_frame)), 3),
            names[segment.label],
            sure,
            "" if second is None else names[second],
        )
        for segment, sure, second in facts
    ]


def review_text(rows: Iterable[ReviewRow]) -> str:
    """A table with commas, the least sure segments first; of equally sure ones in the order given."""
    ordered = sorted(rows, key=lambda row: row.confidence)
    cells = (astuple(row) for row in ordered)
    return table_text(_COLUMNS, ([*start, round(sure, 3), second] for *start, sure, second in cells))


def write_review(
    path: Path, rows: Sequence[ReviewRow], left_out: Sequence[str], calibrated: bool, report: Callable[[str], None]
) -> None:
    """Write the table; report its length, the videos that it lacks, and a confidence that is not calibrated."""
    write_text(path, review_text(rows))
    report(f"{path}: {len(rows)} segment{'s' * (len(rows) != 1)}, the least sure first")
    if left_out:
        names = ", ".join(left_out[:_NAMED]) + " ..." * (len(left_out) > _NAMED)
        report(f"warning: {path} leaves out the videos that could not be predicted: {names}")
    if not calibrated:
        report(
            "note: the confidence is the mean probability of the segment's class, which is not calibrated: that takes a"
            " model of one network, whose training had inner folds with enough right and wrong segments to learn from"
        )
