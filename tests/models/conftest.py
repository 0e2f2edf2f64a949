"""Ragged batches with garbage in their padding."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

torch.set_num_threads(1)


def _ragged(lengths: Sequence[int], channels: int, *, extra: int = 0, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random features (B, D, T) and mask (B, T), with T the longest length plus `extra`; masked values are large."""
    generator = torch.Generator().manual_seed(seed)
    size = max(lengths) + extra
    mask = torch.arange(size) < torch.tensor(lengths)[:, None]
    features = torch.randn(len(lengths), channels, size, generator=generator)
    garbage = 1e3 * torch.randn(features.shape, generator=generator)
    return features.where(mask[:, None], garbage), mask


@pytest.fixture(scope="session")
def ragged() -> Callable[..., tuple[Tensor, Tensor]]:
    return _ragged
