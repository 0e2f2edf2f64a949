"""The result of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Any

from keyseg.metrics.segmental_f1 import SegmentCounts
from keyseg.timeline import DataError


@dataclass(frozen=True, slots=True)
class VideoScores:
    """Scores of one video in percent; f1 by overlap (0.1, 0.25, 0.5)."""

    acc: float
    edit: float
    f1: Mapping[float, float]
    frames: int


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Scores of one class, pooled over the videos: segment counts by overlap, frame precision and recall in percent.

    frame_precision is 0 for a class never predicted, frame_recall 0 for one never annotated. support: annotated frames.
    ignored: the class is left out of edit and F1 as background; its counts are reported nevertheless.
    """

    segments: Mapping[float, SegmentCounts]
    frame_precision: float
    frame_recall: float
    support: int
    ignored: bool

    @property
    def f1(self) -> dict[float, float]:
        """Segmental F1 of this class by overlap, in percent."""
        return {overlap: counts.f1 for overlap, counts in self.segments.items()}


@dataclass(frozen=True, slots=True)
class Report:
    """Scores of a set of videos in percent, and how they were computed.

    f1, segments: by overlap (0.1, 0.25, 0.5); segments are pooled over videos under every protocol, without the ignored
    classes. background: as given, without the classes that the protocol adds. per_class: by name or id. intervals: by
    score ("acc", "edit", "f1@10", ...) the 2.5 and 97.5 percentiles over resampled videos; empty unless requested.

    >>> from keyseg.metrics import evaluate
    >>> evaluate({"tea": ["take"] * 4 + ["pour"] * 6}, {"tea": ["take"] * 5 + ["pour"] * 5})
    Report(F1@10/25/50 100.0/100.0/100.0, Edit 100.0, Acc 90.0; 1 videos, protocol ms-tcn)
    """

    acc: float
    edit: float
    f1: Mapping[float, float]
    videos: int
    frames: int
    protocol: str
    background: tuple[str | int, ...]
    segments: Mapping[float, SegmentCounts]
    per_class: Mapping[str | int, ClassScores] = field(default_factory=dict)
    per_video: Mapping[str, VideoScores] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __repr__(self) -> str:
        overlaps = "/".join(str(round(100 * overlap)) for overlap in self.f1)
        f1 = "/".join(f"{score:.1f}" for score in self.f1.values())
        scores = f"F1@{overlaps} {f1}, Edit {self.edit:.1f}, Acc {self.acc:.1f}"
        return f"Report({scores}; {self.videos} videos, protocol {self.protocol})"

    def to_json(self, *, details: bool = False) -> dict[str, Any]:
        """The scores as plain values; with `details`, also those per class and per video, and the intervals."""
        summary = _scores(self.acc, self.edit, self.f1)
        summary |= {"videos": self.videos, "frames": self.frames}
        summary |= {"protocol": self.protocol, "background": list(self.background)}
        if details:
            summary["per_class"] = {str(label): _class_json(scores) for label, scores in self.per_class.items()}
            summary["per_video"] = {
                video: _scores(scores.acc, scores.edit, scores.f1) | {"frames": scores.frames}
                for video, scores in self.per_video.items()
            }
            summary["intervals"] = {score: list(limits) for score, limits in self.intervals.items()}
        return summary


def mean_reports(reports: Sequence[Report]) -> Report:
    """Mean scores over splits; videos, frames and segment counts are summed, details are dropped.

    Raises DataError if there are no reports, or if they differ in protocol or background.
    """
    if not reports:
        raise DataError("no reports to average: give the report of at least one split")
    ways = sorted({f"{report.protocol!r} with background {report.background}" for report in reports})
    if len(ways) > 1:
        raise DataError(f"reports to average must share protocol and background, got {' and '.join(ways)}")
    overlaps = list(reports[0].f1)
    return Report(
        acc=fmean(report.acc for report in reports),
        edit=fmean(report.edit for report in reports),
        f1={overlap: fmean(report.f1[overlap] for report in reports) for overlap in overlaps},
        videos=sum(report.videos for report in reports),
        frames=sum(report.frames for report in reports),
        protocol=reports[0].protocol,
        background=reports[0].background,
        segments={
            overlap: sum((report.segments[overlap] for report in reports), SegmentCounts(0, 0, 0))
            for overlap in overlaps
        },
    )


def f1_key(overlap: float) -> str:
    """Key of F1 at an overlap in a report: `f1@10` for 0.1."""
    return f"f1@{round(100 * overlap)}"


def _scores(acc: float, edit: float, f1: Mapping[float, float]) -> dict[str, Any]:
    return {"acc": acc, "edit": edit} | {f1_key(overlap): score for overlap, score in f1.items()}


def _class_json(scores: ClassScores) -> dict[str, Any]:
    facts = asdict(scores)
    segments = facts.pop("segments")
    return {f1_key(overlap): counts | {"f1": scores.f1[overlap]} for overlap, counts in segments.items()} | facts
