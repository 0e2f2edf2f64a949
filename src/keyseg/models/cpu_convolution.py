"""Dilated convolution on a CPU: one product of matrices per place of the kernel, added in place, part by part.

PyTorch copies the input once per place first, which takes about as long again for the widths and dilations of networks
for action segmentation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_AT_ONCE = 4096  # steps: 1 MiB of 64 channels, which stay in the cache while all places are added


class ShiftedProducts(torch.autograd.Function):
    """x: (B, C, T), weight: (C', C, K) of odd K, bias: (C',) -> (B, C', T), with zeros beyond the ends."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, dilation: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.dilation = dilation
        return _products(x, weight, bias, dilation)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None]:
        x, weight = ctx.saved_tensors
        by_weight = weight.new_zeros(weight.shape[2], *weight.shape[:2])
        for source, to_out in zip(x, gradient, strict=True):
            for place, read, written in _shifts(weight.shape[2], ctx.dilation, x.shape[2], slice(0, x.shape[2])):
                by_weight[place].addmm_(to_out[:, written], source[:, read].T)
        by_x = None
        if ctx.needs_input_grad[0]:
            by_x = _products(gradient, weight.transpose(0, 1).flip(2), weight.new_zeros(x.shape[1]), ctx.dilation)
        return by_x, by_weight.permute(1, 2, 0), gradient.sum((0, 2)), None


def _products(x: Tensor, weight: Tensor, bias: Tensor, dilation: int) -> Tensor:
    places, length = weight.permute(2, 0, 1).contiguous(), x.shape[2]
    out = x.new_empty(len(x), len(weight), length)
    for source, target in zip(x, out, strict=True):
        for first in range(0, length, _AT_ONCE):
            part = slice(first, min(length, first + _AT_ONCE))
            for place, read, written in _shifts(len(places), dilation, length, part):
                if read == written:  # the first
                    torch.addmm(bias[:, None], places[place], source[:, read], out=target[:, written])
                else:
                    target[:, written].addmm_(places[place], source[:, read])
    return out


def _shifts(places: int, dilation: int, length: int, part: slice) -> Iterator[tuple[int, slice, slice]]:
    """Each place of a kernel, the middle first, with the steps that it reads and those of a part that it adds to."""
    middle = places // 2
    for place in (middle, *range(middle), *range(middle + 1, places)):
        shift = (place - middle) * dilation
        start, stop = max(part.start, -shift), min(part.stop, length - shift)
        if start < stop:
            yield place, slice(start + shift, stop + shift), slice(start, stop)
