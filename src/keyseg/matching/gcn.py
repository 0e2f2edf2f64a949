"""Graph convolution on temporal neighbours."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from keyseg.matching.graph import gather_neighbours


class GraphConvolution(nn.Module):
    """D^-1/2 (A + I) D^-1/2 X W + b with D the degrees of A + I (Kipf & Welling 2017, equation 2).

    Neighbours are read by index, so the cost is linear in the nodes. Parameters: `weight` (F, F'), `bias` (F').
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_features, out_features))
        self.bias = nn.Parameter(torch.zeros(out_features))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, nodes: Tensor, index: Tensor, valid: Tensor, mask: Tensor) -> Tensor:
        """nodes (B, M, F), index and valid (B, M, 2k), mask (B, M) -> (B, M, F'), zero at padding."""
        present = mask[..., None]
        scale = (valid.sum(-1, keepdim=True) + 1).to(nodes.dtype).rsqrt()
        scaled = nodes.masked_fill(~present, 0.0) @ self.weight * scale
        return ((scaled + _sum_of_neighbours(scaled, index, valid)) * scale + self.bias) * present


def _sum_of_neighbours(values: Tensor, index: Tensor, valid: Tensor) -> Tensor:
    """values (B, M, F), index and valid (B, M, 2k) -> (B, M, F), without the values of every edge in memory."""
    if torch.compiler.is_exporting():  # other programs have no such sum
        return (gather_neighbours(values, index) * valid[..., None]).sum(2)
    first = torch.arange(len(index), device=index.device)[:, None, None] * index.shape[1]  # node of each video
    rows, weights = (index + first).flatten(0, 1), valid.to(values.dtype).flatten(0, 1)
    total = F.embedding_bag(rows, values.flatten(0, 1), mode="sum", per_sample_weights=weights)
    return total.view_as(values)
