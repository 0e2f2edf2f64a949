"""Losses and learning rates: the part of training that differs from system to system."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from keyseg.criteria.frame import frame_loss
from keyseg.data.batches import Batch
from keyseg.timeline import LabelMap
from keyseg.training.augmentation import mix_segments
from keyseg.training.settings import FrameRecipe, OptimiserConfig


class Objective(nn.Module, ABC):
    """Losses of a network and the learning rates of its parts. Epochs count from 0.

    Parameters of the objective itself are learnt along with the network's and left out of the bundle.
    """

    @abstractmethod
    def losses(self, network: Any, batch: Batch, epoch: int) -> dict[str, Tensor]:
        """Weighted losses of one batch by name; their sum is minimised."""

    @abstractmethod
    def groups(self, network: Any) -> list[list[nn.Parameter]]:
        """All parameters, in groups that share a rate."""

    @abstractmethod
    def rates(self, epoch: int) -> Sequence[dict[str, float]]:
        """Options of Adam for each group in an epoch: `lr`, and `weight_decay` if it changes. They depend on the epoch
        alone."""

    def is_whole(self, epoch: int) -> bool:
        """Whether the whole system is trained in an epoch, so that it can be validated."""
        return True

    def refines(self, epoch: int) -> bool:
        """Whether the network's refinement, if it has one, takes part in an epoch's validation."""
        return True


def scheduled(settings: OptimiserConfig, rate: float, epoch: int, start: int, end: int) -> float:
    """A learning rate in an epoch: constant, or half a cosine from `start` to 0 at `end`."""
    return rate if settings.schedule == "constant" else rate * cosine(epoch, start, end)


def cosine(epoch: int, start: int, end: int) -> float:
    """Factor of a learning rate: 1 until `start`, then half a cosine to 0 at `end`."""
    share = min(1.0, max(0.0, (epoch - start) / max(1, end - start)))
    return 0.5 * (1 + math.cos(math.pi * share))


class FrameObjective(Objective):
    """Cross-entropy and smoothing loss of every stage, and one learning rate: MS-TCN++ and ASFormer."""

    def __init__(self, recipe: FrameRecipe, labels: LabelMap) -> None:
        super().__init__()
        self.recipe = recipe

    def losses(self, network: Any, batch: Batch, epoch: int) -> dict[str, Tensor]:
        """The frame loss, summed over stages."""
        share, config = self.recipe.augmentation.mixed_segments, self.recipe.losses
        stages = network(mix_segments(batch.features, batch.labels, batch.mask, share), batch.padding).stages
        return {"frame": frame_loss(stages, batch.labels, batch.mask, config.smoothing, config.limit)}

    def groups(self, network: Any) -> list[list[nn.Parameter]]:
        """All parameters share one rate."""
        return [list(network.parameters())]

    def rates(self, epoch: int) -> Sequence[dict[str, float]]:
        """The rate of the recipe's schedule."""
        settings = self.recipe.optimiser
        return ({"lr": scheduled(settings, settings.learning_rate, epoch, 0, settings.epochs)},)
