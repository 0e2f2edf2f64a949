"""Losses and weights that are not finite stop a training with the video's name, and are never kept."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback

from keyseg.cli.main import run as keyseg
from keyseg.criteria.rtk import RTKCriterion
from keyseg.timeline import TrainingError
from keyseg.training.checkpoints import AtomicCheckpointIO

SPLIT1 = Path("split1") / "seed0"


class Breaks(Callback):
    """Sets a weight to NaN after a step of an epoch."""

    def __init__(self, epoch: int, step: int) -> None:
        self.where = (epoch, step)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if (trainer.current_epoch, batch_idx) == self.where:
            with torch.no_grad():
                next(pl_module.model.parameters()).view(-1)[0] = float("nan")


def checkpoint_of(folder: Path) -> dict[str, Any]:
    return AtomicCheckpointIO().load_checkpoint(folder / SPLIT1 / "last.ckpt")


def test_a_loss_that_is_not_finite_stops_with_video_and_epoch(
    workshop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keypoints, calls = RTKCriterion.keypoints, []

    def planted(self: RTKCriterion, output: Any, reference: Any) -> Any:
        losses = keypoints(self, output, reference)
        calls.append(None)
        return losses | ({"boundary": losses["boundary"] * float("inf")} if len(calls) == 6 + 6 + 2 else {})

    monkeypatch.setattr(RTKCriterion, "keypoints", planted)
    options = [word for change in workshop.changes for word in ("--set", change)]
    assert keyseg(["train", str(workshop.data), "--out", str(tmp_path / "run"), *options]) == 1
    message = capsys.readouterr().err
    order = np.random.default_rng((0, 2)).permutation(6)  # of epoch 2
    assert f"error: the loss is not finite in epoch 3 of 4 on v{order[1]} (" in message
    assert "boundary inf" in message
    assert "look at the features there, or lower optimiser.learning_rate" in message
    assert "broke the weights" not in message
    assert "Traceback" not in message
    assert not (tmp_path / "run" / SPLIT1 / "bundle").exists()
    assert checkpoint_of(tmp_path / "run")["epoch"] == 1


def test_features_out_of_all_proportion_are_named_though_the_next_loss_shows_it(workshop: Any, tmp_path: Path) -> None:
    shutil.copytree(workshop.data, tmp_path / "set")
    path = tmp_path / "set" / "features" / "v3.npy"
    np.save(path, np.load(path) * np.float32(1e30))
    run = workshop.start(tmp_path / "run", "matching.join_epoch=9", data=tmp_path / "set")
    with pytest.raises(
        TrainingError, match=r"not finite in epoch 1 of 4 on v\d .*on v3, broke the weights; look at the"
    ):
        workshop.finish(run)


def test_weights_broken_by_a_step_are_distinguished_from_a_bad_video(workshop: Any, tmp_path: Path) -> None:
    """Also while matching takes part, which cannot read heatmaps of NaN."""
    run = workshop.start(tmp_path / "run")
    last, video = np.random.default_rng((0, 1)).permutation(6)[2:4]
    losses = r"\(action nan, boundary nan, frame nan\)"
    words = rf"not finite in epoch 2 of 4 on v{video} {losses}, since the previous step, on v{last}, broke the weights"
    with pytest.raises(TrainingError, match=words):
        workshop.finish(run, Breaks(1, 2))


@pytest.mark.parametrize("epoch", [2, 3])
def test_weights_that_are_not_finite_are_never_kept(epoch: int, workshop: Any, tmp_path: Path) -> None:
    """The last step of an epoch has no next loss to show it: neither checkpoint nor bundle may hold such weights."""
    run = workshop.start(tmp_path / "run")
    with pytest.raises(
        TrainingError, match=rf"weights are not finite after epoch {epoch + 1}, whose last step was on v\d"
    ):
        workshop.finish(run, Breaks(epoch, 5))
    kept = checkpoint_of(tmp_path / "run")
    assert kept["epoch"] == epoch - 1
    assert all(value.isfinite().all() for value in kept["state_dict"].values())
    assert not (tmp_path / "run" / SPLIT1 / "bundle").exists()
    workshop.finish(workshop.start(tmp_path / "run", resume=True))
