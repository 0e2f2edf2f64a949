"""What the errors of predictions look like: confused classes, lengths of segments, misplaced starts and ends."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from keyseg.metrics.frame_labels import FrameLabels
from keyseg.metrics.overlay import Overlay
from keyseg.metrics.percent import percent
from keyseg.metrics.report import f1_key
from keyseg.metrics.scoring import ScoredVideos, score_videos
from keyseg.metrics.segmental_f1 import SegmentCounts, segment_matches
from keyseg.timeline import FloatArray, IntArray, Segmentation

OVERLAP = 0.5
"""The IoU from which on a predicted segment is a true positive whose start and end are measured."""


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """Counts over all videos, for C classes in order of name, those that edit and F1 leave out last.

    classes: names or ids. ignored: (C,) left out of edit and F1. confusion: (C, C) frames, annotated in rows and
    predicted in columns. annotated_lengths, predicted_lengths: for each class the lengths of its segments in frames,
    sorted. hits: (C,) true positives at IoU 50 %. start_errors, end_errors: frames from the annotated to the predicted
    start or end of each true positive, sorted; negative is early. They leave out the ignored classes, and annotations
    at the start or the end of a video, which are no boundaries. fps: None if unknown; lengths then count frames.
    """

    classes: tuple[str | int, ...]
    ignored: tuple[bool, ...]
    confusion: IntArray
    annotated_lengths: tuple[IntArray, ...]
    predicted_lengths: tuple[IntArray, ...]
    hits: IntArray
    start_errors: IntArray
    end_errors: IntArray
    videos: int
    protocol: str
    background: tuple[str | int, ...]
    fps: Fraction | None = None

    def __repr__(self) -> str:
        return f"Analysis({len(self.classes)} classes, {self.videos} videos, {self.confusion.sum():,} frames)"

    @property
    def unit(self) -> str:
        """What `in_units` returns: "s", or "frames" without a frame rate."""
        return "frames" if self.fps is None else "s"

    def in_units(self, frames: FloatArray | IntArray | float) -> FloatArray:
        """Numbers of frames in seconds, or as they are without a frame rate."""
        return np.asarray(frames, np.float64) / float(self.fps or 1)

    def per_class(self) -> dict[str, dict[str, float | int | bool | None]]:
        """By class: segments annotated and predicted, F1@50, frame precision and recall in percent, mean lengths.

        A mean length is None, and so are precision and recall, if there is no such segment or frame; F1@50 is None for
        a class that edit and F1 leave out.
        """
        return {str(self.classes[i]): self._class(i) for i in range(len(self.classes))}

    def _class(self, i: int) -> dict[str, float | int | bool | None]:
        annotated, predicted = self.annotated_lengths[i], self.predicted_lengths[i]
        hits, right = int(self.hits[i]), int(self.confusion[i, i])
        counts = SegmentCounts(hits, len(predicted) - hits, len(annotated) - hits)
        return {
            "annotated": len(annotated),
            "predicted": len(predicted),
            f1_key(OVERLAP): None if self.ignored[i] else counts.f1,
            "precision": _share(right, int(self.confusion[:, i].sum())),
            "recall": _share(right, int(self.confusion[i].sum())),
            "mean_annotated": self._mean(annotated),
            "mean_predicted": self._mean(predicted),
            "ignored": self.ignored[i],
        }

    def _mean(self, lengths: IntArray) -> float | None:
        return float(self.in_units(lengths.mean())) if len(lengths) else None

    def lengths(self) -> tuple[IntArray, IntArray]:
        """Lengths in frames of all annotated, and of all predicted segments, without the classes left out of F1."""
        annotated, predicted = (
            np.concatenate(
                [np.zeros(0, np.int64), *(one for one, out in zip(side, self.ignored, strict=True) if not out)]
            )
            for side in (self.annotated_lengths, self.predicted_lengths)
        )
        return annotated, predicted

    def to_json(self) -> dict[str, Any]:
        """The counts as plain values, from which tables and pictures can be made again; lengths are in frames."""
        names = [str(name) for name in self.classes]
        return {
            "videos": self.videos,
            "fps": None if self.fps is None else str(self.fps),
            "protocol": self.protocol,
            "background": list(self.background),
            "per_class": self.per_class(),
            "confusion": {"classes": names, "frames": self.confusion.tolist()},
            "segment_lengths": {
                name: {"annotated": _counted(annotated), "predicted": _counted(predicted)}
                for name, annotated, predicted in zip(
                    names, self.annotated_lengths, self.predicted_lengths, strict=True
                )
            },
            "boundary_errors": {"start": _counted(self.start_errors), "end": _counted(self.end_errors)},
        }


def analyse(
    reference: Mapping[str, FrameLabels],
    prediction: Mapping[str, FrameLabels],
    *,
    background: Collection[str | int] = ("background",),
    protocol: str = "ms-tcn",
    fps: Fraction | None = None,
) -> Analysis:
    """Confused classes, lengths of segments, and errors of their starts and ends. Errors are those of `evaluate`.

    Counts are pooled over the videos under every protocol. fps: frames per second, to give lengths in seconds.

    >>> result = analyse({"tea": ["take"] * 4 + ["pour"] * 6}, {"tea": ["take"] * 5 + ["pour"] * 5}, fps=Fraction(10))
    >>> result.classes, result.confusion.tolist()
    (('pour', 'take'), [[5, 1], [0, 4]])
    >>> result.in_units(result.start_errors), result.per_class()["take"]["mean_predicted"]
    (array([0.1]), 0.5)
    """
    scored = score_videos(reference, prediction, background, protocol)
    ids = range(len(scored.classes))
    order = sorted(ids, key=lambda i: (i in scored.ignored, scored.classes[i]))
    pairs = list(scored.pairs.values())
    annotated, predicted = ([_lengths(side, i) for i in order] for side in _sides(pairs))
    errors = [_boundary_errors(pair, scored) for pair in pairs]
    start_errors, end_errors = (np.sort(np.concatenate(side)) for side in zip(*errors, strict=True))
    return Analysis(
        classes=tuple(scored.classes[i] for i in order),
        ignored=tuple(i in scored.ignored for i in order),
        confusion=_confusion(pairs, len(ids))[np.ix_(order, order)],
        annotated_lengths=tuple(annotated),
        predicted_lengths=tuple(predicted),
        hits=scored.by_class.tp[order, -1],
        start_errors=start_errors,
        end_errors=end_errors,
        videos=len(pairs),
        protocol=protocol,
        background=scored.background,
        fps=fps,
    )


def _confusion(pairs: Iterable[Overlay], classes: int) -> IntArray:
    """(C, C) frames, annotated class in rows."""
    counts = np.zeros((classes, classes), np.int64)
    for pair in pairs:
        rows, columns = pair.reference.labels[pair.reference_index], pair.prediction.labels[pair.prediction_index]
        np.add.at(counts, (rows, columns), pair.frames)
    return counts


def _sides(pairs: Iterable[Overlay]) -> tuple[tuple[IntArray, IntArray], tuple[IntArray, IntArray]]:
    """Labels and lengths of all annotated, and of all predicted segments."""
    annotated, predicted = zip(*((pair.reference, pair.prediction) for pair in pairs), strict=True)
    return _joined(annotated), _joined(predicted)


def _joined(segmentations: Iterable[Segmentation]) -> tuple[IntArray, IntArray]:
    parts = [(one.labels, np.diff(one.boundaries)) for one in segmentations]
    labels, lengths = (np.concatenate(side) for side in zip(*parts, strict=True))
    return labels, lengths


def _lengths(side: tuple[IntArray, IntArray], label: int) -> IntArray:
    labels, lengths = side
    return np.sort(lengths[labels == label])


def _boundary_errors(pair: Overlay, scored: ScoredVideos) -> tuple[IntArray, IntArray]:
    """Start and end errors of the true positives of a video, without those of annotations at the video's edge."""
    (matches,) = segment_matches(pair, (OVERLAP,), last_frame_short=scored.rules.last_frame_short)
    annotated, predicted = matches[:, ~np.isin(pair.reference.labels[matches[0]], scored.ignored)]
    difference = [
        pair.prediction.boundaries[predicted + side] - pair.reference.boundaries[annotated + side] for side in (0, 1)
    ]
    return difference[0][annotated > 0], difference[1][annotated < len(pair.reference) - 1]


def _share(part: int, whole: int) -> float | None:
    return float(percent(part, whole)) if whole else None


def _counted(frames: IntArray) -> dict[str, int]:
    """How often each number of frames occurs, in order."""
    values, counts = np.unique(frames, return_counts=True)
    return dict(zip(map(str, values.tolist()), counts.tolist(), strict=True))
