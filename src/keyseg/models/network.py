"""What the networks of all systems have in common."""

from __future__ import annotations

from typing import Any

from torch import nn


class Network(nn.Module):
    """A network that reads features (B, D, T) with their mask (B, T).

    config: its sizes, a pydantic model. input_dim: D, channels of the features. classes: C.
    """

    def __init__(self, config: Any, input_dim: int, classes: int) -> None:
        super().__init__()
        self.config = config
        self.input_dim = input_dim
        self.classes = classes
