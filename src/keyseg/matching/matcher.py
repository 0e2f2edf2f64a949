"""The matcher, used only in training: turns two temporal graphs into a soft assignment."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from keyseg.matching.affinity import edge_affinity, node_affinity
from keyseg.matching.graph import TemporalGraph, temporal_edges
from keyseg.matching.quadratic import quadratic_scores
from keyseg.matching.sinkhorn import SMALLEST_TEMPERATURE, log_sinkhorn
from keyseg.timeline import ConfigError, nearest

MatchingMethod = Literal["linear", "quadratic"]
_FIRST_DUSTBIN = 0.25  # a pair is then worth matching at a cosine above about 0.5: see log_sinkhorn


class GraphMatcher(nn.Module):
    """Soft assignment of source keypoints to target keypoints (supplement, section A.1).

    `linear` normalises the node affinities; `quadratic` first adds the support of neighbouring pairs. The only
    parameter is the score of the dustbin.

    >>> time, kind = torch.tensor([[4.0, 9.0, 12.0]]), torch.tensor([[0, 1, 0]])
    >>> graph = TemporalGraph(torch.eye(3)[None], time, kind, torch.ones(1, 3, dtype=torch.bool))
    >>> GraphMatcher()(graph, graph).exp().argmax(2)
    tensor([[0, 1, 2]])
    """

    def __init__(
        self,
        matching: MatchingMethod = "linear",
        *,
        neighbours: int = 4,
        temperature: float = 0.1,
        iterations: int = 50,
    ) -> None:
        super().__init__()
        if matching not in get_args(MatchingMethod):
            close = nearest(matching, get_args(MatchingMethod))
            raise ConfigError(f"matching is 'linear' or 'quadratic', got {matching!r}{close}")
        if temperature < SMALLEST_TEMPERATURE or iterations < 1 or neighbours < 1:
            raise ConfigError(
                f"matching needs temperature >= {SMALLEST_TEMPERATURE}, iterations >= 1 and neighbours >= 1,"
                f" got {temperature}, {iterations} and {neighbours}"
            )
        self.matching = matching
        self.neighbours = neighbours
        self.temperature = temperature
        self.iterations = iterations
        self.dustbin = nn.Parameter(torch.tensor(_FIRST_DUSTBIN))

    def forward(self, source: TemporalGraph, target: TemporalGraph) -> Tensor:
        """Two graphs of B videos, with M and N nodes -> log S (B, M, N + 1); the last column is the dustbin."""
        # half precision is too coarse for edge distances and for scores divided by the temperature
        with torch.autocast(source.nodes.device.type, enabled=False):
            scores = node_affinity(source, target)
            if self.matching == "quadratic":
                scores = self._with_neighbours(scores, source, target)
            return log_sinkhorn(
                scores,
                source.mask,
                target.mask,
                self.dustbin,
                temperature=self.temperature,
                iterations=self.iterations,
            )

    def _with_neighbours(self, scores: Tensor, source: TemporalGraph, target: TemporalGraph) -> Tensor:
        source_edges = temporal_edges(source, self.neighbours)
        target_edges = temporal_edges(target, self.neighbours)
        edge = edge_affinity(source_edges, target_edges)
        return quadratic_scores(scores, edge, source_edges.index, target_edges.index)
