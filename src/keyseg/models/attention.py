"""Block-local attention, masked, for every window and for both of ASFormer's window conventions."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Window = Literal["published", "banded"]
_LEAK = math.log(1e-6)  # the published code's mask: a masked key keeps a factor of 1e-6 in the softmax's denominator
_EXCLUDED = -1e9  # large and finite, so that a row without any valid key stays finite


def local_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, window: int, convention: Window = "published"
) -> Tensor:
    """Attention of every step to the steps around its block; memory and time are linear in T.

    query, key: (B, C, T), value: (B, V, T), mask: (B, T) bool, True where a step exists. Returns (B, V, T), zero where
    the mask is False. The sequence is cut into blocks of `window` steps; a block's keys are the block and
    window // 2 steps on each side. `published`: as ASFormer's code has it, each query sees the first 2 window - 1 of
    its block's keys, and any other still adds 1e-6 of its weight to the denominator. `banded`: query t sees the keys
    t - window // 2 ... t - window // 2 + window - 1, and masked keys count nothing.
    """
    batch, channels, length = query.shape
    blocks = -(-length // window)
    present = mask[:, None, :]
    queries = F.pad(query / math.sqrt(channels), (0, blocks * window - length))
    queries = queries.reshape(batch, channels, blocks, window).permute(0, 2, 3, 1)  # (B, N, W, C)
    keys = _around_blocks(key * present, blocks, window)  # (B, N, K, C)
    values = _around_blocks(value * present, blocks, window)
    exists = _around_blocks(present.to(query.dtype), blocks, window).transpose(2, 3)  # (B, N, 1, K)
    visible = _visible(window, keys.shape[2], convention, query)
    hidden = _LEAK if convention == "published" else _EXCLUDED
    weights = torch.softmax(queries @ keys.transpose(2, 3) + hidden * (1 - exists * visible), dim=-1)
    if convention == "published":  # missing steps have zero values already
        weights, values = weights[..., : 2 * window - 1], values[:, :, : 2 * window - 1]
    out = (weights @ values).permute(0, 3, 1, 2).reshape(batch, value.shape[1], blocks * window)
    return out[:, :, :length] * present


def _visible(window: int, keys: int, convention: Window, like: Tensor) -> Tensor:
    """1 where a block's query (row) may see a key (column), else 0: (W or 1, K)."""
    column = torch.arange(keys, device=like.device)
    if convention == "published":
        return (column < 2 * window - 1).to(like.dtype)[None]
    row = torch.arange(window, device=like.device)[:, None]
    return ((column >= row) & (column < row + window)).to(like.dtype)


def _around_blocks(x: Tensor, blocks: int, window: int) -> Tensor:
    """(B, C, T) -> (B, N, K, C): each block with window // 2 steps on both sides, zeros beyond the ends; views."""
    half = window // 2
    x = F.pad(x, (half, blocks * window - x.shape[2] + half))
    return x.unfold(2, window + 2 * half, window).permute(0, 2, 3, 1)


class LocalAttention(nn.Module):
    """Attention layer of ASFormer: 1x1 projections to fewer channels, block-local attention, ReLU, 1x1 back.

    query_dim: channels of the tensor that queries and keys are made from; value_dim: of the one for values. The
    projections have these divided by the reductions.
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
        attended, carried = query_dim // query_reduction, value_dim // value_reduction
        self.query = nn.Conv1d(query_dim, attended, 1)
        self.key = nn.Conv1d(query_dim, attended, 1)
        self.value = nn.Conv1d(value_dim, carried, 1)
        self.out = nn.Conv1d(carried, out_dim, 1)
        self.window = window
        self.convention: Window = convention

    def forward(self, x: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        """x: (B, query_dim, T), values: (B, value_dim, T), mask: (B, T) bool -> (B, out_dim, T), masked."""
        attended = local_attention(self.query(x), self.key(x), self.value(values), mask, self.window, self.convention)
        out: Tensor = self.out(torch.relu(attended))
        return out * mask[:, None, :]
