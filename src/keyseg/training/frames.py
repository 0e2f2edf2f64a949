"""MS-TCN++ and ASFormer: cross-entropy and smoothing of every stage, one learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from keyseg.criteria.frame import FrameLossConfig, frame_loss
from keyseg.data.batches import Batch
from keyseg.training.objective import Objective, learning_rate
from keyseg.training.settings import OptimiserConfig


class FrameObjective(Objective):
    """Of a network whose stages are frame classifiers."""

    def __init__(self, losses: FrameLossConfig, optimiser: OptimiserConfig) -> None:
        super().__init__()
        self.config = losses
        self.optimiser = optimiser

    def losses(self, network: Any, batch: Batch, epoch: int) -> dict[str, Tensor]:
        """The frame loss, summed over stages."""
        stages = network(batch.features, batch.mask).stages
        return {"frame": frame_loss(stages, batch.labels, batch.mask, self.config.smoothing, self.config.limit)}

    def groups(self, network: Any) -> list[list[nn.Parameter]]:
        """One."""
        return [list(network.parameters())]

    def rates(self, epoch: int) -> Sequence[dict[str, float]]:
        """As the recipe's schedule says."""
        return ({"lr": learning_rate(self.optimiser, epoch)},)
