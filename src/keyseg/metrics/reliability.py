"""Whether confidences can be trusted: which segments are right, and how far confidences are from their share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keyseg.metrics.overlay import IdLabels, overlay_pair
from keyseg.metrics.segmental_f1 import segment_hits
from keyseg.timeline import DataError, FloatArray

BoolArray = npt.NDArray[np.bool_]
_BINS = 10
_LEAST = 1e-6  # probability of what happened, for a finite logarithm


@dataclass(frozen=True, slots=True)
class ConfidenceBin:
    """The segments whose confidence is in one tenth, from `low` to `low` + 0.1. confidence: their mean. right: the
    share of them that is right."""

    low: float
    segments: int
    confidence: float
    right: float


def right_segments(reference: IdLabels, prediction: IdLabels) -> BoolArray:
    """(P,) which predicted segments are right: the true positives of F1@50, background included.

    An annotated segment of the same class overlaps a right one with an IoU of at least 50 %; each annotated segment
    makes at most one right. Neighbours of one class are one segment.

    >>> right_segments(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 2]))
    array([ True, False, False])
    """
    return np.asarray(segment_hits(overlay_pair(reference, prediction), (0.5,))[0], np.bool_)


def reliability(confidence: FloatArray, right: BoolArray) -> list[ConfidenceBin]:
    """Segments by their confidence, in tenths; those without a segment are left out. Raises DataError on a confidence
    outside 0..1, and where there are not as many as outcomes.

    >>> reliability(np.array([0.91, 0.97, 0.3]), np.array([True, False, False]))[1]
    ConfidenceBin(low=0.9, segments=2, confidence=0.94, right=0.5)
    """
    if confidence.shape != right.shape:
        raise DataError(f"expected one outcome per confidence, got {len(confidence)} and {len(right)}")
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise DataError("a confidence is a probability, from 0 to 1")
    index = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    return [
        ConfidenceBin(
            float(number / _BINS),
            int((index == number).sum()),
            float(confidence[index == number].mean()),
            float(right[index == number].mean()),
        )
        for number in np.unique(index)
    ]


def pooled_reliability(tables: Iterable[Sequence[ConfidenceBin]]) -> list[ConfidenceBin]:
    """The segments of several tables in one."""
    by_low: dict[float, list[ConfidenceBin]] = defaultdict(list)
    for table in tables:
        for item in table:
            by_low[item.low].append(item)
    pooled = []
    for low, items in sorted(by_low.items()):
        count = sum(item.segments for item in items)
        confidence, right = (
            sum(item.segments * getattr(item, name) for item in items) / count for name in ("confidence", "right")
        )
        pooled.append(ConfidenceBin(low, count, confidence, right))
    return pooled


def calibration_error(table: Sequence[ConfidenceBin]) -> float:
    """Expected calibration error in percent (Naeini et al. 2015; Guo et al. 2017): how far the confidence of a tenth is
    from its share of right segments, averaged over segments; 0 without segments.

    >>> calibration_error([ConfidenceBin(0.9, 3, 0.95, 0.75), ConfidenceBin(0.1, 1, 0.1, 0.5)])
    25.0
    """
    total = sum(item.segments for item in table)
    far = sum(item.segments * abs(item.confidence - item.right) for item in table)
    return round(100 * far / total, 10) if total else 0.0


def log_loss(confidence: FloatArray, right: BoolArray) -> float:
    """Mean negative log of the probability of what happened, in nats; 0 without segments."""
    if not len(confidence):
        return 0.0
    happened = np.where(right, confidence, 1 - confidence)
    return float(-np.log(np.clip(happened, _LEAST, 1)).mean())
