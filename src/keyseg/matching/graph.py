"""Temporal keypoint graphs: the keypoints of a video in time order, each connected to its nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from keyseg.timeline import TimelineError

ACTION = 0
BOUNDARY = 1
_SMALLEST_NORM = 1e-3  # keeps the gradient of an all-zero embedding bounded, instead of 1e12


@dataclass(frozen=True, slots=True, eq=False)
class TemporalGraph:
    """The keypoints of B videos as padded graphs: the node sets V_s or V_t of the supplement, section A.1.

    nodes: (B, M, F) float embeddings. time: (B, M) in steps. kind: (B, M) int64, ACTION or BOUNDARY.
    mask: (B, M) bool, valid nodes first. The nodes of a video are in time order; ties are in any order.
    Raises TimelineError if shapes or types disagree, if padding comes before a node, or if times are out of order.
    """

    nodes: Tensor
    time: Tensor
    kind: Tensor
    mask: Tensor

    def __post_init__(self) -> None:
        if self.nodes.ndim != 3:
            raise TimelineError(f"graph nodes have shape (B, M, F), got {tuple(self.nodes.shape)}")
        for name in ("time", "kind", "mask"):
            expected, shape = tuple(self.nodes.shape[:2]), tuple(getattr(self, name).shape)
            if shape != expected:
                raise TimelineError(f"graph {name} must have the shape of the nodes {expected}, got {shape}")
        if self.mask.dtype != torch.bool:
            raise TimelineError(f"a graph mask is bool, got {self.mask.dtype}")
        if torch.compiler.is_exporting():
            return  # the rest depends on the numbers
        if (self.mask[:, 1:] & ~self.mask[:, :-1]).any():
            raise TimelineError("valid nodes come before the padding, but this graph mask has a gap")
        if ((self.time.diff(dim=1) < 0) & self.mask[:, 1:]).any():
            raise TimelineError("graph nodes must be in time order, but a time runs backwards: sort the nodes first")

    def of_kind(self, kind: int) -> tuple[TemporalGraph, Tensor]:
        """The K nodes of one kind as a graph of their own, and where they are in this one, (B, K) int64."""
        chosen = self.mask & (self.kind == kind)
        size = int(chosen.sum(1).max()) if chosen.numel() else 0
        index = chosen.int().argsort(dim=1, descending=True, stable=True)[:, :size]
        nodes = self.nodes.gather(1, index[..., None].expand(-1, -1, self.nodes.shape[2]))
        rest = (values.gather(1, index) for values in (self.time, self.kind, chosen))
        return TemporalGraph(nodes, *rest), index


@dataclass(frozen=True, slots=True, eq=False)
class TemporalEdges:
    """Directed edges from each node to 2k neighbours in time order.

    index: (B, M, 2k) int64, the neighbour. valid: (B, M, 2k) bool. features: (B, M, 2k, 4).
    """

    index: Tensor
    valid: Tensor
    features: Tensor


def temporal_neighbours(mask: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Index and validity of the neighbours i-k..i-1, i+1..i+k of every node i, in this order: (B, M) -> two (B, M, 2k).

    A missing neighbour is the node itself and not valid. The cost is linear in M.
    """
    if k < 1:
        raise TimelineError(f"a temporal graph needs at least one neighbour on each side, got k = {k}")
    nodes = mask.shape[1]
    here = torch.arange(nodes, device=mask.device)[:, None]
    there = here + torch.tensor([*range(-k, 0), *range(1, k + 1)], device=mask.device)
    inside = (there >= 0) & (there < nodes)
    there = torch.where(inside, there, here)
    valid = inside & mask[:, there] & mask[:, :, None]
    return torch.where(valid, there, here), valid


def gather_neighbours(values: Tensor, index: Tensor) -> Tensor:
    """The values of every neighbour: (B, M, ...), (B, M, K) -> (B, M, K, ...)."""
    video = torch.arange(len(index), device=index.device)[:, None, None]
    return values[video, index]


def temporal_edges(graph: TemporalGraph, k: int) -> TemporalEdges:
    """The directed edges from every node i to its k temporal neighbours j on each side.

    Their features, zero where there is no edge, are in order: sign(dt) log(1 + |dt|) with dt = t_j - t_i in steps (so 5
    and 6 steps differ more than 105 and 106), kind of i, kind of j, cosine of the two embeddings. Only differences of
    time enter, so the features do not depend on when the video starts.
    """
    index, valid = temporal_neighbours(graph.mask, k)
    unit = unit_embeddings(graph)
    dt = (gather_neighbours(graph.time, index) - graph.time[:, :, None]).to(unit.dtype)
    far_kind = gather_neighbours(graph.kind, index).to(unit.dtype)
    near_kind = graph.kind[:, :, None].to(unit.dtype).expand_as(far_kind)
    cosine = (gather_neighbours(unit, index) * unit[:, :, None]).sum(-1)
    features = torch.stack((dt.sign() * dt.abs().log1p(), near_kind, far_kind, cosine), dim=-1)
    return TemporalEdges(index, valid, features.masked_fill(~valid[..., None], 0.0))


def unit_embeddings(graph: TemporalGraph) -> Tensor:
    """The node embeddings scaled to unit length, (B, M, F), zero at padding, in at least single precision."""
    nodes = graph.nodes.to(torch.promote_types(graph.nodes.dtype, torch.float32))
    return F.normalize(nodes.masked_fill(~graph.mask[..., None], 0.0), dim=-1, eps=_SMALLEST_NORM)
