"""Matching the segments of a new video, in order, to the annotation graphs of the training videos."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array, dia_array

from keyseg.timeline import FloatArray, IntArray, Segmentation, TimelineError
from keyseg.timeline.validation import Section

_REACH = 6  # how many nodes a match may skip ahead or fall back
_COST = 2.0  # nats per skipped node, and per step back
_REPEAT = 1.0  # nats for staying: an over-segmented action matches its node more than once
_FLOOR = 0.01  # added to the evidence before taking its logarithm, so that no class is ruled out
_LONGEST_RATIO = 2.0  # log ratio at which the difference of two durations is truncated
_OPENING = 0.5  # probability that a video begins where an annotation begins, instead of anywhere in one


class MemoryConfig(Section):
    """How a video is matched to the remembered annotations, and the weight of the result."""

    weight: float = Field(2.0, ge=0, allow_inf_nan=False, description="of the matched classes; 0 turns matching off")
    jump: float = Field(0.05, ge=0, le=1, description="probability of a jump to any node of any annotation")
    sharpness: float = Field(2.0, ge=0, allow_inf_nan=False, description="exponent of the evidence for a class")
    duration: float = Field(0.4, ge=0, allow_inf_nan=False, description="nats per factor e between two durations")


@dataclass(frozen=True, eq=False)
class AnnotationMemory:
    """The annotations of the training videos as graphs: one node per segment, in order, with its label and duration.

    segmentations: in steps; none is empty.
    """

    segmentations: tuple[Segmentation, ...]

    @classmethod
    def of(cls, segmentations: Iterable[Segmentation]) -> AnnotationMemory:
        """Keep the annotations that are not empty."""
        return cls(tuple(segmentation for segmentation in segmentations if segmentation.length))

    def __len__(self) -> int:
        """Number of nodes."""
        return sum(len(segmentation) for segmentation in self.segmentations)

    def classes(self, evidence: FloatArray, durations: FloatArray, config: MemoryConfig) -> FloatArray:
        """Class probabilities (I, C) of the I segments of a video, from the labels of the nodes that they match.

        evidence: (I, C) non-negative evidence for each class, rows of any scale; durations: (I,) in steps.
        The match is soft and keeps the order. A segment matches the node after that of its predecessor, or skips nodes,
        stays or falls back, each at a cost, or jumps to any node of any annotation with probability `config.jump`. The
        score of a pair is `sharpness` times the log ratio of the share of its class to the mean share in the video,
        minus `duration` times the log ratio of the two durations. The posterior comes from the forward-backward
        algorithm (Rabiner 1989); its cost is linear in I and in the number of nodes.
        Without nodes or segments, returns the evidence as shares.
        """
        shares: FloatArray = evidence / np.maximum(evidence.sum(1, keepdims=True), 1e-12)
        if not len(self) or not len(shares):
            return shares
        nodes = np.concatenate([segmentation.labels for segmentation in self.segmentations])
        if nodes.max() >= shares.shape[1]:
            raise TimelineError(f"the memory refers to class {nodes.max()}, outside 0..{shares.shape[1] - 1}")
        match = self._posterior(self._affinity(shares, durations, nodes, config), config.jump)
        labels: FloatArray = np.zeros_like(shares)
        np.add.at(labels.T, nodes, match.T)
        return labels

    def _affinity(self, shares: FloatArray, durations: FloatArray, nodes: IntArray, config: MemoryConfig) -> FloatArray:
        """Log-likelihood ratio of each pair of segment and node, (I, N)."""
        evidence: FloatArray = np.log((shares + _FLOOR) / (shares.mean(0) + _FLOOR))
        remembered = np.concatenate([np.diff(segmentation.boundaries) for segmentation in self.segmentations])
        ratio: FloatArray = np.abs(np.log(np.maximum(durations, 1))[:, None] - np.log(remembered))
        return config.sharpness * evidence[:, nodes] - config.duration * np.minimum(ratio, _LONGEST_RATIO)

    def _posterior(self, affinity: FloatArray, jump: float) -> FloatArray:
        """Probability of each node given all segments, (I, N); every row sums to 1."""
        likelihood = np.exp(affinity - affinity.max(1, keepdims=True))
        steps, nodes = likelihood.shape
        walk = (1 - jump) * self._transitions()
        before, after = np.zeros((steps, nodes)), np.ones((steps, nodes))
        arriving = self._first_nodes()
        for i in range(steps):
            before[i] = _scaled(arriving * likelihood[i])
            arriving = walk.T @ before[i] + jump / nodes
        for i in range(steps - 2, -1, -1):
            ahead = after[i + 1] * likelihood[i + 1]
            after[i] = _scaled(walk @ ahead + jump * ahead.mean())
        match = before * after
        posterior: FloatArray = match / np.maximum(match.sum(1, keepdims=True), 1e-300)
        return posterior

    def _first_nodes(self) -> FloatArray:
        """Probability of each node for the first segment, (N,)."""
        first = np.concatenate([np.arange(len(segmentation)) == 0 for segmentation in self.segmentations])
        share: FloatArray = _OPENING * first / first.sum() + (1 - _OPENING) / len(first)
        return share

    def _transitions(self) -> csr_array:
        """Transition weights within each annotation, (N, N), at most 1 per row; none leads out of an annotation."""
        offset = np.arange(-_REACH, _REACH + 1)
        cost = np.where(offset > 0, _COST * (offset - 1), np.where(offset < 0, _COST * (1 - offset), _REPEAT))
        weight = np.exp(-cost) / np.exp(-cost).sum()
        lengths = [len(segmentation) for segmentation in self.segmentations]
        owner = np.repeat(np.arange(len(lengths)), lengths)
        total = len(owner)
        band = dia_array((np.repeat(weight[:, None], total, 1), offset), shape=(total, total)).tocoo()
        row, column = band.coords
        inside = owner[row] == owner[column]
        return csr_array((band.data[inside], (row[inside], column[inside])), shape=(total, total))


def _scaled(values: FloatArray) -> FloatArray:
    """Values divided by their sum; uniform if it is 0, so that one impossible step does not end the match."""
    total = values.sum()
    return values / total if total > 0 else np.full_like(values, 1 / len(values))
