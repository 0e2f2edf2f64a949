"""The best segmentation of a video given the order of the annotations: a semi-Markov model over annotation nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from keyseg.matching.annotation_graph import AnnotationGraph
from keyseg.matching.lattice import TERMS, Lattice
from keyseg.timeline import FloatArray, IntArray, Segmentation
from keyseg.timeline.validation import Section

MOVES = (-1, 1, 2, 3)
"""Nodes that a match may go on by within an annotation: back, to the next one, or past one or two."""

_NEVER = -1e9  # log probability of a step that cannot be; finite, so that every video has a path
_BLOCK = 32  # cuts whose segments are scored at once: few enough for the processor's cache


class MatchWeights(Section):
    """What the terms of a segment weigh against the order of the annotations."""

    frames: float = Field(0.06, ge=0, le=1e9)
    mean: float = Field(1.2, ge=0, le=1e9)
    action: float = Field(1.0, ge=0, le=1e9)
    rivals: float = Field(2.0, ge=0, le=1e9)
    duration: float = Field(1.0, ge=0, le=1e9)
    boundary: float = Field(1.0, ge=0, le=1e9)
    cut: float = Field(0.5, ge=-1e9, le=1e9, description="per segment: above 0 favours more of them")
    moves: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field(
        (0.01, 0.75, 0.05, 0.01), min_length=len(MOVES), max_length=len(MOVES), description=f"probabilities of {MOVES}"
    )
    switch: float = Field(0.12, ge=0, le=1, description="probability of going on after the same class elsewhere")
    jump: float = Field(0.06, ge=0, le=1, description="probability of going on at any node")
    opening: float = Field(0.4, ge=0, le=1, description="probability that a video begins where an annotation begins")
    closing: float = Field(0.7, ge=0, le=1, description="probability that it must end where an annotation ends")

    @property
    def terms(self) -> FloatArray:
        """(7,) in the order of `TERMS`."""
        return np.array([getattr(self, term) for term in TERMS])


@dataclass(frozen=True, eq=False)
class Alignment:
    """The segments of a video and the node that each was aligned to.

    cuts: (M + 1,) steps; labels: (M,); annotation, position: (M,) index of the training annotation and of its segment,
    -1 where a segment follows no annotation. Neighbours may have equal labels.
    """

    cuts: IntArray
    labels: IntArray
    annotation: IntArray
    position: IntArray

    @property
    def segmentation(self) -> Segmentation:
        """The segments, equal neighbours joined."""
        return Segmentation.from_frames(np.repeat(self.labels, np.diff(self.cuts)))


def align(lattice: Lattice, weights: MatchWeights) -> Alignment:
    """The best path (Viterbi 1967; semi-Markov: Sarawagi and Cohen 2004) through segments and nodes.

    A segment takes the class of its node. The next segment takes the next node of the annotation, or steps back or
    skips nodes, switches to any node that follows a node of the same class elsewhere, or jumps to any node; each at
    the cost of its log probability. The cost is linear in the cuts and in the nodes.
    """
    graph, last, span = lattice.graph, len(lattice), lattice.span
    if lattice.times[-1] == 0:
        empty = np.zeros(0, np.int64)
        return Alignment(np.zeros(1, np.int64), empty, empty, empty)
    steps = _Steps(graph, weights)
    entered = np.full((last + span, len(graph)), -np.inf)  # row span - 1 + k: best score of starting at cut k
    left = np.empty((last + 1, len(graph)))  # row k: best score of a segment that ends at cut k
    entered[span - 1] = steps.opening
    scores: list[FloatArray] = []
    by_node = np.empty((span, len(graph)))
    for begin in range(1, last + 1, _BLOCK):
        ends = np.arange(begin, min(begin + _BLOCK, last + 1))
        terms, allowed = lattice.terms(ends, span)
        block = np.tensordot(weights.terms, terms, 1)
        for k, row, count in zip(ends.tolist(), block, allowed.sum(1).tolist(), strict=True):
            row = row[span - count :]  # segments that are not too long start at the last cuts
            scores.append(row)
            best = row.take(graph.labels, axis=1, out=by_node[:count], mode="clip")  # else it fills a copy
            best += entered[k - 1 + span - count : k - 1 + span]
            best.max(axis=0, out=left[k])
            if k < last:
                steps.enter(left[k], out=entered[span - 1 + k])
    node, cut = int((left[last] + steps.closing).argmax()), last
    cuts, nodes = [last], [node]
    while True:
        row = scores[cut - 1][:, graph.labels[node]]
        row = row + entered[cut - 1 + span - len(row) : cut - 1 + span, node]
        cut += int(row.argmax()) - len(row)
        cuts.append(cut)
        if cut == 0:
            break
        node = steps.origin(left[cut], node)
        nodes.append(node)
    path = np.array(nodes[::-1])
    return Alignment(lattice.times[cuts[::-1]], graph.labels[path], graph.annotation[path], graph.position[path])


class _Steps:
    """The steps from node to node as log probabilities, for best paths."""

    def __init__(self, graph: AnnotationGraph, weights: MatchWeights) -> None:
        # Row i: the node that lies MOVES[i] before each one, counted around the ends, where it is never a neighbour.
        self.sources = (np.arange(len(graph)) - np.array(MOVES)[:, None]) % len(graph)
        neighbours = np.stack([graph.neighbour(-offset) for offset in MOVES])
        with np.errstate(divide="ignore"):
            self.moves = np.where(neighbours, np.maximum(np.log(weights.moves)[:, None], _NEVER), _NEVER)
            self.switch = np.maximum(graph.log_switch + np.log(weights.switch), _NEVER)
            self.jump = np.maximum(np.log(weights.jump * graph.jump), _NEVER)
            self.opening = np.maximum(np.log(opening(graph, weights.opening)), _NEVER)
            self.closing = np.maximum(np.log(closing(graph, weights.closing)), _NEVER)
        self.previous = graph.previous
        self.order = np.argsort(graph.labels, kind="stable")
        self.first = np.searchsorted(graph.labels[self.order], np.arange(graph.classes))

    def enter(self, left: FloatArray, out: FloatArray) -> None:
        """Write the best score of entering each node, (N,), from the scores (N,) of leaving one."""
        np.add(self.jump, left.max(), out=out)
        by_class = np.maximum.reduceat(left.take(self.order), self.first)
        np.maximum(out, by_class.take(self.previous) + self.switch, out=out)
        moved = left.take(self.sources)
        moved += self.moves
        np.maximum(out, moved.max(axis=0), out=out)

    def origin(self, left: FloatArray, node: int) -> int:
        """The node from which `node` is best entered."""
        candidates: list[int] = self.sources[:, node].tolist()
        scores: list[float] = (left[candidates] + self.moves[:, node]).tolist()
        if self.previous[node] >= 0:
            before = int(self.previous[node])
            same = self.order[self.first[before] : (*self.first, len(left))[before + 1]]
            candidates.append(int(same[left[same].argmax()]))
            scores.append(left[candidates[-1]] + self.switch[node])
        candidates.append(int(left.argmax()))
        scores.append(left[candidates[-1]] + self.jump[node])
        return candidates[int(np.argmax(scores))]


def opening(graph: AnnotationGraph, share: float) -> FloatArray:
    """(N,) probability of each node for the first segment: at the start of an annotation, or anywhere."""
    real = graph.annotation >= 0
    anywhere = np.where(real, 0.9 / real.sum(), 0.1 / graph.classes)
    chance: FloatArray = share * graph.first / graph.first.sum() + (1 - share) * anywhere
    return chance


def closing(graph: AnnotationGraph, share: float) -> FloatArray:
    """(N,) factor of each node for the last segment: 1 at the end of an annotation, 1 - share elsewhere."""
    factor: FloatArray = share * graph.last.astype(np.float64) + (1 - share)
    return factor
