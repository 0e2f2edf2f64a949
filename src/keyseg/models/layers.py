"""Masked temporal layers: a padded batch gives the same results as its videos one by one.

A mask is (B, T) bool, True where a step exists, or None where all do: then nothing is multiplied by it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated

import torch
from pydantic import AfterValidator, Field
from torch import Tensor, nn
from torch.nn import functional as F

from keyseg.models.cpu_convolution import ShiftedProducts
from keyseg.timeline import ConfigError


def odd(size: int) -> int:
    """`size` itself. Raises ConfigError if it is even, since only an odd window keeps the length."""
    if size % 2 == 0:
        raise ConfigError(f"a window over steps must be odd to keep the length, and {size} is even")
    return size


def kept(x: Tensor, mask: Tensor | None) -> Tensor:
    """(B, C, T) with zeros where no step exists."""
    return x if mask is None else x * mask[:, None, :]


def added(hidden: Tensor, x: Tensor) -> Tensor:
    """hidden + x, in the place of `hidden`, whose former values no gradient may need, unless x is more precise.

    For long videos allocations cost as much as the products.
    """
    return hidden.add_(x) if torch.promote_types(hidden.dtype, x.dtype) == hidden.dtype else hidden + x


def mask_of(x: Tensor, mask: Tensor | None) -> Tensor:
    """The mask (B, T) of x (B, C, T), also where all steps exist."""
    return torch.ones(x.shape[0], x.shape[2], dtype=torch.bool, device=x.device) if mask is None else mask


_by_formula = ContextVar("_by_formula", default=False)


@contextmanager
def by_formula() -> Iterator[None]:
    """Compute everything as on other devices in this context, so that operations are counted as papers count them."""
    token = _by_formula.set(True)
    try:
        yield
    finally:
        _by_formula.reset(token)


def on_cpu(x: Tensor) -> bool:
    """Whether what is made for CPUs computes this: float32 or double there, unless the network is being exported."""
    if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64) or torch.is_autocast_enabled("cpu"):
        return False
    return not (torch.compiler.is_compiling() or _by_formula.get())


OddSize = Annotated[int, Field(ge=1), AfterValidator(odd)]


class MaskedConv1d(nn.Conv1d):
    """Temporal convolution that keeps the length and reads zeros outside the mask, as beyond a video's ends."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, *, dilation: int = 1) -> None:
        padding = dilation * (odd(kernel_size) // 2)
        super().__init__(in_channels, out_channels, kernel_size, padding=padding, dilation=dilation)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:  # type: ignore[override]
        """x: (B, C, T), mask: (B, T) -> (B, C', T), zero outside the mask."""
        x = kept(x, mask)
        if self.kernel_size[0] > 1 and on_cpu(x):
            out: Tensor = ShiftedProducts.apply(  # type: ignore[no-untyped-call]
                x, self.weight, self.bias, self.dilation[0]
            )
        else:
            out = super().forward(x)
        return kept(out, mask)


class Dropout(nn.Dropout):
    """Dropout; on a CPU by uniform numbers, which PyTorch draws four times as fast there as its own choices."""

    def forward(self, x: Tensor) -> Tensor:
        """Of any shape; unchanged in evaluation."""
        if not self.training or self.p == 0 or not on_cpu(x):
            return super().forward(x)
        return x * torch.rand_like(x).ge_(self.p).div_(1 - self.p)


def masked_mean(x: Tensor, mask: Tensor | None) -> Tensor:
    """Mean over the valid steps: (B, C, T), (B, T) -> (B, C, 1); 0 for an empty sequence."""
    if mask is None:
        return x.sum(2, keepdim=True) / max(1, x.shape[2])
    present = mask[:, None, :].to(x.dtype)
    return (x * present).sum(2, keepdim=True) / present.sum(2, keepdim=True).clamp_min(1)


def instance_norm(x: Tensor, mask: Tensor | None, eps: float = 1e-5) -> Tensor:
    """Instance normalisation over the valid steps (Ulyanov et al. 2016): (B, C, T), (B, T) -> (B, C, T)."""
    if mask is None and not torch.compiler.is_compiling():
        return F.layer_norm(x, x.shape[2:], eps=eps)  # twice as fast on a CPU as PyTorch's own instance_norm
    centred = kept(x - masked_mean(x, mask), mask)
    return centred * torch.rsqrt(masked_mean(centred.square(), mask) + eps)


class SqueezeExcitation(nn.Module):
    """Channel gates from the mean over the whole video (Hu et al. 2018; supplement, section C)."""

    def __init__(self, channels: int, *, reduction: int = 8) -> None:
        super().__init__()
        squeezed = max(1, channels // reduction)
        self.squeeze = nn.Conv1d(channels, squeezed, 1)
        self.excite = nn.Conv1d(squeezed, channels, 1)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """(B, C, T), (B, T) -> (B, C, T)."""
        return x * torch.sigmoid(self.excite(torch.relu(self.squeeze(masked_mean(x, mask)))))


def average_pool(x: Tensor, mask: Tensor | None, kernel_size: int) -> Tensor:
    """Moving average over the valid steps: (B, C, T) -> (B, C, T)."""
    present = mask_of(x, mask)[:, None, :].to(x.dtype)
    pad = odd(kernel_size) // 2
    total = F.avg_pool1d(kept(x, mask), kernel_size, 1, pad)
    share = F.avg_pool1d(present, kernel_size, 1, pad)
    return kept(total / share.clamp_min(1e-6), mask)


def positional_encoding(length: int, channels: int, device: torch.device) -> Tensor:
    """Sines and cosines of the step index (Vaswani et al. 2017): (1, channels, length)."""
    step = torch.arange(length, device=device, dtype=torch.float32)
    rate = torch.exp(torch.arange(0, channels, 2, device=device) * (-math.log(10_000.0) / channels))
    angle = rate[:, None] * step
    return torch.stack((angle.sin(), angle.cos()), dim=1).flatten(0, 1)[None, :channels]
