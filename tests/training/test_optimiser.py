"""What the recipe says about the optimiser reaches Adam and the gradients of every step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import Callback

from keyseg.training.recipe import load_recipe
from keyseg.training.run import start_run

SMALL = {
    "rtk": (
        "network.backbone.channels=8",
        "network.backbone.encoder_layers=2",
        "network.backbone.decoder_layers=2",
        "network.refinement.channels=16",
        "network.refinement.layers=1",
        "matching.join_epoch=1",
        "matching.fit=false",
        "augmentation.mixed_segments=0.3",
    ),
    "ms-tcn++": ("network.channels=8", "network.generator_layers=2", "network.refinements=1"),
}


class Steps(Callback):
    """The optimiser, and the norm of the gradient with which each step was taken."""

    def __init__(self) -> None:
        self.norms: list[float] = []
        self.groups: list[list[dict[str, Any]]] = []

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        (optimiser,) = trainer.optimizers
        assert type(optimiser) is torch.optim.Adam
        self.groups.append([{k: v for k, v in group.items() if k != "params"} for group in optimiser.param_groups])
        gradients = [p.grad for group in optimiser.param_groups for p in group["params"] if p.grad is not None]
        self.norms.append(float(torch.stack([gradient.norm() for gradient in gradients]).norm()))


def steps(workshop: Any, folder: Path, system: str, *changes: str) -> Steps:
    """Train for two epochs and watch."""
    recipe = load_recipe(None, (f"model={system}", *SMALL[system], "optimiser.epochs=2", *changes))
    watched = Steps()
    workshop.finish(start_run(folder / "run", workshop.data, recipe, (1,), (0,), "keyseg train"), watched)
    assert len(watched.norms) == 2 * len(workshop.train)
    return watched


@pytest.mark.parametrize("system", SMALL)
@pytest.mark.parametrize("decay", [0.0, 0.0625])
def test_weight_decay_reaches_every_group(system: str, decay: float, workshop: Any, tmp_path: Path) -> None:
    watched = steps(workshop, tmp_path, system, f"optimiser.weight_decay={decay}")
    assert {group["weight_decay"] for groups in watched.groups for group in groups} == {decay}


@pytest.mark.parametrize("system", SMALL)
def test_gradients_are_clipped_to_the_norm(system: str, workshop: Any, tmp_path: Path) -> None:
    free = steps(workshop, tmp_path / "free", system, "optimiser.clip_norm=null").norms
    limit = min(free) / 2
    clipped = steps(workshop, tmp_path / "clipped", system, f"optimiser.clip_norm={limit}").norms
    assert clipped[0] == pytest.approx(limit, rel=1e-4)
    assert max(clipped) <= limit * (1 + 1e-4)
