"""Matching the keypoints of a new video, in order, to the annotation graphs of the training videos."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from scipy.sparse import csr_array, dia_array

from keyseg.timeline import Segmentation, TimelineError

FloatArray = npt.NDArray[np.float64]

_REACH = 6  # nodes by which a match may skip ahead or fall back
_COST = 2.0  # nats for each node skipped, and for each step back
_REPEAT = 1.0  # nats for staying: an over-segmented action is matched to its node more than once
_FLOOR = 0.01  # added to evidence before its logarithm, so that no class is ever ruled out
_LONGEST_RATIO = 2.0  # nats: durations that differ by more than e^2 differ no more
_OPENING = 0.5  # probability that a video begins as an annotation begins, not anywhere in one


class MemoryConfig(BaseModel):
    """How a video is matched to remembered annotations, and how much that counts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: float = Field(2.0, ge=0, allow_inf_nan=False, description="of the matched classes; 0 = no matching")
    jump: float = Field(0.05, ge=0, le=1, description="probability of going on elsewhere in any annotation")
    sharpness: float = Field(2.0, ge=0, allow_inf_nan=False, description="exponent of the evidence for a class")
    duration: float = Field(0.4, ge=0, allow_inf_nan=False, description="nats per factor e between two durations")


@dataclass(frozen=True, eq=False)
class AnnotationMemory:
    """The annotations of the training videos as graphs: a node a segment, with its label and duration, in order.

    segmentations: in steps, without empty ones.
    """

    segmentations: tuple[Segmentation, ...]

    @classmethod
    def of(cls, segmentations: Iterable[Segmentation]) -> AnnotationMemory:
        """Of the annotations that hold anything."""
        return cls(tuple(segmentation for segmentation in segmentations if segmentation.length))

    def __len__(self) -> int:
        """Number of nodes."""
        return sum(len(segmentation) for segmentation in self.segmentations)

    def classes(self, evidence: FloatArray, durations: FloatArray, config: MemoryConfig) -> FloatArray:
        """Class probabilities (I, C) of the I segments of a video: the labels of the nodes that they are matched to.

        evidence: (I, C) non-negative, what speaks for each class, rows of any scale; durations: (I,) in steps.
        The match is soft and keeps the order. A segment goes to the node behind its predecessor's, or skips some,
        stays, falls back (each at a cost), or jumps to any node of any annotation with probability `config.jump`; a
        pair is worth `sharpness` times the log of its class's share over the mean of the video, less what the durations
        differ.
        Posterior by the forward-backward algorithm (Rabiner 1989). Cost is linear in I and in the nodes.
        Without nodes or segments the evidence itself comes back, in shares.
        """
        shares: FloatArray = evidence / np.maximum(evidence.sum(1, keepdims=True), 1e-12)
        if not len(self) or not len(shares):
            return shares
        nodes = np.concatenate([segmentation.labels for segmentation in self.segmentations])
        if nodes.max() >= shares.shape[1]:
            raise TimelineError(f"a remembered annotation has class {nodes.max()}, and there are {shares.shape[1]}")
        match = self._posterior(self._affinity(shares, durations, nodes, config), config.jump)
        labels = np.zeros_like(shares)
        np.add.at(labels.T, nodes, match.T)
        return labels

    def _affinity(
        self, shares: FloatArray, durations: FloatArray, nodes: npt.NDArray[np.int64], config: MemoryConfig
    ) -> FloatArray:
        """Log-likelihood ratio of each segment and node, (I, N)."""
        evidence: FloatArray = np.log((shares + _FLOOR) / (shares.mean(0) + _FLOOR))
        remembered = np.concatenate([np.diff(segmentation.boundaries) for segmentation in self.segmentations])
        ratio: FloatArray = np.abs(np.log(np.maximum(durations, 1))[:, None] - np.log(remembered))
        return config.sharpness * evidence[:, nodes] - config.duration * np.minimum(ratio, _LONGEST_RATIO)

    def _posterior(self, affinity: FloatArray, jump: float) -> FloatArray:
        """Probability of each node given all segments, (I, N); every row sums to 1."""
        likelihood = np.exp(affinity - affinity.max(1, keepdims=True))
        steps, nodes = likelihood.shape
        walk = (1 - jump) * self._transitions()
        before, behind = np.zeros((steps, nodes)), np.ones((steps, nodes))
        arriving = self._first_nodes()
        for i in range(steps):
            before[i] = _scaled(arriving * likelihood[i])
            arriving = walk.T @ before[i] + jump / nodes
        for i in range(steps - 2, -1, -1):
            ahead = behind[i + 1] * likelihood[i + 1]
            behind[i] = _scaled(walk @ ahead + jump * ahead.mean())
        match = before * behind
        total: FloatArray = np.maximum(match.sum(1, keepdims=True), 1e-300)
        return match / total

    def _first_nodes(self) -> FloatArray:
        """Probability of each node for the first segment, (N,)."""
        first = np.concatenate([np.arange(len(segmentation)) == 0 for segmentation in self.segmentations])
        opening: FloatArray = _OPENING * first / first.sum()
        return opening + (1 - _OPENING) / len(first)

    def _transitions(self) -> csr_array:
        """Weight of going from node to node within an annotation, (N, N), at most 1 a row; no way leads out of it."""
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
    """Divided by the sum; even where nothing is left, so that one impossible step does not end the match."""
    total = values.sum()
    return values / total if total > 0 else np.full_like(values, 1 / len(values))
