"""Refinement: scores of keypoints from the graph that they form (supplement, sections A and E)."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from pydantic import Field
from torch import Tensor, nn

from keyseg.matching.gcn import GraphConvolution, weighted_neighbours
from keyseg.matching.graph import BOUNDARY, TemporalGraph, temporal_neighbours
from keyseg.matching.nodes import KeypointNodes
from keyseg.models.layers import Dropout, positional_encoding
from keyseg.timeline.validation import Section

_PLACES = 16  # sines and cosines that encode the relative position of a node


class RefinementConfig(Section):
    """Sizes of the keypoint graph's network."""

    channels: int = Field(128, ge=2, le=4096, description="of the features of a node")
    layers: int = Field(3, ge=1, le=64, description="graph convolutions")
    neighbours: int = Field(4, ge=1, le=64, description="temporal neighbours of a keypoint on each side")
    dropout: float = Field(0.5, ge=0, lt=1, description="of the features of nodes, and in every layer")
    max_shift: float = Field(8.0, gt=0, le=1e6, description="largest shift of a boundary, in steps")


@dataclass(frozen=True)
class KeypointMaps:
    """Maps that keypoints are read from: features (B, F, T), probabilities of actions (B, C, T), boundaries (B, T) and
    frame classes (B, C, T), and mask (B, T) bool."""

    features: Tensor
    action: Tensor
    boundary: Tensor
    frames: Tensor
    mask: Tensor

    def detach(self) -> KeypointMaps:
        """The same maps without gradient: no gradient flows from matching to generator (supplement, section D)."""
        return KeypointMaps(*(getattr(self, field.name).detach() for field in fields(self)))


@dataclass(frozen=True)
class Refinement:
    """Scores of nodes: graph of embeddings, keep logits (B, M), class logits (B, M, C), shifts in steps (B, M)."""

    graph: TemporalGraph
    keep: Tensor
    classes: Tensor
    shift: Tensor


class Refiner(nn.Module):
    """Embeds keypoints, lets temporal neighbours exchange messages, and scores each keypoint in its context.

    In training the annotation's graph is embedded in the same way. An embedding holds nothing about its node's label
    but what the network predicts at that time, so that matching is not trivial. The label and the confidence of a
    candidate enter only its keep logit, the confidence as log-odds times a learned trust in its kind.
    """

    def __init__(self, config: RefinementConfig, feature_dim: int, classes: int) -> None:
        super().__init__()
        self.config = config
        evidence = feature_dim + 2 * classes + 1
        self.embed = nn.Sequential(
            nn.Linear(evidence + 2 + _PLACES + 2, config.channels), nn.LayerNorm(config.channels), nn.ReLU()
        )
        self.dropout = Dropout(config.dropout)
        self.layers = nn.ModuleList(ContextLayer(config.channels, config.dropout) for _ in range(config.layers))
        self.keep = nn.Linear(config.channels, classes + 1)
        self.trust = nn.Parameter(torch.ones(2))
        self.classify = nn.Linear(config.channels, classes)
        self.shift = nn.Linear(config.channels, 1)

    def forward(self, maps: KeypointMaps, nodes: KeypointNodes) -> Refinement:
        """Score the nodes of B videos."""
        graph = self.graph(maps, nodes)
        hidden = self.dropout(graph.nodes)
        column = torch.where(nodes.kind == BOUNDARY, self.keep.out_features - 1, nodes.label)
        keep = self.keep(hidden).gather(2, column[..., None]).squeeze(2)
        keep = keep + self.trust[nodes.kind] * torch.logit(nodes.confidence, eps=1e-4)
        shift = torch.tanh(self.shift(hidden).squeeze(2)) * self.config.max_shift
        return Refinement(graph, keep, self.classify(hidden), shift)

    def graph(self, maps: KeypointMaps, nodes: KeypointNodes) -> TemporalGraph:
        """Embed the nodes and run the graph convolutions, for proposals and annotation alike."""
        hidden = self.embed(self.dropout(node_inputs(maps, nodes)))
        before, behind = both_sides(nodes.mask, self.config.neighbours)
        for layer in self.layers:
            hidden = layer(hidden, before, behind)
        return TemporalGraph(hidden * nodes.mask[..., None], nodes.time, nodes.kind, nodes.mask)


class ContextLayer(nn.Module):
    """Residual layer of two graph convolutions, over the neighbours before and after a node: order matters."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.before = GraphConvolution(channels, channels)
        self.behind = GraphConvolution(channels, channels)
        self.norm = nn.LayerNorm(channels)
        self.dropout = Dropout(dropout)

    def forward(self, hidden: Tensor, before: tuple[Tensor, Tensor], behind: tuple[Tensor, Tensor]) -> Tensor:
        """hidden: (B, M, F); before and behind: index and weight of the neighbours on each side -> (B, M, F)."""
        message: Tensor = self.before(hidden, *before) + self.behind(hidden, *behind)
        message = self.dropout(torch.relu(self.norm(message)))
        return hidden + message


def both_sides(mask: Tensor, k: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Index and weight, (B, M, k + 1) each, of the k neighbours before every node, and of those after it."""
    index, valid = temporal_neighbours(mask, k)
    before, behind = slice(k), slice(k, None)
    return (
        weighted_neighbours(index[..., before], valid[..., before]),
        weighted_neighbours(index[..., behind], valid[..., behind]),
    )


def node_inputs(maps: KeypointMaps, nodes: KeypointNodes) -> Tensor:
    """Features, probabilities, kind, position and gaps of every node: (B, M, F + 2C + 1 + 2 + _PLACES + 2)."""
    last = (maps.mask.sum(1) - 1).clamp_min(0)[:, None]
    step = nodes.time.round().long().clamp_min(0).minimum(last)
    point = torch.cat((maps.features, maps.action, maps.boundary[:, None]), dim=1)
    at_point = point.gather(2, step[:, None].expand(-1, point.shape[1], -1))
    start, end = _surroundings(nodes, last + 1)
    around = _interval_means(maps.frames, start, end)
    kind = torch.nn.functional.one_hot(nodes.kind, 2).to(point.dtype)
    places = positional_encoding(1001, _PLACES, point.device)[0].T
    place = places[(1000 * step / last.clamp_min(1)).round().long()]
    gaps = torch.stack(((step - start).clamp_min(0), (end - step).clamp_min(0)), dim=2).to(point.dtype).log1p()
    return torch.cat((at_point.transpose(1, 2), around, kind, place, gaps), dim=2) * nodes.mask[..., None]


def _surroundings(nodes: KeypointNodes, length: Tensor) -> tuple[Tensor, Tensor]:
    """For each node the nearest other boundary at or before it, and after it, in whole steps: two (B, M).

    Where there is no such boundary it is 0 or T.
    """
    time, far = nodes.time.round().long(), length.expand_as(nodes.time)
    is_boundary = (nodes.kind == BOUNDARY) & nodes.mask
    number = is_boundary.long().cumsum(1)  # of the boundaries up to each node; nodes are in time order
    last = time.shape[1] + 1
    table = torch.cat((torch.zeros_like(length), length.expand(-1, last)), dim=1)  # times by number, from 1
    table = table.scatter(1, torch.where(is_boundary, number, last), torch.where(is_boundary, time, far))
    before, after = table.gather(1, number - is_boundary.long()), table.gather(1, number + 1)
    return before.minimum(far - 1), torch.maximum(after.minimum(far), before + 1).minimum(far)


def _interval_means(values: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Mean of values (B, C, T) over steps [start, end) of each node -> (B, M, C)."""
    sums = torch.nn.functional.pad(values.double().cumsum(2), (1, 0))
    first, last = (at[:, None].expand(-1, values.shape[1], -1) for at in (start, end))
    total = sums.gather(2, last) - sums.gather(2, first)
    return (total / (end - start).clamp_min(1)[:, None]).transpose(1, 2).to(values.dtype)
