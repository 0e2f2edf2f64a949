"""BCN's training: the barrier generator alone, then the cascade with the generator frozen, then both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from keyseg.criteria.bcn import barrier_loss, barrier_target, cascade_losses
from keyseg.data.batches import Batch
from keyseg.models.bcn import BCN, class_confidence, stage_weights
from keyseg.timeline import LabelMap, Segmentation
from keyseg.training.augmentation import mix_segments
from keyseg.training.objective import Objective, scheduled
from keyseg.training.settings import BCNRecipe


class BCNObjective(Objective):
    """Epochs [0, barrier.epochs) train the barrier generator alone."""

    def __init__(self, recipe: BCNRecipe, labels: LabelMap) -> None:
        super().__init__()
        self.recipe = recipe
        named = {labels.id(name) for name in recipe.barrier.background if name in labels.names}
        self.background = named | labels.background_ids

    def is_whole(self, epoch: int) -> bool:
        """False while only the barrier generator is trained."""
        return epoch >= self.recipe.barrier.epochs

    def losses(self, network: BCN, batch: Batch, epoch: int) -> dict[str, Tensor]:
        """The barrier loss, or those of cascade and fusion, stages weighted by the probability of the true class."""
        if not self.is_whole(epoch):
            return {"barrier": self._barrier_loss(network, batch)}
        share = self.recipe.augmentation.mixed_segments
        cascade = network.cascade(mix_segments(batch.features, batch.labels, batch.mask, share), batch.padding)
        confidence = class_confidence(cascade.logits, batch.labels, batch.mask)
        weights = stage_weights(confidence, batch.mask, network.config.sure)
        return cascade_losses(cascade, network.fuse(cascade, weights), weights, batch.labels, self.recipe.losses)

    def _barrier_loss(self, network: BCN, batch: Batch) -> Tensor:
        target = torch.zeros(batch.mask.shape)
        for row, labels, present in zip(target, batch.labels.cpu(), batch.mask.cpu(), strict=True):
            segmentation = Segmentation.from_frames(labels[present].numpy())
            band = barrier_target(segmentation, self.background, self.recipe.barrier.share)
            row[: segmentation.length] = torch.from_numpy(band)
        barrier = network.barrier(batch.features, batch.padding)
        return barrier_loss(barrier, target.to(barrier.device), batch.mask)

    def groups(self, network: Any) -> list[list[nn.Parameter]]:
        """Cascade and fusion in one group, the barrier generator in the other."""
        return [[*network.stages.parameters(), *network.fusion.parameters()], list(network.barrier.parameters())]

    def rates(self, epoch: int) -> Sequence[dict[str, float]]:
        """A rate of 0 freezes a group: Adam without weight decay then leaves its weights as they are."""
        barrier, optimiser = self.recipe.barrier, self.recipe.optimiser
        if not self.is_whole(epoch):
            alone = scheduled(optimiser, barrier.learning_rate, epoch, 0, barrier.epochs)
            return {"lr": 0.0}, {"lr": alone, "weight_decay": barrier.weight_decay}
        epoch -= barrier.epochs
        rate = scheduled(optimiser, optimiser.learning_rate, epoch, 0, optimiser.epochs)
        joint = 0.0 if epoch < barrier.frozen_epochs else barrier.joint_rate * rate
        return {"lr": rate}, {"lr": joint, "weight_decay": 0.0}
