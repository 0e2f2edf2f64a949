"""The loss of a soft matching of keypoints."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_LOWEST_LOG = -100.0  # as in torch's binary cross-entropy: a true pair of probability 0 costs 100, not infinity
_HIGHEST_LOG = -1e-6  # log(1 - S) at S = 1 is then -13.8, and its gradient finite


def permutation_loss(log_assignment: Tensor, truth: Tensor, source_mask: Tensor, target_mask: Tensor) -> Tensor:
    """Cross-entropy of a soft assignment against the true one, per valid source node: equation (1), corrected.

    -sum S_gt log S + (1 - S_gt) log(1 - S), as in Wang et al. 2019. The supplement prints (1 - log S) where log(1 - S)
    is meant; the printed form has no lower bound (it tends to minus infinity as S -> 0 at a wrong pair).

    log_assignment: (B, M, N + 1) log S with the dustbin last. truth: (B, M, N + 1), 0 or 1. source_mask: (B, M) and
    target_mask: (B, N) bool; the dustbin column always counts. Returns a scalar >= 0, 0 for a batch without source
    nodes.

    >>> soft = torch.tensor([[[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]]])
    >>> truth = torch.tensor([[[1, 0, 0], [0, 1, 0]]])
    >>> valid = torch.ones(1, 2, dtype=torch.bool)
    >>> round(permutation_loss(soft.log(), truth, valid, valid).item(), 2)
    0.56
    """
    log_s = log_assignment.to(torch.promote_types(log_assignment.dtype, torch.float32))
    valid = source_mask[:, :, None] & F.pad(target_mask, (0, 1), value=True)[:, None, :]
    log_s = F.hardtanh(log_s, _LOWEST_LOG, _HIGHEST_LOG)
    wrong = torch.log(-torch.expm1(log_s))  # log(1 - S), accurate where S is near 1, and rounded as S is elsewhere
    likelihood = wrong.lerp(log_s, truth.to(log_s.dtype)).masked_fill(~valid, 0.0)
    return -likelihood.sum() / source_mask.sum().clamp_min(1)
