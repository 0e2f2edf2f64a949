"""MS-TCN++ and ASFormer: cross-entropy and smoothing loss of every stage, one learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from keyseg.criteria.frame import frame_loss
from keyseg.data.batches import Batch
from keyseg.timeline import LabelMap
from keyseg.training.objective import Objective, learning_rate
from keyseg.training.settings import FrameRecipe


class FrameObjective(Objective):
    """For a network whose stages are frame classifiers."""

    def __init__(self, recipe: FrameRecipe, labels: LabelMap) -> None:
        super().__init__()
        self.recipe = recipe

    def losses(self, network: Any, batch: Batch, epoch: int) -> dict[str, Tensor]:
        """The frame loss, summed over stages."""
        stages, config = network(batch.features, batch.mask).stages, self.recipe.losses
        return {"frame": frame_loss(stages, batch.labels, batch.mask, config.smoothing, config.limit)}

    def groups(self, network: Any) -> list[list[nn.Parameter]]:
        """All parameters share one rate."""
        return [list(network.parameters())]

    def rates(self, epoch: int) -> Sequence[dict[str, float]]:
        """The rate of the recipe's schedule."""
        return ({"lr": learning_rate(self.recipe.optimiser, epoch)},)
