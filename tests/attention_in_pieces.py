"""What CPUs compute of attention, for tests that give queries, keys and values."""

import torch
from torch import Tensor, nn

from keyseg.models.cpu_attention import Projections, Window, window_attention
from keyseg.models.layers import kept


def in_pieces(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, window: int, convention: Window = "published"
) -> Tensor:
    """`local_attention` by `window_attention`, with projections that each pick their part of the channels."""
    channels, both = query.shape[1], torch.cat((query, key), dim=1)
    pick = torch.eye(2 * channels, dtype=query.dtype)
    parts = pick[:channels], pick[channels:], torch.eye(value.shape[1], dtype=query.dtype)
    to = Projections(*map(picking, parts))
    return kept(window_attention(both, value, to, mask, window, convention), mask)


def picking(weight: Tensor) -> nn.Conv1d:
    """A 1x1 convolution with this weight (C, D) and no bias to speak of."""
    made = nn.Conv1d(weight.shape[1], weight.shape[0], 1, dtype=weight.dtype)
    made.weight.data, made.bias.data = weight[:, :, None], torch.zeros_like(made.bias)
    return made
