"""Attention in windows on a CPU: in pieces that stay in its cache, and without keeping the weights.

The numbers are those of `keyseg.models.attention`. Narrow windows share a piece, in which a query sees its own window
alone; wide ones are a piece each. Steps are rows, as products of pieces need them: projections are written so, with the
zeros beyond the ends, and nothing is transposed. The backward pass computes the weights again (Rabe and Staats 2021).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

Window = Literal["published", "banded"]
LEAK = math.log(1e-6)  # as in the published program: a masked key keeps a factor of 1e-6 in the denominator
UNSEEN = -1e9  # large and finite, so that a row without any valid key stays finite
_PIECE = 32  # queries at least
_SCORES = 2**17  # at once and thread: half a MiB


@dataclass(frozen=True)
class Projections:
    """1x1 convolutions to the channels of queries, keys and values."""

    query: nn.Conv1d
    key: nn.Conv1d
    value: nn.Conv1d


def window_attention(
    x: Tensor, source: Tensor, to: Projections, mask: Tensor | None, window: int, convention: Window
) -> Tensor:
    """Attention of x (B, D, T) to itself, with values of source (B, D', T): (B, V, T), anything where no step exists.

    mask: (B, T) bool or None.
    """
    pieces = _Pieces(x.shape[2], window, convention, masked=mask is not None)
    beyond, half = pieces.beyond, pieces.half
    query = _rows(x, to.query, 0, beyond, 1 / math.sqrt(to.query.out_channels))
    key, value = _rows(x, to.key, half, beyond + half), _rows(source, to.value, half, beyond + half)
    if mask is not None:
        exists = F.pad(mask, (half, beyond + half))[:, :, None]
        key, value = key * exists, value * exists
    out: Tensor = WindowAttention.apply(query, key, value, mask, pieces)  # type: ignore[no-untyped-call]
    return out.transpose(1, 2)


def _rows(x: Tensor, projection: nn.Conv1d, before: int, after: int, scale: float = 1.0) -> Tensor:
    weight, bias = projection.weight[:, :, 0], projection.bias
    rows: Tensor = ProjectedRows.apply(x, weight, bias, before, after, scale)  # type: ignore[no-untyped-call]
    return rows


class ProjectedRows(torch.autograd.Function):
    """x: (B, D, T), weight: (C, D), bias: (C,) -> scaled (B, before + T + after, C), with zeros before and after."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, before: int, after: int, scale: float) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.scale, ctx.there = scale, slice(before, before + x.shape[2])
        rows = x.new_empty(len(x), before + x.shape[2] + after, len(weight))
        rows[:, :before], rows[:, ctx.there.stop :] = 0, 0
        for source, target in zip(x, rows[:, ctx.there], strict=True):
            torch.addmm(bias, source.T, weight.T, beta=scale, alpha=scale, out=target)
        return rows

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None, None]:
        x, weight = ctx.saved_tensors
        weight = weight * ctx.scale
        there = gradient[:, ctx.there]
        by_x, by_weight = torch.empty_like(x), torch.zeros_like(weight)
        for source, to_rows, to_x in zip(x, there, by_x, strict=True):
            torch.mm(weight.T, to_rows.T, out=to_x)
            by_weight.addmm_(to_rows.T, source.T, alpha=ctx.scale)
        return by_x, by_weight, there.sum((0, 1)) * ctx.scale, None, None, None


class _Pieces:
    """How T steps are cut into pieces of whole windows, and what each query of a piece sees.

    size: queries in a piece, `keys` of which each sees some. beyond: steps of the last piece after the end. bias:
    (S or 1, K), added to the scores. seen: the same, 1 or 0. Where a piece is one window of the published kind, all its
    queries see the same keys, the first `first`.
    """

    def __init__(self, length: int, window: int, convention: Window, *, masked: bool) -> None:
        self.length, self.half, self.masked = length, window // 2, masked
        self.size = window * -(-max(window, _PIECE) // window)
        self.keys = self.size + 2 * self.half
        self.count = -(-length // self.size)
        self.beyond = self.count * self.size - length
        self.at_once = min(self.count, max(1, torch.get_num_threads() * _SCORES // (self.size * self.keys)))
        self.published = convention == "published"
        self.first = 2 * window - 1 if self.published and self.size == window else None
        self.bias, self.seen = _sight(1 if self.first else self.size, self.keys, window, convention)

    def queries(self, rows: Tensor) -> Tensor:
        """(B, N * S, C) -> (B, N, S, C)."""
        return rows.view(len(rows), self.count, self.size, -1)

    def around(self, rows: Tensor) -> Tensor:
        """(B, N * S + 2 * half, C) -> (B, N, K, C): each piece with what its windows reach."""
        return rows.unfold(1, self.keys, self.size).transpose(2, 3)

    def missing(self, mask: Tensor | None, like: Tensor) -> Tensor:
        """(B, N, 1, K): what is added to the scores of keys that do not exist, else 0."""
        exists = like.new_ones(len(like), self.length) if mask is None else mask.to(like.dtype)
        around = self.around(F.pad(exists, (self.half, self.beyond + self.half))[:, :, None])
        return (LEAK if self.published else UNSEEN) * (1 - around).transpose(2, 3)

    def groups(self) -> Iterator[tuple[slice, slice, bool]]:
        """The pieces that are computed at once, which of their queries exist, and whether some keys may not."""
        for start in range(0, self.count, self.at_once):
            stop = min(self.count, start + self.at_once)
            inside = start > 0 and stop * self.size + self.half <= self.length
            rows = self.length - start * self.size if stop - start == 1 else self.size
            yield slice(start, stop), slice(min(rows, self.size)), self.masked or not inside

    def weights(self, query: Tensor, key: Tensor, missing: Tensor | None, out: Tensor) -> Tensor:
        """Of the keys of each piece's first S queries, hidden ones too: (n, S, C), (n, K, C), (n, 1, K) -> (n, S, K),
        in `out`."""
        bias = self.bias[: query.shape[1]].to(query.dtype)
        bias = bias if missing is None else torch.minimum(bias, missing)
        torch.baddbmm(bias, query, key.transpose(1, 2), out=out)
        return torch.softmax(out, dim=-1, out=out)

    def hide(self, x: Tensor) -> Tensor:
        """(n, S, K) with zeros where a query does not see a key, in place."""
        if self.first:
            x[..., self.first :] = 0
        elif self.published:  # else the weights are zero there
            x *= self.seen[: x.shape[1]]
        return x

    def add(self, total: Tensor, group: slice, part: Tensor) -> None:
        """Add (n, K, C), one row per key of each piece of a group, to the rows of all pieces (N + 1, S, C)."""
        total[group] += part[:, : self.size]
        total[group.start + 1 : group.stop + 1, : 2 * self.half] += part[:, self.size :]

    def gathered(self, total: Tensor) -> Tensor:
        """(B, N + 1, S, C), as added up -> (B, N * S + 2 * half, C)."""
        return total.flatten(1, 2)[:, : self.count * self.size + 2 * self.half]


@lru_cache(maxsize=32)
def _sight(queries: int, keys: int, window: int, convention: Window) -> tuple[Tensor, Tensor]:
    """`bias` and `seen` of a piece: (queries, keys) float32 and bool."""
    query = torch.arange(queries)[:, None]
    place = torch.arange(keys) - query // window * window  # in the window of the query
    near = (place >= 0) & (place < window + 2 * (window // 2))
    seen = near & sees(query % window, place, window, convention)
    hidden = torch.where(near, LEAK, UNSEEN) if convention == "published" else torch.tensor(UNSEEN)
    return torch.where(seen, 0.0, hidden), seen


def sees(query: Tensor, key: Tensor, window: int, convention: Window) -> Tensor:
    """Whether a query sees a key, from their places in the window and in what it reaches."""
    if convention == "published":
        return key < 2 * window - 1
    return (key >= query) & (key < query + window)


class WindowAttention(torch.autograd.Function):
    """query: (B, N * S, C), scaled, key: (B, N * S + 2 * half, C), value: (B, N * S + 2 * half, V), both zero where no
    step exists, mask: (B, T) bool or None -> (B, T, V)."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, pieces: _Pieces) -> Tensor:
        queries, keys, values = pieces.queries(query), pieces.around(key), pieces.around(value)
        missing = pieces.missing(mask, query)
        out = query.new_empty(*queries.shape[:3], value.shape[2])
        scores = query.new_empty(pieces.at_once, pieces.size, pieces.keys)
        for video in range(len(query)):
            for group, rows, ends in pieces.groups():
                lacks = missing[video, group] if ends else None
                query = queries[video, group, rows]
                weights = pieces.weights(query, keys[video, group], lacks, scores[: len(query), rows])
                torch.bmm(pieces.hide(weights), values[video, group], out=out[video, group, rows])
        ctx.save_for_backward(queries, keys, values, missing, out)
        ctx.pieces = pieces
        return out.flatten(1, 2)[:, : pieces.length]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        queries, keys, values, missing, out = ctx.saved_tensors
        pieces: _Pieces = ctx.pieces
        gradients = pieces.queries(F.pad(gradient, (0, 0, 0, pieces.beyond)))
        shared = (gradients * out).sum(3, keepdim=True)  # of all scores of a query, by the softmax
        by_query = torch.empty_like(queries)
        by_key, by_value = (x.new_zeros(len(x), pieces.count + 1, pieces.size, x.shape[3]) for x in (keys, values))
        scores = out.new_empty(2, pieces.at_once, pieces.size, pieces.keys)
        for video in range(len(out)):
            for group, rows, ends in pieces.groups():
                lacks = missing[video, group] if ends else None
                query, key, to_out = queries[video, group, rows], keys[video, group], gradients[video, group, rows]
                weights = pieces.weights(query, key, lacks, scores[0, : len(query), rows])
                by_score = torch.bmm(to_out, values[video, group].transpose(1, 2), out=scores[1, : len(query), rows])
                pieces.hide(by_score).sub_(shared[video, group, rows]).mul_(weights)
                torch.bmm(by_score, key, out=by_query[video, group, rows])
                pieces.add(by_key[video], group, by_score.transpose(1, 2) @ query)
                pieces.add(by_value[video], group, pieces.hide(weights).transpose(1, 2) @ to_out)
        return by_query.flatten(1, 2), pieces.gathered(by_key), pieces.gathered(by_value), None, None
