"""The class of a segment: what its keypoints and its frames say together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keyseg.keypoints.points import ActionKeypoints, BoundaryKeypoints
from keyseg.timeline import ConfigError

EvidenceScores = npt.NDArray[np.floating]
ClassMatcher = Callable[[EvidenceScores, npt.NDArray[np.int64]], EvidenceScores]
"""Shares of the evidence (I, C) and lengths (I,) of a video's intervals in order -> class probabilities (I, C)."""


@dataclass(frozen=True)
class EvidenceWeights:
    """How much each witness counts: the highest keypoint of a class, the mean frame score, the refined class score; and
    against all of them together the classes that matching the whole video gives."""

    peak: float = 1.0
    frames: float = 1.0
    context: float = 0.0
    matched: float = 0.0


def weigh_evidence(
    actions: ActionKeypoints,
    boundaries: BoundaryKeypoints,
    frame_scores: EvidenceScores,
    context_scores: EvidenceScores | None,
    weights: EvidenceWeights,
    match: ClassMatcher | None = None,
) -> ActionKeypoints:
    """Give the action keypoints between two boundaries one class: the one with the largest weighed evidence.

    frame_scores: (C, T) probabilities a step. context_scores: (K, C) class probabilities an action keypoint from the
    refinement, or None. match: tells the classes of the intervals that hold keypoints from all of them in order, or
    None. Each interval that holds keypoints becomes one keypoint: at the most confident point of the winning class if
    there is one, else at the most confident of all; its confidence is the winner's evidence over the sum of the
    weights, so in [0, 1]. Intervals without a keypoint stay empty. Cost is linear in T.
    Raises ConfigError if no witness that is there has any weight.
    """
    if len(actions) == 0:
        return actions
    classes, length = frame_scores.shape
    interval = np.searchsorted(boundaries.time, actions.time, side="right")
    used, group = np.unique(interval, return_inverse=True)
    edges = np.clip(np.rint(np.concatenate(([0], boundaries.time, [length]))), 0, length).astype(np.int64)
    evidence = weights.frames * interval_means(frame_scores, edges[used], edges[used + 1])
    peak = np.zeros((len(used), classes))
    np.maximum.at(peak, (group, actions.label), actions.confidence)
    evidence += weights.peak * peak
    total = weights.frames + weights.peak
    if context_scores is not None and weights.context > 0:
        evidence += weights.context * _mean_by_group(group, context_scores, actions.confidence)
        total += weights.context
    if total <= 0:
        raise ConfigError(
            f"no evidence is left to tell the class of a segment: {weights}; give a witness weight over 0"
        )
    if match is not None and weights.matched > 0:
        shares = evidence / np.maximum(evidence.sum(1, keepdims=True), 1e-12)
        evidence = shares + weights.matched * match(shares, edges[used + 1] - edges[used])
        total = 1 + weights.matched
    label = evidence.argmax(1)
    agrees = actions.label == label[group]
    order = np.lexsort((-actions.confidence, ~agrees, group))
    best = order[np.flatnonzero(np.diff(group[order], prepend=-1))]
    return ActionKeypoints(actions.time[best], label, evidence[np.arange(len(used)), label] / total)


def interval_means(scores: EvidenceScores, start: npt.NDArray[np.int64], end: npt.NDArray[np.int64]) -> EvidenceScores:
    """Mean of scores (C, T) over steps [start_i, end_i) -> (I, C); an interval without a step gets its nearest step."""
    length = scores.shape[1]
    start = np.minimum(start, length - 1)
    end = np.maximum(end, start + 1)
    sums = np.concatenate((np.zeros((scores.shape[0], 1)), np.cumsum(scores, axis=1, dtype=np.float64)), axis=1)
    return ((sums[:, end] - sums[:, start]) / (end - start)).T


def _mean_by_group(group: npt.NDArray[np.int64], scores: EvidenceScores, confidence: EvidenceScores) -> EvidenceScores:
    weight = np.maximum(confidence, 1e-6)[:, None]
    total = np.zeros((group.max() + 1, scores.shape[1]))
    norm = np.zeros((group.max() + 1, 1))
    np.add.at(total, group, scores * weight)
    np.add.at(norm, group, weight)
    return total / norm
