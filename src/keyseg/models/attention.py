"""Masked block-local attention, for any window and for both of ASFormer's window conventions."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from keyseg.models.cpu_attention import LEAK, UNSEEN, Projections, Window, sees, window_attention
from keyseg.models.layers import kept, mask_of, on_cpu


def local_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, window: int, convention: Window = "published"
) -> Tensor:
    """Attend from every step to the steps around its block, in time and memory linear in T.

    query, key: (B, C, T), value: (B, V, T), mask: (B, T) bool or None. Returns (B, V, T), zero where no step exists.
    The sequence is cut into blocks of `window` steps; the keys of a block are its own steps and window // 2 steps on
    each side. `published` is ASFormer's program: each query sees the first 2 window - 1 keys of
    its block, and every other key still adds 1e-6 of its weight to the denominator. `banded`: query t sees the keys
    t - window // 2 ... t - window // 2 + window - 1, and no other key counts.
    """
    if window == 1:  # the only key has weight 1, whatever its score is
        return kept(value + 0 * (query + key).sum(1, keepdim=True), mask)
    batch, channels, length = query.shape
    blocks = (length + window - 1) // window  # ONNX divides towards zero, so nothing here is negative
    queries = F.pad(query / math.sqrt(channels), (0, blocks * window - length))
    queries = queries.view(batch, channels, blocks, window).permute(0, 2, 3, 1)  # (B, N, W, C)
    keys = _around_blocks(kept(key, mask), blocks, window)  # (B, N, K, C)
    values = _around_blocks(kept(value, mask), blocks, window)
    present = mask_of(query[:1], mask)[:, None, :].to(query.dtype)
    exists = _around_blocks(present, blocks, window).transpose(2, 3)  # (B or 1, N, 1, K)
    rows, columns = (torch.arange(size, device=query.device) for size in (window, keys.shape[2]))
    visible = sees(rows[:, None], columns, window, convention).to(query.dtype)
    hidden = LEAK if convention == "published" else UNSEEN
    weights = torch.softmax(queries @ keys.transpose(2, 3) + hidden * (1 - exists * visible), dim=-1)
    if convention == "published":  # the values of missing steps are zero already
        weights, values = weights[..., : 2 * window - 1], values[:, :, : 2 * window - 1]
    out = (weights @ values).permute(0, 3, 1, 2).reshape(batch, value.shape[1], blocks * window)
    out = out.narrow(2, 0, length)  # not a slice, which an export gives a length min(T, ...), nested layer by layer
    return kept(out, mask)


def _around_blocks(x: Tensor, blocks: int, window: int) -> Tensor:
    """(B, C, T) -> (B, N, K, C): a view of each block with window // 2 steps on both sides, zeros beyond the ends."""
    half = window // 2
    x = F.pad(x, (half, blocks * window - x.shape[2] + half))
    return x.unfold(2, window + 2 * half, window).permute(0, 2, 3, 1)


class LocalAttention(nn.Module):
    """ASFormer's attention layer: 1x1 projections to fewer channels, block-local attention, ReLU, 1x1 projection back.

    query_dim, value_dim: channels of the inputs for queries and keys, and for values. The projections have as many
    channels divided by `query_reduction` and `value_reduction`.
    """

    def __init__(
        self,
        query_dim: int,
        value_dim: int,
        out_dim: int,
        window: int,
        convention: Window,
        *,
        query_reduction: int = 2,
        value_reduction: int = 2,
    ) -> None:
        super().__init__()
        keys, values = query_dim // query_reduction, value_dim // value_reduction
        self.query = nn.Conv1d(query_dim, keys, 1)
        self.key = nn.Conv1d(query_dim, keys, 1)
        self.value = nn.Conv1d(value_dim, values, 1)
        self.out = nn.Conv1d(values, out_dim, 1)
        self.window = window
        self.convention: Window = convention

    def attended(self, x: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """What `out` projects back: (B, V, T), anything where no step exists; arguments as in `forward`."""
        if on_cpu(x) and self.window > 1:
            to = Projections(self.query, self.key, self.value)
            return torch.relu(window_attention(x, values, to, mask, self.window, self.convention))
        projected = self.query(x), self.key(x), self.value(values)
        return torch.relu(local_attention(*projected, mask, self.window, self.convention))

    def forward(self, x: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """x: (B, query_dim, T), values: (B, value_dim, T), mask: (B, T) or None -> (B, out_dim, T), masked."""
        return kept(self.out(self.attended(x, values, mask)), mask)
