"""Sinkhorn normalisation with a dustbin, in the log domain."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from keyseg.matching.affinity import EXCLUDED


def log_sinkhorn(
    scores: Tensor,
    source_mask: Tensor,
    target_mask: Tensor,
    dustbin: Tensor,
    *,
    temperature: float = 0.1,
    iterations: int = 50,
) -> Tensor:
    """log S (B, M, N + 1) with S 1 = 1 and S^T 1 <= 1 (supplement, section A.1); the last column is the dustbin.

    scores: (B, M, N), with EXCLUDED at pairs that must not match. dustbin: scalar score of staying unmatched, for a
    source (last column) and for a target (a slack row, which is not returned); both take any number of nodes. A single
    pair with score s is matched with probability p where p / (1 - p)^2 = exp((s - 2 dustbin) / temperature), so it is
    worth matching if its score exceeds about twice that of the dustbin. The last step normalises rows, so they sum to
    exactly 1; columns do not exceed 1 once the iterations have converged. Padded rows and columns are EXCLUDED.

    >>> scores, mask = torch.tensor([[[0.9, 0.1], [0.2, 0.8]]]), torch.ones(1, 2, dtype=torch.bool)
    >>> log_sinkhorn(scores, mask, mask, torch.tensor(0.25)).exp().argmax(2)
    tensor([[0, 1]])
    """
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))  # half precision would not converge
    pairs = source_mask[:, :, None] & target_mask[:, None, :]
    allowed = pairs & (scores > EXCLUDED / 2)
    table = (scores / temperature).masked_fill(~allowed, EXCLUDED)
    unmatched = (dustbin / temperature).to(table.dtype)
    by_row = torch.cat((table, unmatched.expand(*table.shape[:2], 1)), dim=2)
    by_column = torch.cat((table, unmatched.expand(len(table), 1, table.shape[2])), dim=1)
    column = table.new_zeros(len(table), table.shape[2])
    for _ in range(iterations):
        row = -torch.logsumexp(by_row + F.pad(column, (0, 1))[:, None, :], dim=2)
        column = -torch.logsumexp(by_column + F.pad(row, (0, 1))[:, :, None], dim=1)
    log_s = torch.log_softmax(by_row + F.pad(column, (0, 1))[:, None, :], dim=2)
    kept = source_mask[:, :, None] & F.pad(target_mask, (0, 1), value=True)[:, None, :]
    return log_s.masked_fill(~kept, EXCLUDED)
