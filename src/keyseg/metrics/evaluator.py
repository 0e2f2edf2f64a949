"""Score predictions of many videos against their annotations."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from keyseg.metrics.frame_labels import FrameLabels
from keyseg.metrics.percent import percent
from keyseg.metrics.report import ClassScores, Report, VideoScores
from keyseg.metrics.resampling import confidence_interval, mean_score, resampled
from keyseg.metrics.scoring import SCORE_KEYS, ScoredVideos, score_videos
from keyseg.metrics.segmental_f1 import OVERLAPS, SegmentCounts
from keyseg.metrics.tally import Tally
from keyseg.timeline import ConfigError, IntArray


def evaluate_labels(
    reference: Mapping[str, FrameLabels],
    prediction: Mapping[str, FrameLabels],
    *,
    background: Collection[str | int] = ("background",),
    protocol: str = "ms-tcn",
    bootstrap: int = 0,
    seed: int = 0,
) -> Report:
    """Frame accuracy, edit score and F1 at IoU 0.10, 0.25, 0.50 of predicted videos, in percent.

    reference, prediction: video name -> labels, both class names or both class ids. Neighbouring segments of one class
    are merged first. background: classes left out of edit and F1, as names or ids like the labels; classes that do not
    occur have no effect. protocol: a key of PROTOCOLS. bootstrap: number of resamplings of the videos for 95 %
    intervals, drawn with `seed`.

    Every score is defined: if there is nothing to score (no frames, no segments on either side) it is 100; if only one
    side has segments, edit and F1 are 0.

    Raises DataError naming every video that is missing, extra or of another length, and for labels that cannot be read
    or compared; ConfigError for an unknown protocol, bootstrap < 0, and ids if a protocol ignores classes by name.

    >>> reference = {"tea": ["take"] * 4 + ["pour"] * 6}
    >>> prediction = {"tea": ["take"] * 5 + ["pour"] * 5}
    >>> report = evaluate_labels(reference, prediction)
    >>> report.acc, report.edit, report.f1[0.5]
    (90.0, 100.0, 100.0)
    """
    if bootstrap < 0:
        raise ConfigError(f"bootstrap must be a number of resamplings >= 0, got {bootstrap}")
    scored = score_videos(reference, prediction, background, protocol)
    by_video = scored.by_video
    rows = zip(scored.pairs, by_video.each(scored.edit).tolist(), by_video.annotated_frames.tolist(), strict=True)
    acc, edit, *f1 = mean_score([scored]).tolist()
    return Report(
        acc=acc,
        edit=edit,
        f1=dict(zip(OVERLAPS, f1, strict=True)),
        videos=len(scored.pairs),
        frames=int(by_video.annotated_frames.sum()),
        protocol=protocol,
        background=scored.background,
        segments=_counts(by_video.tp.sum(axis=0), by_video.predicted.sum(), by_video.annotated.sum()),
        per_class=_per_class(scored.by_class, scored.classes, scored.ignored),
        per_video={
            video: VideoScores(acc, edit, dict(zip(OVERLAPS, f1, strict=True)), frames)
            for video, (acc, edit, *f1), frames in rows
        },
        intervals=_intervals(scored, bootstrap, seed) if bootstrap and len(scored.pairs) > 1 else {},
    )


def _counts(tp: IntArray, predicted: int, annotated: int) -> dict[float, SegmentCounts]:
    """Counts by overlap; tp: (3,)."""
    return {
        overlap: SegmentCounts(hits, int(predicted) - hits, int(annotated) - hits)
        for overlap, hits in zip(OVERLAPS, tp.tolist(), strict=True)
    }


def _per_class(tally: Tally, classes: tuple[str | int, ...], ignored: IntArray) -> dict[str | int, ClassScores]:
    # A class that occurs on only one side has no correct frame, so maximum(..., 1) turns 0 / 0 into 0.
    precision = percent(tally.correct, np.maximum(tally.predicted_frames, 1))
    recall = percent(tally.correct, np.maximum(tally.annotated_frames, 1))
    return {
        classes[i]: ClassScores(
            segments=_counts(tally.tp[i], tally.predicted[i], tally.annotated[i]),
            frame_precision=float(precision[i]),
            frame_recall=float(recall[i]),
            support=int(tally.annotated_frames[i]),
            ignored=i in ignored,
        )
        for i in sorted(range(len(classes)), key=lambda i: classes[i])
    }


def _intervals(scored: ScoredVideos, resamplings: int, seed: int) -> dict[str, tuple[float, float]]:
    """2.5 and 97.5 percentiles of each score over sets of videos drawn with replacement."""
    low, high = confidence_interval(resampled([[scored]], resamplings, seed)[0]).tolist()
    return dict(zip(SCORE_KEYS, zip(low, high, strict=True), strict=True))
