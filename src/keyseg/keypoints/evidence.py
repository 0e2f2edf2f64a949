"""The class of a segment, from the evidence of its keypoints and its frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keyseg.keypoints.points import ActionKeypoints, BoundaryKeypoints
from keyseg.timeline import ConfigError

EvidenceScores = npt.NDArray[np.floating]


@dataclass(frozen=True)
class EvidenceWeights:
    """Weights of the evidence for a class: its highest keypoint, the mean frame score, and the refined class score."""

    peak: float = 1.0
    frames: float = 1.0
    context: float = 0.0


def weigh_evidence(
    actions: ActionKeypoints,
    boundaries: BoundaryKeypoints,
    frame_scores: EvidenceScores,
    context_scores: EvidenceScores | None,
    weights: EvidenceWeights,
) -> ActionKeypoints:
    """Give the action keypoints between two boundaries one class: the one with the largest weighted evidence.

    frame_scores: (C, T) class probabilities per step. context_scores: (K, C) refined class probabilities per action
    keypoint, or None. Each interval that holds keypoints becomes one keypoint, at the most confident point of the
    winning class if there is one, else at the most confident point of all. Its confidence is the evidence of the winner
    divided by the sum of the weights, so it is in [0, 1]. Intervals without a keypoint stay empty. The cost is linear
    in T.
    Raises ConfigError if none of the available evidence has a weight above 0.
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
        raise ConfigError(f"no evidence is left for the class of a segment: {weights}; set peak or frames above 0")
    label = evidence.argmax(1)
    agrees = actions.label == label[group]
    order = np.lexsort((-actions.confidence, ~agrees, group))
    best = order[np.flatnonzero(np.diff(group[order], prepend=-1))]
    return ActionKeypoints(actions.time[best], label, evidence[np.arange(len(used)), label] / total)


def interval_means(scores: EvidenceScores, start: npt.NDArray[np.int64], end: npt.NDArray[np.int64]) -> EvidenceScores:
    """Mean of scores (C, T) over steps [start_i, end_i) -> (I, C); an empty interval takes its nearest step."""
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
