"""Dilated convolution on a CPU: one product of matrices per place of the kernel, added in place.

PyTorch copies the input once per place first, which takes about as long again for the widths and dilations of networks
for action segmentation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


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
            for place, read, written in _shifts(weight.shape[2], ctx.dilation, x.shape[2]):
                by_weight[place].addmm_(to_out[:, written], source[:, read].T)
        by_x = None
        if ctx.needs_input_grad[0]:
            by_x = _products(gradient, weight.transpose(0, 1).flip(2), weight.new_zeros(x.shape[1]), ctx.dilation)
        return by_x, by_weight.permute(1, 2, 0), gradient.sum((0, 2)), None


def _products(x: Tensor, weight: Tensor, bias: Tensor, dilation: int) -> Tensor:
    places = weight.permute(2, 0, 1).contiguous()
    out = x.new_empty(len(x), len(weight), x.shape[2])
    for source, target in zip(x, out, strict=True):
        for place, read, written in _shifts(len(places), dilation, x.shape[2]):
            if read == written:  # the first
                torch.addmm(bias[:, None], places[place], source, out=target)
            else:
                target[:, written].addmm_(places[place], source[:, read])
    return out


def _shifts(places: int, dilation: int, length: int) -> Iterator[tuple[int, slice, slice]]:
    """Each place of a kernel, the middle first, with the steps that it reads and those that it adds to."""
    yield places // 2, slice(None), slice(None)
    for place in range(places):
        shift = (place - places // 2) * dilation
        if 0 < abs(shift) < length:
            ahead, behind = slice(abs(shift), None), slice(None, -abs(shift))
            yield (place, ahead, behind) if shift > 0 else (place, behind, ahead)
