"""Scores that include the votes of neighbours: reweighted power steps on the quadratic assignment problem."""

from __future__ import annotations

import torch
from torch import Tensor

from keyseg.matching.affinity import EXCLUDED, apply_affinity, edge_support

_SHARPNESS = 20.0  # of the reweighting softmax, on affinities scaled to a maximum of 1
_JUMP = 0.2  # share of the reweighted assignment in each step


def quadratic_scores(
    node: Tensor, edge: Tensor, source_index: Tensor, target_index: Tensor, *, iterations: int = 3
) -> Tensor:
    """Scores (B, M, N) for `log_sinkhorn`: node affinity plus the support from likely matches of the neighbours.

    node: (B, M, N) from `node_affinity`; edge: (B, M, 2k, N, 2k) from `edge_affinity`. Each step replaces x by
    Q x, scaled, mixed with a sharpened copy, in the manner of reweighted random walks (Cho et al. 2010). Returns the
    gradient of the objective of equation (2) at the last x, in [-1, 2]; EXCLUDED stays EXCLUDED.
    """
    if node.numel() == 0:
        return node
    allowed = node > EXCLUDED / 2
    similarity = torch.where(allowed, (1 + node) / 2, 0.0)
    x = _reweight(similarity, allowed)
    for _ in range(iterations):
        x = apply_affinity(x, similarity, edge, source_index, target_index) * allowed
        x = (1 - _JUMP) * _scale(x, by=x.sum(2).amax(1)) + _JUMP * _reweight(_scale(x, by=x.amax((1, 2))), allowed)
    support = edge_support(x, edge, source_index, target_index)
    return torch.where(allowed, node + support, EXCLUDED)


def _reweight(x: Tensor, allowed: Tensor) -> Tensor:
    """Softmax over the targets of each source."""
    return (x * _SHARPNESS).masked_fill(~allowed, EXCLUDED).softmax(2) * allowed


def _scale(x: Tensor, by: Tensor) -> Tensor:
    return x / by.clamp_min(1e-6)[:, None, None]
