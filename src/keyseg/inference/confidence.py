"""How sure a prediction is of each segment.

The confidence of a predicted segment is the probability that it is right: that an annotated segment of its class
overlaps it with an IoU of at least 50 %, so that it counts as a true positive of F1@50 (`keyseg.metrics.reliability`).
A training learns it on its inner folds (`keyseg.training.calibration`); without them it is the mean probability of the
class over the segment, which is not calibrated.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, PositiveInt

from keyseg.timeline import FloatArray, Segmentation
from keyseg.timeline.validation import Section

_SURE = 1e-3  # probabilities count from this to 1 minus this, so that a single segment decides nothing
_EDGE = 8  # steps on each side of an edge over which the frame scores are averaged, at most

FACTS = ("mean", "length", "edges")
"""What is known about a segment; the more of each, the surer. See `segment_facts`."""


class Calibration(Section):
    """A logistic model: the log odds that a segment is right, from its facts.

    intercept: log odds where all facts are 0. mean, length, edges: weights of the facts, never negative. segments: the
    number that it was learnt from.

    >>> calibration = Calibration(intercept=-1.0, mean=0.5, length=0.4, edges=1.5, segments=310)
    >>> calibration.confidence(np.array([[0.0, 2.0, 0.1], [3.0, 4.0, 0.8]])).round(2)
    array([0.49, 0.96])
    """

    intercept: float = Field(ge=-1e9, le=1e9)
    mean: float = Field(ge=0, le=1e9)
    length: float = Field(ge=0, le=1e9)
    edges: float = Field(ge=0, le=1e9)
    segments: PositiveInt

    def confidence(self, facts: FloatArray) -> FloatArray:
        """(P,) probabilities that segments are right, from their facts (P, 3)."""
        weights = np.array([self.mean, self.length, self.edges])
        return np.asarray(torch.from_numpy(self.intercept + facts @ weights).sigmoid().numpy(), np.float64)


def segment_confidence(
    scores: npt.NDArray[np.floating],
    segmentation: Segmentation,
    sample_rate: int = 1,
    calibration: Calibration | None = None,
) -> FloatArray:
    """(P,) confidence of the segments of a video; without a calibration the mean probability, not calibrated.

    scores: (C, T) class probabilities per feature step. segmentation: in frames, `sample_rate` of them per step.

    >>> scores = np.array([[0.9, 0.7, 0.2, 0.4], [0.1, 0.3, 0.8, 0.6]])
    >>> segment_confidence(scores, Segmentation([0, 2, 4], [0, 1])).round(2)
    array([0.8, 0.7])
    """
    if calibration is None:
        return _Steps(scores, segmentation, sample_rate).mean(segmentation.labels)
    return calibration.confidence(segment_facts(scores, segmentation, sample_rate))


def segment_facts(scores: npt.NDArray[np.floating], segmentation: Segmentation, sample_rate: int = 1) -> FloatArray:
    """(P, 3): log odds of the mean probability of the segment's class, log of its steps, and how sharp its edges are.

    The last is the mean over both edges of how much higher the class is inside than outside, over up to 8 steps on each
    side and at most half of the segment; outside the video it is 0. The arguments are those of `segment_confidence`.
    """
    steps, labels = _Steps(scores, segmentation, sample_rate), segmentation.labels
    start, end = steps.start, steps.end
    width = np.clip((end - start) // 2, 1, _EDGE)
    inside = steps.mean(labels, start, start + width) + steps.mean(labels, end - width, end)
    outside = steps.mean(labels, start - width, start) + steps.mean(labels, end, end + width)
    odds = torch.from_numpy(steps.mean(labels)).logit(_SURE).numpy()
    return np.column_stack((odds, np.log(np.maximum(end - start, 1)), (inside - outside) / 2))


def second_labels(
    scores: npt.NDArray[np.floating], segmentation: Segmentation, sample_rate: int = 1
) -> list[int | None]:
    """The most probable other class of each segment, by the mean over its steps; None where there is one class only."""
    if len(scores) < 2:
        return [None] * len(segmentation)
    steps = _Steps(scores, segmentation, sample_rate)
    means = np.array([steps.mean(np.full(len(segmentation), label)) for label in range(len(scores))])
    means[segmentation.labels, np.arange(len(segmentation))] = -1
    return [int(label) for label in means.argmax(0)]


class _Steps:
    """Means over the steps of segments. start, end: (P,) the first step of each and the one after its last."""

    def __init__(self, scores: npt.NDArray[np.floating], segmentation: Segmentation, sample_rate: int) -> None:
        self._total = np.pad(np.cumsum(scores, axis=1, dtype=np.float64), ((0, 0), (1, 0)))
        self.start = segmentation.boundaries[:-1] // sample_rate
        self.end = -(-segmentation.boundaries[1:] // sample_rate)

    def mean(
        self,
        labels: npt.NDArray[np.integer],
        start: npt.NDArray[np.integer] | None = None,
        end: npt.NDArray[np.integer] | None = None,
    ) -> FloatArray:
        """(P,) mean of one class each from `start` to `end` (excluded), or over the segment; 0 where no step is."""
        first, last = (
            np.clip(at, 0, self._total.shape[1] - 1)
            for at in (self.start if start is None else start, self.end if end is None else end)
        )
        return np.asarray((self._total[labels, last] - self._total[labels, first]) / np.maximum(last - first, 1))
