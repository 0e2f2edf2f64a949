"""Node and edge affinities of two temporal graphs: the matrix Q of the supplement's equation (2), never built.

Q has a row for every pair (source node, target node). Its diagonal holds node affinities, and entry ((i, a), (j, b))
holds the affinity of source edge i -> j and target edge a -> b. Both graphs are sparse, so Q x
is a sum over pairs of edges.
"""

from __future__ import annotations

import torch
from torch import Tensor

from keyseg.matching.graph import TemporalEdges, TemporalGraph, gather_neighbours, unit_embeddings

EXCLUDED = -1e4  # score of a pair that must not match: its exp is exactly 0, and gradients stay finite
_EDGE_WIDTH = 0.5  # edge features this far apart (a time ratio of 1.65, a cosine of 0.5) keep exp(-1/2) of the affinity


def node_affinity(source: TemporalGraph, target: TemporalGraph) -> Tensor:
    """Cosine of the embeddings, (B, M, N) in [-1, 1]; EXCLUDED for padding and for pairs of different kinds."""
    cosine = unit_embeddings(source) @ unit_embeddings(target).transpose(1, 2)
    exists = source.mask[:, :, None] & target.mask[:, None, :]
    same_kind = source.kind[:, :, None] == target.kind[:, None, :]
    kept = (exists & same_kind).to(cosine.dtype)
    # as masked_fill, whose branches are slow where the kinds alternate
    return torch.addcmul((kept - 1).mul_(-EXCLUDED), cosine, kept)


def edge_affinity(source: TemporalEdges, target: TemporalEdges) -> Tensor:
    """Similarity of every source edge and target edge, (B, M, 2k, N, 2k) in [0, 1/2k]; 0 where an edge does not exist.

    It is exp(-d^2 / 2 w^2) / 2k with d the distance of the edge features, so a pair of nodes whose 2k neighbours all
    match perfectly has a support of 1, the scale of a cosine.
    """
    left, right = source.features.flatten(1, 2), target.features.flatten(1, 2)
    squared = left.square().sum(-1)[:, :, None] + right.square().sum(-1)[:, None, :] - 2 * left @ right.transpose(1, 2)
    similarity = torch.exp(squared.clamp_min(0) / (-2 * _EDGE_WIDTH**2)) / source.index.shape[2]
    exists = source.valid.flatten(1)[:, :, None] & target.valid.flatten(1)[:, None, :]
    return similarity.masked_fill(~exists, 0.0).view(*source.index.shape, *target.index.shape[1:])


def edge_support(x: Tensor, edge: Tensor, source_index: Tensor, target_index: Tensor) -> Tensor:
    """Off-diagonal part of Q x: for each pair (i, a) the edge affinity times x, summed over pairs of neighbours.

    x: (B, M, N). edge: (B, M, 2k, N, 2k) from `edge_affinity`. Indices: (B, M, 2k) and (B, N, 2k). Returns (B, M, N).
    """
    rows = gather_neighbours(x, source_index)
    columns = target_index.flatten(1)[:, None, None, :].expand(*rows.shape[:3], -1)
    return (edge * rows.gather(3, columns).view_as(edge)).sum((2, 4))


def apply_affinity(x: Tensor, node: Tensor, edge: Tensor, source_index: Tensor, target_index: Tensor) -> Tensor:
    """Q x for x (B, M, N), with node affinities (B, M, N) on the diagonal; costs source edges times target edges.

    `node` must be 0, not EXCLUDED, at pairs that must not match, and x must be 0 there.
    """
    return node * x + edge_support(x, edge, source_index, target_index)
