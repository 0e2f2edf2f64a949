"""Graph convolution on temporal neighbours."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from keyseg.matching.graph import gather_neighbours


class GraphConvolution(nn.Module):
    """D^-1/2 (A + I) D^-1/2 X W + b with D the degrees of A + I (Kipf & Welling 2017, equation 2).

    The neighbours are those of `weighted_neighbours`, so the cost is linear in the nodes. Parameters: `weight` (F, F'),
    `bias` (F').
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_features, out_features))
        self.bias = nn.Parameter(torch.zeros(out_features))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, nodes: Tensor, index: Tensor, weight: Tensor) -> Tensor:
        """nodes (B, M, F), index and weight (B, M, K + 1) -> (B, M, F'); padding reaches no other node."""
        return _weighted_sum(nodes @ self.weight, index, weight) + self.bias


def weighted_neighbours(index: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """The rows of D^-1/2 (A + I) D^-1/2 from the neighbours of every node, (B, M, K) each: two (B, M, K + 1).

    They are the index of each node j that reaches node i, i itself first, and its weight 1 / sqrt(d_i d_j), which is 0
    where there is no edge.
    """
    itself = torch.arange(index.shape[1], device=index.device)[:, None].expand(len(index), -1, 1)
    everyone = torch.cat((itself, index), dim=2)
    reaches = F.pad(valid, (1, 0), value=True).float()
    scale = reaches.sum(-1).rsqrt()
    return everyone, reaches * gather_neighbours(scale, everyone) * scale[..., None]


def _weighted_sum(values: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """values (B, M, F), index and weight (B, M, K + 1) -> (B, M, F), without the values of every edge in memory."""
    weight = weight.to(values.dtype)
    if torch.compiler.is_exporting():  # other programs have no such sum
        return (gather_neighbours(values, index) * weight[..., None]).sum(2)
    first = torch.arange(len(index), device=index.device)[:, None, None] * index.shape[1]  # node of each video
    rows = (index + first).flatten(0, 1)
    total = F.embedding_bag(rows, values.flatten(0, 1), mode="sum", per_sample_weights=weight.flatten(0, 1))
    return total.view_as(values)
