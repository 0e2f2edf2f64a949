"""A training that is killed at any moment and gone on with ends bit by bit where an undisturbed one ends."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from keyseg.cli.main import run as keyseg
from keyseg.inference import bundle
from keyseg.timeline import OutputExistsError, TrainingError
from keyseg.training import checkpoints, fit, results
from keyseg.training.checkpoints import AtomicCheckpointIO, EveryEpoch
from keyseg.training.module import RTKModule

SPLIT1 = Path("split1") / "seed0"

# Where to die: an attribute of a module or class, at which call (from 1), and whether before or behind the call.
# The calibration has 2 epochs of 5 videos and no validation, the training 4 epochs of 6, validated at the 2nd and 4th.
DEATHS = {
    "in the first epoch of all": (RTKModule, "training_step", 3, "before"),
    "in the middle of an epoch": (RTKModule, "training_step", 10 + 6 + 4, "before"),
    "in the calibration, behind an epoch": (AtomicCheckpointIO, "save_checkpoint", 1, "behind"),
    "before the rename of a checkpoint": (checkpoints.os, "fsync", 2 + 2, "behind"),
    "behind the rename of a checkpoint": (AtomicCheckpointIO, "save_checkpoint", 2 + 3, "behind"),
    "behind the last checkpoint": (AtomicCheckpointIO, "save_checkpoint", 2 + 4, "behind"),
    "while choosing rules": (fit, "choose_rules", 2, "before"),
    "in a validation": (RTKModule, "validation_step", 2, "before"),
    "behind a validation, before its epoch's checkpoint": (RTKModule, "on_validation_epoch_end", 1, "behind"),
    "between training and bundle": (fit, "save_bundle", 1, "before"),
    "in the middle of the bundle": (bundle, "save_file", 1, "behind"),
    "between bundle and scores": (results, "score_fit", 1, "before"),
}


def die_at(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, call: int, when: str) -> None:
    """Kill this process hard at a call of owner.name."""
    original, calls = getattr(owner, name), 0

    def deadly(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*arguments, **options)
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    monkeypatch.setattr(owner, name, deadly)


@pytest.mark.parametrize("death", DEATHS)
def test_killed_and_gone_on_with_is_as_never_killed(
    death: str, workshop: Any, finished: Any, outcome: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = workshop.start(tmp_path / "run")
    with monkeypatch.context() as patch:
        die_at(patch, *DEATHS[death])
        assert workshop.in_child(lambda: workshop.finish(run), tmp_path / "log") == -signal.SIGKILL, (
            tmp_path / "log"
        ).read_text()
    workshop.finish(workshop.start(tmp_path / "run", resume=True))

    assert outcome(tmp_path / "run" / SPLIT1) == outcome(finished.folder / SPLIT1)
    left = sorted(path.name for path in (tmp_path / "run" / SPLIT1).iterdir() if not path.name.startswith(".bundle"))
    assert left == sorted(path.name for path in (finished.folder / SPLIT1).iterdir())
    results_there = json.loads((finished.folder / "results.json").read_text())
    results_here = json.loads((tmp_path / "run" / "results.json").read_text())
    for found in (results_here, results_there):
        assert all(cost["seconds"] > 0 for cost in found.pop("cost").values())
    assert results_here == results_there


def test_killed_from_outside_on_the_command_line(workshop: Any, outcome: Any, tmp_path: Path) -> None:
    """A real `keyseg train` in its own process, killed with -9 as soon as it has done an epoch of the final training."""
    options = [word for change in (*workshop.changes, "optimiser.epochs=10") for word in ("--set", change)]
    command = ["train", str(workshop.data), *options]
    process = subprocess.Popen(
        [sys.executable, "-m", "keyseg", *command, "--out", str(tmp_path / "killed")], stderr=subprocess.PIPE, text=True
    )
    checkpoint = tmp_path / "killed" / SPLIT1 / "last.ckpt"
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    _, messages = process.communicate()
    assert process.returncode == -signal.SIGKILL, messages
    assert not (tmp_path / "killed" / SPLIT1 / "bundle").exists()

    assert keyseg([*command, "--out", str(tmp_path / "killed"), "--resume"]) == 0
    assert keyseg([*command, "--out", str(tmp_path / "whole")]) == 0
    same = ("bundle/weights.safetensors", "scores.json")  # the config names the command, which differs
    here, there = (outcome(tmp_path / folder / SPLIT1, same) for folder in ("killed", "whole"))
    # In that process validation came at every fifth epoch, here at every second: only losses can be compared.
    for found in (here, there):
        history = found.pop("history")
        assert sorted(history) == list(range(10))
        found["losses"] = {epoch: {k: v for k, v in row.items() if "loss" in k} for epoch, row in history.items()}
    assert here == there


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_interrupting_says_how_to_go_on(
    sent: signal.Signals, workshop: Any, finished: Any, outcome: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = [word for change in workshop.changes for word in ("--set", change)]
    command = ["train", str(workshop.data), "--out", str(tmp_path / "run"), *options]

    def interrupted() -> int:
        step, calls = RTKModule.training_step, []

        def signalled(self: RTKModule, *batch: Any) -> Any:
            calls.append(batch)
            if len(calls) == 10 + 6 + 4:
                os.kill(os.getpid(), sent)
            return step(self, *batch)

        monkeypatch.setattr(RTKModule, "training_step", signalled)
        return keyseg(command)

    assert workshop.in_child(interrupted, tmp_path / "log") == 1
    said = (tmp_path / "log").read_text()
    assert "interrupted; what was done is kept: the same command with --resume goes on" in said
    assert "Traceback" not in said
    assert keyseg([*command, "--resume"]) == 0
    same = ("bundle/weights.safetensors", "scores.json")
    assert outcome(tmp_path / "run" / SPLIT1, same) == outcome(finished.folder / SPLIT1, same)


def test_finished_trainings_are_picked_up_and_seeds_and_splits_added(
    workshop: Any, finished: Any, outcome: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    trained: list[tuple[int, int]] = []
    original = results.run_fit

    def counted(fit: Any, provenance: dict[str, str]) -> Any:
        trained.append((fit.split, fit.seed))
        return original(fit, provenance)

    monkeypatch.setattr(results, "run_fit", counted)
    workshop.finish(workshop.start(folder, resume=True))
    assert trained == []
    run = workshop.start(folder, seeds=(1,), resume=True)
    assert run.seeds == (0, 1)
    summary = workshop.finish(run)
    assert trained == [(1, 1)]
    assert summary["seeds"] == [0, 1]
    assert "f1@50 sd" in summary["last_epoch"]["rtk"]
    workshop.finish(workshop.start(folder, splits=(2,), seeds=(1,), resume=True))
    assert trained == [(1, 1), (2, 0), (2, 1)]
    assert outcome(folder / SPLIT1) == outcome(finished.folder / SPLIT1)
    weights = {(folder / f"split1/seed{seed}/bundle/weights.safetensors").read_bytes() for seed in (0, 1)}
    assert len(weights) == 2  # another seed comes to other weights


@pytest.fixture(scope="module")
def stopped(workshop: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without calibration that was killed behind its first checkpoint. Not to be changed."""
    run = workshop.start(tmp_path_factory.mktemp("stopped") / "run", "calibration.holdout=0")
    with pytest.MonkeyPatch.context() as patch:
        die_at(patch, AtomicCheckpointIO, "save_checkpoint", 1, "behind")
        assert workshop.in_child(lambda: workshop.finish(run)) == -signal.SIGKILL
    return run.folder


@pytest.mark.parametrize(
    "damage",
    {
        "cut off": lambda path: path.write_bytes(path.read_bytes()[:-1000]),
        "empty": lambda path: path.write_bytes(b""),
        "another file": lambda path: path.write_text("not a checkpoint"),
        "no training's": lambda path: torch.save({"weights": torch.zeros(3)}, path),
        "no mapping": lambda path: torch.save([1, 2], path),
    }.items(),
    ids=lambda case: case[0],
)
def test_damaged_checkpoint_is_named_with_what_to_do(
    damage: tuple[str, Callable[[Path], Any]], stopped: Path, workshop: Any, tmp_path: Path
) -> None:
    shutil.copytree(stopped, tmp_path / "run")
    damage[1](tmp_path / "run" / SPLIT1 / "last.ckpt")
    run = workshop.start(tmp_path / "run", "calibration.holdout=0", resume=True)
    with pytest.raises(TrainingError, match=r"last\.ckpt: .*; delete it to start this training anew") as caught:
        workshop.finish(run)
    assert caught.value.exit_code == 1


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
    with pytest.raises(TrainingError, match=r"last\.ckpt: not a checkpoint that can be resumed from"):
        AtomicCheckpointIO().load_checkpoint(file)
    with pytest.raises(TrainingError):  # whatever Lightning asks for
        AtomicCheckpointIO().load_checkpoint(file, weights_only=False)
    assert not mark.exists()
    torch.load(file, weights_only=False) if how == "torch" else pickle.loads(file.read_bytes())
    assert mark.exists()  # so it was a trap


def test_checkpoint_is_replaced_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, writer = tmp_path / "deep" / "last.ckpt", AtomicCheckpointIO()
    writer.save_checkpoint({"state_dict": {"a": torch.zeros(2)}, "epoch": 1}, file)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.os, "fsync", lambda _: (_ for _ in ()).throw(OSError("no space left")))
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


def test_another_recipe_or_data_set_is_refused_by_name(workshop: Any, finished: Any, tmp_path: Path) -> None:
    folder = finished.folder
    with pytest.raises(
        TrainingError, match=r"another recipe: optimiser.epochs is 4 there and 5 now; repeat its options"
    ):
        workshop.start(folder, "optimiser.epochs=5", resume=True)
    with pytest.raises(
        TrainingError, match=r"network.backbone.channels is 8 there and 10 now; losses.keep is 1.0 there and 2.0 now"
    ):
        workshop.start(folder, "losses.keep=2", "network.backbone.channels=10", resume=True)
    other = workshop.write(tmp_path / "other")
    with pytest.raises(TrainingError, match=r"was trained on .*set, not on .*other; choose another --out"):
        workshop.start(folder, data=other, resume=True)


def test_what_is_there_is_not_overwritten(workshop: Any, tmp_path: Path) -> None:
    run = workshop.start(tmp_path / "run")
    with pytest.raises(OutputExistsError, match="holds a run; --resume goes on with it, --force starts anew"):
        workshop.start(tmp_path / "run")
    mark = tmp_path / "run" / "mark"
    mark.touch()
    workshop.start(tmp_path / "run", resume=True)
    assert mark.exists()
    workshop.start(tmp_path / "run", seeds=(7,), force=True)
    assert not mark.exists()
    assert json.loads((tmp_path / "run" / "run.json").read_text())["seeds"] == [7]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").touch()
    for options in ({}, {"resume": True}, {"force": True}):
        with pytest.raises(OutputExistsError, match="mine is not empty and not a run of keyseg; choose another --out"):
            workshop.start(tmp_path / "mine", **options)
    assert (tmp_path / "mine" / "letter.txt").exists()
    assert run.splits == (1,)
