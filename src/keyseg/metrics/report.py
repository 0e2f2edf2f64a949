"""The result of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
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


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """Scores of a set of videos in percent, and how they were computed.

    f1, segments: by overlap (0.1, 0.25, 0.5); segments are pooled over videos under every protocol, without the ignored
    classes. background: as given, without the classes that the protocol adds. per_class: by name or id. intervals: by
    score ("acc", "edit", "f1@10", ...) the 2.5 and 97.5 percentiles over resampled videos; empty unless requested, and
    with one video.
    trainings: of a run with several, the report of each, by a name such as split1/seed0. A notebook shows a table.

    >>> import keyseg
    >>> keyseg.evaluate({"tea": ["take", "pour"]}, {"tea": ["take", "take"]}).to_json()["acc"]
    50.0
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
    trainings: Mapping[str, Report] = field(default_factory=dict)

    def __repr__(self) -> str:
        f1, overlaps = ("/".join(texts) for texts in zip(*_f1_texts(self.f1), strict=True))
        scores = f"F1@{overlaps} {f1}, Edit {self.edit:.1f}, Acc {self.acc:.1f}"
        of = f"{self.videos} {'video' if self.videos == 1 else 'videos'}, {self.frames} frames"
        return f"Report({scores}; {of}, protocol {self.protocol})"

    def _repr_html_(self) -> str:
        rows = {"mean" if self.trainings else "": self, **self.trainings}
        columns = [f"F1@{overlap}" for _, overlap in _f1_texts(self.f1)]
        head = "".join(f"<th>{name}</th>" for name in ("", *columns, "Edit", "Acc", "videos", "frames"))
        lines = "".join(
            f"<tr><th>{escape(name)}</th>"
            + "".join(f"<td>{value:.1f}</td>" for value in (*row.f1.values(), row.edit, row.acc))
            + f"<td>{row.videos}</td><td>{row.frames}</td></tr>"
            for name, row in rows.items()
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"

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
        if self.trainings:
            summary["trainings"] = {name: one.to_json(details=details) for name, one in self.trainings.items()}
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


def _f1_texts(f1: Mapping[float, float]) -> list[tuple[str, str]]:
    """Each F1 and its overlap in percent, as text."""
    return [(f"{score:.1f}", f"{round(100 * overlap)}") for overlap, score in f1.items()]


def _scores(acc: float, edit: float, f1: Mapping[float, float]) -> dict[str, Any]:
    return {"acc": acc, "edit": edit} | {f1_key(overlap): score for overlap, score in f1.items()}


def _class_json(scores: ClassScores) -> dict[str, Any]:
    facts = asdict(scores)
    segments = facts.pop("segments")
    return {f1_key(overlap): counts | {"f1": scores.f1[overlap]} for overlap, counts in segments.items()} | facts
