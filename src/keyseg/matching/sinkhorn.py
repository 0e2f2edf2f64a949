"""Sinkhorn normalisation with a dustbin."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from keyseg.matching.affinity import EXCLUDED

SMALLEST_TEMPERATURE = 0.01  # exp(score / temperature) is then within the range of a double for any score in [-7, 7]
_SMALLEST_LOG = -600.0  # what is less has an exponential of 0; computing that underflows, which is slow


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
    kept = source_mask[:, :, None] & target_mask[:, None, :]
    table = (scores / temperature).masked_fill(~kept, EXCLUDED / temperature)
    unmatched = (dustbin / temperature).to(table.dtype)
    columns: Tensor = _ColumnPotentials.apply(table, unmatched, iterations)  # type: ignore[no-untyped-call]
    table = table + columns[:, None, :]
    log_s = torch.cat((table, unmatched.expand(*table.shape[:2], 1)), dim=2).log_softmax(2)
    kept = source_mask[:, :, None] & F.pad(target_mask, (0, 1), value=True)[:, None, :]
    return log_s.masked_fill(~kept, EXCLUDED)


class _ColumnPotentials(torch.autograd.Function):
    """log v (B, N) after some iterations of u = 1 / (K v + d), v = 1 / (K^T u + d), from v = 1.

    log K: (B, M, N); log d: scalar, the dustbin. The steps are in double precision, so that products of exponentials
    keep their range. An iteration and its gradient take two products of K with a vector each, and the gradient of K is
    one product of matrices at the end, while autograd would take one per step.
    """

    @staticmethod
    def forward(ctx: Any, table: Tensor, unmatched: Tensor, iterations: int) -> Tensor:
        batch, sources, targets = table.shape
        kernel = table.clamp_min(_SMALLEST_LOG).double().exp_().mul_(table > _SMALLEST_LOG)
        dustbin = unmatched.double().exp()
        transposed = kernel.mT
        u = kernel.new_empty(iterations, batch, sources, 1)
        v = kernel.new_ones(iterations + 1, batch, targets, 1)
        for row, before, after in zip(u, v, v[1:], strict=False):
            torch.baddbmm(dustbin, kernel, before, out=row).reciprocal_()
            torch.baddbmm(dustbin, transposed, row, out=after).reciprocal_()
        ctx.save_for_backward(kernel, dustbin, u, v)
        return v[-1].squeeze(2).log().to(table.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        kernel, dustbin, u, v = ctx.saved_tensors
        to_row, to_column = -u.square(), -v[1:].square()  # to be gradients of K v + d and of K^T u + d
        by_factor = gradient[:, :, None] / v[-1]
        for row, column in zip(reversed(to_row.unbind()), reversed(to_column.unbind()), strict=True):
            column.mul_(by_factor)
            row.mul_(kernel @ column)
            by_factor = (row.mT @ kernel).mT
        of_sources = torch.cat((u, to_row)).squeeze(3).permute(1, 2, 0)
        of_targets = torch.cat((to_column, v[:-1])).squeeze(3).transpose(0, 1)
        by_table = (of_sources @ of_targets).mul_(kernel)
        by_unmatched = dustbin * (to_row.sum() + to_column.sum())
        return by_table.to(gradient.dtype), by_unmatched.to(gradient.dtype), None
