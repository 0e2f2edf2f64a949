"""The training step and the validation of any system, as a Lightning module."""

from __future__ import annotations

from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from keyseg.data.batches import Batch
from keyseg.inference.predictor import Predictor
from keyseg.metrics import OVERLAPS
from keyseg.metrics.torch_metrics import FrameAccuracy, SegmentalEdit, SegmentalF1
from keyseg.timeline import LabelMap, TrainingError
from keyseg.training.objective import Objective
from keyseg.training.settings import Recipe


class SegmentationModule(L.LightningModule):
    """A network with its objective; validation uses the Predictor that users call."""

    def __init__(self, recipe: Recipe, objective: Objective, predictor: Predictor, seed: int) -> None:
        super().__init__()
        self.recipe = recipe
        self.seed = seed
        self.model = predictor.model
        self.objective = objective
        self.predictor = predictor
        self._trained_on: tuple[str, ...] = ()  # videos of the previous step
        self.scores = torch.nn.ModuleDict({variant: _score_set(predictor.labels) for variant in predictor.variants})

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """The sum of the objective's losses, weighted so that a step of the optimiser takes the mean over its batches.

        These are `optimiser.accumulate` neighbouring batches of an epoch in each process; the last step of an epoch may
        have fewer. Where losses are means over videos, as the frame losses are, and batches are of one size, the
        gradient is that of one batch of all these videos. `clip_norm` limits the norm of the mean. Learning rates
        follow epochs, so they do not depend on the number of steps.
        """
        losses = self.objective.losses(self.model, batch, self.current_epoch)
        total = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(total):
            raise TrainingError(self._not_finite(batch.names, losses))
        self._trained_on = batch.names
        how: dict[str, Any] = {"on_epoch": True, "on_step": False, "batch_size": len(batch.names), "sync_dist": True}
        self.log_dict({f"loss/{name}": value.detach() for name, value in losses.items()}, **how)
        self.log("loss", total.detach(), prog_bar=True, **how)
        return total * self._weight(batch_index)

    def _weight(self, batch_index: int) -> float:
        """1, or more in an incomplete last group of an epoch: Lightning divides by `accumulate` there too."""
        accumulate = self.recipe.optimiser.accumulate
        left = int(self.trainer.num_training_batches) - batch_index // accumulate * accumulate
        return accumulate / min(accumulate, left)

    def _not_finite(self, names: tuple[str, ...], losses: dict[str, Tensor]) -> str:
        parts = ", ".join(f"{name} {value.item():.4g}" for name, value in losses.items())
        broken = not all(parameter.isfinite().all() for parameter in self.parameters())
        cause = f", since the previous step, on {', '.join(self._trained_on)}, broke the weights" if broken else ""
        return (
            f"the loss is not finite in epoch {self.current_epoch + 1} of {self.recipe.epochs} on"
            f" {', '.join(names)} ({parts}){cause}; look at the features there, or lower optimiser.learning_rate"
        )

    def on_validation_start(self) -> None:
        """Check the weights as after an epoch."""
        self.on_train_epoch_end()

    def on_train_epoch_end(self) -> None:
        """Raise TrainingError before weights that are not finite are used or kept as this epoch's checkpoint."""
        if not all(parameter.isfinite().all() for parameter in self.parameters()):
            raise TrainingError(
                f"the weights are not finite after epoch {self.current_epoch + 1}, whose last step was on"
                f" {', '.join(self._trained_on)}; look at the features there, or lower optimiser.learning_rate"
            )

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Score every variant of the system on one video at the annotation rate."""
        if not self.objective.is_whole(self.current_epoch):
            return
        refine = self.objective.refines(self.current_epoch)
        for features, mask, reference in zip(batch.features, batch.mask, batch.segmentations, strict=True):
            output = self.predictor.run(features[:, mask].T, refine=refine)
            target = torch.from_numpy(reference.to_frames())
            for variant in self.predictor.variants:
                prediction = self.predictor.decode(output, frames=reference.length, variant=variant)
                frames = torch.from_numpy(prediction.segmentation.to_frames())
                for metric in self._scores(variant).values():
                    metric.update(frames.to(self.device), target.to(self.device))

    def on_validation_epoch_end(self) -> None:
        """Log the scores of every variant and reset them."""
        if not self.objective.is_whole(self.current_epoch):
            return
        for variant in self.predictor.variants:
            for name, metric in self._scores(variant).items():
                value = metric.compute().float()
                metric.reset()
                self.log(f"{variant}/{name}", value, rank_zero_only=True)
                if (variant, name) == (self.predictor.variants[0], "f1@50"):
                    self.log("F1@50", value, prog_bar=True, logger=False, rank_zero_only=True)

    def _scores(self, variant: str) -> dict[str, Metric]:
        return dict(self.scores[variant].items())  # type: ignore[operator]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam over the objective's groups, in one pass over all weights except in mixed precision."""
        settings = self.recipe.optimiser
        groups = [{"params": parameters} for parameters in self.objective.groups(self.model)]
        fused = self.trainer.precision == "32-true"  # in mixed precision Lightning clips no gradients of a fused Adam
        return torch.optim.Adam(groups, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=fused)

    def on_train_epoch_start(self) -> None:
        """Seed and schedule depend on seed and epoch alone, so that a resumed run repeats an epoch exactly."""
        entropy = np.random.SeedSequence((self.seed, self.current_epoch, self.global_rank))
        L.seed_everything(int(entropy.generate_state(1)[0]), verbose=False)
        groups = self.optimizers().param_groups  # type: ignore[union-attr]
        for group, options in zip(groups, self.objective.rates(self.current_epoch), strict=True):
            group.update(options)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Move the tensors of a batch."""
        return batch.to(device)


def _score_set(labels: LabelMap) -> torch.nn.ModuleDict:
    background = sorted(labels.background_ids)
    scores: dict[str, Metric] = {"acc": FrameAccuracy(), "edit": SegmentalEdit(background)}
    scores |= {f"f1@{round(100 * overlap)}": SegmentalF1(overlap, background) for overlap in OVERLAPS}
    return torch.nn.ModuleDict(scores)
