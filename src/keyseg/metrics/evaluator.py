"""Score predictions of many videos against their annotations."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Mapping
from functools import partial

import numpy as np

from keyseg.metrics.edit import edit_similarity
from keyseg.metrics.frame_labels import FrameLabels, align_videos
from keyseg.metrics.percent import percent
from keyseg.metrics.protocols import ScoringProtocol, find_protocol
from keyseg.metrics.report import ClassScores, Report, VideoScores, f1_key
from keyseg.metrics.segmental_f1 import OVERLAPS, SegmentCounts
from keyseg.metrics.tally import Tally, tally_pairs
from keyseg.timeline import ConfigError, FloatArray, IntArray

_SCORES = ("acc", "edit", *map(f1_key, OVERLAPS))


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
    rules = find_protocol(protocol)
    if bootstrap < 0:
        raise ConfigError(f"bootstrap must be a number of resamplings >= 0, got {bootstrap}")
    background = (background,) if isinstance(background, str | int) else tuple(background)
    by_name, classes = align_videos(reference, prediction)
    ignored = _ignored(classes, background, protocol, rules)
    pairs = list(by_name.values())
    edit = np.array([edit_similarity(pair, ignored) for pair in pairs])
    by_video, by_class = tally_pairs(pairs, len(classes), ignored, last_frame_short=rules.last_frame_short)
    together = partial(by_video.averaged if rules.per_video else by_video.pooled, edit)
    rows = zip(by_name, by_video.each(edit).tolist(), by_video.annotated_frames.tolist(), strict=True)
    acc, edit_mean, *f1 = together(np.ones(len(pairs), np.int64)).tolist()
    return Report(
        acc=acc,
        edit=edit_mean,
        f1=dict(zip(OVERLAPS, f1, strict=True)),
        videos=len(pairs),
        frames=int(by_video.annotated_frames.sum()),
        protocol=protocol,
        background=background,
        segments=_counts(by_video.tp.sum(axis=0), by_video.predicted.sum(), by_video.annotated.sum()),
        per_class=_per_class(by_class, classes, ignored),
        per_video={
            video: VideoScores(acc, edit, dict(zip(OVERLAPS, f1, strict=True)), frames)
            for video, (acc, edit, *f1), frames in rows
        },
        intervals=_intervals(together, len(pairs), bootstrap, seed) if bootstrap else {},
    )


def _ignored(
    classes: tuple[str | int, ...], background: tuple[str | int, ...], protocol: str, rules: ScoringProtocol
) -> IntArray:
    """Ids of the classes left out of edit and F1."""
    if rules.ignored and not all(isinstance(label, str) for label in classes):
        raise ConfigError(
            f"protocol {protocol!r} ignores {', '.join(rules.ignored)} by name, but the labels are ids: score names"
            " (LabelMap.decode), or use 'ms-tcn' with the ids of these classes in background"
        )
    ignored = {unicodedata.normalize("NFC", name) if isinstance(name, str) else name for name in background}
    ignored |= set(rules.ignored)
    return np.flatnonzero([label in ignored for label in classes])


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


def _intervals(
    together: Callable[[IntArray], FloatArray], videos: int, resamplings: int, seed: int
) -> dict[str, tuple[float, float]]:
    """2.5 and 97.5 percentiles of each score over sets of videos drawn with replacement."""
    random = np.random.default_rng(seed)
    equal = np.full(videos, 1 / videos)
    scores = np.stack([together(random.multinomial(videos, equal)) for _ in range(resamplings)])
    low, high = np.percentile(scores, [2.5, 97.5], axis=0).tolist()
    return dict(zip(_SCORES, zip(low, high, strict=True), strict=True))
