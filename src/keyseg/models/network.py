"""What the networks of all systems have in common."""

from __future__ import annotations

from typing import Any

from torch import nn


class Network(nn.Module):
    """A network that reads features (B, D, T) with their mask (B, T), which is None where all steps exist.

    config: its sizes, a pydantic model. input_dim: D, channels of the features. classes: C.
    """

    def __init__(self, config: Any, input_dim: int, classes: int) -> None:
        super().__init__()
        self.config = config
        self.input_dim = input_dim
        self.classes = classes

    def class_offsets(self, weight: str) -> tuple[int, ...]:
        """Where the classes begin on an axis of a weight that has a place for each of them, once or several times.

        weight: its name in the state dict. A training that starts from a network with other classes needs to know it.
        """
        return (0,)
