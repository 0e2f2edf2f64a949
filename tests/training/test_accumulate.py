"""Accumulated gradients: the steps, the rates and the checkpoints of batches as large as the accumulated ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import Callback

from keyseg.training.module import SegmentationModule
from keyseg.training.recipe import load_recipe
from keyseg.training.results import read_history
from keyseg.training.run import start_run

SPLIT1 = Path("split1") / "seed0"
# Nothing random, and losses that are means over videos: then the mean gradient of batches is that of their videos.
PLAIN = (
    "model=ms-tcn++",
    "network.channels=8",
    "network.generator_layers=2",
    "network.refinements=1",
    "network.refinement_layers=2",
    "network.dropout=0",
    "optimiser.epochs=2",
)


class Gradients(Callback):
    """The gradient and the learning rate of every step of the optimiser."""

    def __init__(self) -> None:
        self.seen: list[torch.Tensor] = []
        self.rates: list[float] = []

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        if trainer.global_step == len(self.seen):
            return  # no step was taken
        (optimizer,) = trainer.optimizers
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        self.seen.append(torch.cat([p.grad.flatten() for p in parameters]).clone())
        self.rates.append(optimizer.param_groups[0]["lr"])


def watched(workshop: Any, folder: Path, *changes: str) -> Gradients:
    """Train on six videos for two epochs."""
    seen = Gradients()
    recipe = load_recipe(None, (*PLAIN, *changes))
    workshop.finish(start_run(folder, workshop.data, recipe, (1,), (0,), "keyseg train"), seen)
    return seen


@pytest.mark.parametrize("together", [2, 4])
def test_steps_are_those_of_batches_as_large(together: int, workshop: Any, tmp_path: Path) -> None:
    """Of six videos, 4 leave a last step of 2: there too the gradient is the mean over its videos."""
    one = watched(workshop, tmp_path / "one", f"optimiser.batch_size={together}")
    two = watched(workshop, tmp_path / "two", f"optimiser.accumulate={together}")
    assert len(one.seen) == len(two.seen) == 2 * -(-6 // together)
    for expected, gradient in zip(one.seen, two.seen, strict=True):
        scale = float(expected.abs().max())
        torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-3 * scale)
    assert one.rates == two.rates
    assert len(set(two.rates)) == 2  # one for each epoch
    losses = [[row["loss"] for row in read_history(tmp_path / run / SPLIT1).values()] for run in ("one", "two")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)  # the logged loss is that of the videos, not of the step


def test_more_than_there_are_videos_is_one_step_per_epoch(workshop: Any, tmp_path: Path) -> None:
    one = watched(workshop, tmp_path / "one", "optimiser.batch_size=6")
    two = watched(workshop, tmp_path / "two", "optimiser.accumulate=100")
    assert len(two.seen) == 2
    torch.testing.assert_close(two.seen[0], one.seen[0], rtol=0, atol=1e-3 * float(one.seen[0].abs().max()))


def test_the_norm_of_the_mean_is_what_is_clipped(workshop: Any, tmp_path: Path) -> None:
    free = watched(workshop, tmp_path / "free", "optimiser.accumulate=3").seen
    limit = 0.5 * float(free[0].norm())
    clipped = watched(workshop, tmp_path / "clipped", "optimiser.accumulate=3", f"optimiser.clip_norm={limit}").seen
    assert float(clipped[0].norm()) == pytest.approx(limit, rel=1e-4)
    torch.testing.assert_close(clipped[0], free[0] / 2)


def test_a_training_stopped_between_the_batches_of_a_step_resumes_bit_by_bit(
    workshop: Any, outcome: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second epoch is stopped at its fourth video, of which two had been accumulated for the second step."""
    workshop.finish(workshop.start(tmp_path / "whole", "optimiser.accumulate=2"))
    step, calls = SegmentationModule.training_step, 0

    def stopped(self: SegmentationModule, *batch: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 6 + 4:
            raise RuntimeError("stopped")
        return step(self, *batch)

    with monkeypatch.context() as patch:
        patch.setattr(SegmentationModule, "training_step", stopped)
        with pytest.raises(RuntimeError, match="stopped"):
            workshop.finish(workshop.start(tmp_path / "run", "optimiser.accumulate=2"))
    workshop.finish(workshop.start(tmp_path / "run", "optimiser.accumulate=2", resume=True))
    assert outcome(tmp_path / "run" / SPLIT1) == outcome(tmp_path / "whole" / SPLIT1)
    steps = torch.load(tmp_path / "run" / SPLIT1 / "last.ckpt", weights_only=True)["global_step"]
    assert steps == 4 * 3  # epochs, and steps of each
