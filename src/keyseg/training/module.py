"""The training step and the validation of RTK, as a Lightning module."""

from __future__ import annotations

import math
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from keyseg.criteria.rtk import Reference, RTKCriterion, make_reference
from keyseg.data.batches import Batch
from keyseg.inference.decoding import propose
from keyseg.inference.predictor import VARIANTS, Predictor
from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints
from keyseg.matching.nodes import annotated_keypoints, keypoint_nodes
from keyseg.metrics import OVERLAPS
from keyseg.metrics.torch_metrics import FrameAccuracy, SegmentalEdit, SegmentalF1
from keyseg.models.refinement import KeypointMaps
from keyseg.models.rtk import RTK, RTKOutput
from keyseg.timeline import LabelMap, TimeBase, TrainingError
from keyseg.training.recipe import Recipe


class RTKModule(L.LightningModule):
    """RTK with its criterion; validation runs the Predictor that users run."""

    def __init__(self, recipe: Recipe, labels: LabelMap, timebase: TimeBase, input_dim: int, seed: int) -> None:
        super().__init__()
        self.recipe = recipe
        self.seed = seed
        self.model = RTK(recipe.network, input_dim, len(labels))
        self.criterion = RTKCriterion(recipe.losses, recipe.matching)
        self.predictor = Predictor(
            self.model, labels, timebase, input_dim, recipe.proposals, recipe.rules, recipe.rules, refine=False
        )
        self._trained_on: tuple[str, ...] = ()  # the videos of the step before
        self.scores = torch.nn.ModuleDict({variant: _score_set(labels) for variant in VARIANTS})

    @property
    def joined(self) -> bool:
        """Whether matching and refinement take part in this epoch."""
        return self.current_epoch >= self.recipe.matching.join_epoch

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Keypoints at every epoch; once joined, their matching to the annotation and their refinement."""
        losses = self.losses(batch, joined=self.joined)
        total = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(total):
            raise TrainingError(self._not_finite(batch.names, losses))
        self._trained_on = batch.names
        how: dict[str, Any] = {"on_epoch": True, "on_step": False, "batch_size": len(batch.names), "sync_dist": True}
        self.log_dict({f"loss/{name}": value.detach() for name, value in losses.items()}, **how)
        self.log("loss", total.detach(), prog_bar=True, **how)
        return total

    def _not_finite(self, names: tuple[str, ...], losses: dict[str, Tensor]) -> str:
        parts = ", ".join(f"{name} {value.item():.4g}" for name, value in losses.items())
        broken = not all(parameter.isfinite().all() for parameter in self.parameters())
        cause = f", for the step before, on {', '.join(self._trained_on)}, broke the weights" if broken else ""
        return (
            f"the loss is not finite in epoch {self.current_epoch + 1} of {self.recipe.optimiser.epochs} on"
            f" {', '.join(names)} ({parts}){cause}; look at the features there, or lower optimiser.learning_rate"
        )

    def on_validation_start(self) -> None:
        """As behind an epoch."""
        self.on_train_epoch_end()

    def on_train_epoch_end(self) -> None:
        """Raise TrainingError before weights that are not finite are used or kept as this epoch's checkpoint."""
        if not all(parameter.isfinite().all() for parameter in self.parameters()):
            raise TrainingError(
                f"the weights are not finite behind epoch {self.current_epoch + 1}, whose last step was on"
                f" {', '.join(self._trained_on)}; look at the features there, or lower optimiser.learning_rate"
            )

    def losses(self, batch: Batch, *, joined: bool) -> dict[str, Tensor]:
        """Weighted losses by name of one batch."""
        reference = make_reference(batch.labels, batch.mask, len(self.predictor.labels))
        output = self.model(batch.features, batch.mask)
        losses = self.criterion.keypoints(output, reference)
        if joined and all(value.isfinite() for value in losses.values()):  # else there is nothing to match
            losses |= self._context_losses(output, reference)
        return losses

    def _context_losses(self, output: RTKOutput, reference: Reference) -> dict[str, Tensor]:
        maps = output.maps()
        if self.recipe.matching.stop_gradient:
            maps = maps.detach()
        proposals = [self._propose(maps, index) for index in range(len(maps.mask))]
        nodes = keypoint_nodes(proposals, self.device)
        annotated = keypoint_nodes([annotated_keypoints(s) for s in reference.segmentations], self.device)
        source = self.model.refine(maps, nodes)
        target = self.model.refiner.graph(maps, annotated)
        return self.criterion.context(source, target, proposals, nodes, reference)

    def _propose(self, maps: KeypointMaps, index: int) -> tuple[ActionKeypoints, BoundaryKeypoints]:
        present = maps.mask[index]
        action = maps.action[index, :, present].detach().float().cpu().numpy()
        boundary = maps.boundary[index, present].detach().float().cpu().numpy()
        return propose(action, boundary, self.recipe.proposals)

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Score every variant of the system on one video at the annotation rate."""
        self.predictor.refine = self.joined
        for features, mask, reference in zip(batch.features, batch.mask, batch.segmentations, strict=True):
            reading = self.predictor.read(features[:, mask].T.cpu().numpy())
            target = torch.from_numpy(reference.to_frames())
            for variant in VARIANTS:
                prediction = self.predictor.interpret(reading, frames=reference.length, variant=variant)
                frames = torch.from_numpy(prediction.segmentation.to_frames())
                for metric in self._scores(variant).values():
                    metric.update(frames.to(self.device), target.to(self.device))

    def on_validation_epoch_end(self) -> None:
        """Log the scores of every variant and start anew."""
        for variant in VARIANTS:
            for name, metric in self._scores(variant).items():
                value = metric.compute().float()
                metric.reset()
                self.log(f"{variant}/{name}", value, rank_zero_only=True)
                if (variant, name) == ("rtk", "f1@50"):
                    self.log("F1@50", value, prog_bar=True, logger=False, rank_zero_only=True)

    def _scores(self, variant: str) -> dict[str, Metric]:
        return dict(self.scores[variant].items())  # type: ignore[operator]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam over two groups: the keypoint generator, and the refinement with its matcher."""
        settings = self.recipe.optimiser
        context = [*self.model.refiner.parameters(), *self.criterion.parameters()]
        generator = [*self.model.backbone.parameters(), *self.model.head.parameters()]
        groups = [
            {"params": generator, "lr": settings.learning_rate},
            {"params": context, "lr": settings.context_learning_rate},
        ]
        return torch.optim.Adam(groups, weight_decay=settings.weight_decay)

    def on_train_epoch_start(self) -> None:
        """Everything random or scheduled follows from seed and epoch alone, so that a resumed run repeats an epoch.

        The generator's rate falls by a cosine from the first epoch, the refinement's from the epoch it joins.
        """
        L.seed_everything(hash_seed(self.seed, self.current_epoch, self.global_rank), verbose=False)
        settings = self.recipe.optimiser
        generator, context = self.optimizers().param_groups  # type: ignore[union-attr]
        generator["lr"] = settings.learning_rate * _cosine(self.current_epoch, 0, settings.epochs)
        join = self.recipe.matching.join_epoch
        context["lr"] = settings.context_learning_rate * _cosine(self.current_epoch, join, settings.epochs)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Move a batch's tensors."""
        return batch.to(device)


def hash_seed(seed: int, epoch: int, rank: int = 0) -> int:
    """A 32-bit seed for one epoch of one process."""
    return int(np.random.SeedSequence((seed, epoch, rank)).generate_state(1)[0])


def _cosine(epoch: int, start: int, end: int) -> float:
    """Factor of the learning rate: 1 until `start`, then half a cosine to 0 at `end`."""
    share = min(1.0, max(0.0, (epoch - start) / max(1, end - start)))
    return 0.5 * (1 + math.cos(math.pi * share))


def _score_set(labels: LabelMap) -> torch.nn.ModuleDict:
    background = sorted(labels.background_ids)
    scores: dict[str, Metric] = {"acc": FrameAccuracy(), "edit": SegmentalEdit(background)}
    scores |= {f"f1@{round(100 * overlap)}": SegmentalF1(overlap, background) for overlap in OVERLAPS}
    return torch.nn.ModuleDict(scores)
