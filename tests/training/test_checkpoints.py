"""Checkpoint files: whole or not at all, without anything that could run, and the counts that continue in them."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from keyseg.timeline import TrainingError
from keyseg.training.checkpoints import AtomicCheckpointIO, EveryEpoch


class Executes:
    """Unpickled, it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_checkpoint_with_code_in_it_is_refused_and_nothing_is_executed(how: str, tmp_path: Path) -> None:
    file, mark = tmp_path / "last.ckpt", tmp_path / "executed"
    content = {"state_dict": {}, "callbacks": Executes(mark)}
    file.write_bytes(pickle.dumps(content))
    if how == "torch":
        torch.save(content, file)
    with pytest.raises(TrainingError, match=r"last\.ckpt: not a checkpoint that training can resume from"):
        AtomicCheckpointIO().load_checkpoint(file)
    with pytest.raises(TrainingError):  # whatever Lightning asks for
        AtomicCheckpointIO().load_checkpoint(file, weights_only=False)
    assert not mark.exists()
    torch.load(file, weights_only=False) if how == "torch" else pickle.loads(file.read_bytes())
    assert mark.exists()  # so it was a trap


@pytest.mark.parametrize(
    "content",
    [
        {"epoch": 1},
        {"state_dict": [1]},
        {"state_dict": {"a": "text"}},
        {"state_dict": {"a": torch.tensor([torch.nan])}},
    ],
)
def test_checkpoint_without_finite_weights_is_refused(content: Any, tmp_path: Path) -> None:
    file = tmp_path / "last.ckpt"
    torch.save(content, file)
    with pytest.raises(TrainingError, match=r"last\.ckpt: not a checkpoint that training can resume from"):
        AtomicCheckpointIO().load_checkpoint(file)


@pytest.mark.parametrize("share", [0, 0.3, 0.9, 0.999])
def test_checkpoint_that_is_cut_off_is_refused(share: float, tmp_path: Path) -> None:
    file = tmp_path / "last.ckpt"
    torch.save({"state_dict": {"a": torch.zeros(1000)}}, file)
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    with pytest.raises(TrainingError, match=r"last\.ckpt: not a checkpoint that training can resume from"):
        AtomicCheckpointIO().load_checkpoint(file)


def test_checkpoint_is_replaced_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, writer = tmp_path / "deep" / "last.ckpt", AtomicCheckpointIO()
    writer.save_checkpoint({"state_dict": {"a": torch.zeros(2)}, "epoch": 1}, file)
    with monkeypatch.context() as patch:
        patch.setattr("keyseg.timeline.files.os.fsync", lambda _: (_ for _ in ()).throw(OSError("no space left")))
        with pytest.raises(OSError, match="no space left"):
            writer.save_checkpoint({"state_dict": {}, "epoch": 2}, file)
    assert writer.load_checkpoint(file)["epoch"] == 1
    writer.save_checkpoint({"state_dict": {}, "epoch": 3}, file)
    assert writer.load_checkpoint(file)["epoch"] == 3
    assert [path.name for path in file.parent.iterdir()] == ["last.ckpt"]
    writer.remove_checkpoint(file)
    writer.remove_checkpoint(file)
    assert not file.exists()


def test_the_cost_goes_on_counting_and_the_losses_of_the_last_epoch_are_logged_again() -> None:
    logged: list[Any] = []
    logger = SimpleNamespace(log_metrics=lambda metrics, step: logged.append((metrics, step)), save=lambda: None)
    trainer = SimpleNamespace(
        loggers=[logger],
        callback_metrics={"loss": torch.tensor(3.0), "loss/keep": torch.tensor(0.5), "rtk/acc": torch.tensor(9.0)},
        current_epoch=2,
        global_step=18,
        save_checkpoint=lambda path: None,
    )
    first, second = EveryEpoch(Path("last.ckpt")), EveryEpoch(Path("last.ckpt"))
    first.on_fit_start(trainer, None)
    assert logged == []
    first.seconds = 1000.0
    first.on_train_epoch_end(trainer, None)
    second.load_state_dict(first.state_dict())
    second.on_fit_start(trainer, None)
    # Not the scores: they were logged before the checkpoint, and may be those of an earlier epoch.
    assert logged == [({"loss": 3.0, "loss/keep": 0.5, "epoch": 2}, 17)]
    second.on_train_epoch_end(trainer, None)
    assert 1000 < first.seconds < second.seconds < 1100
