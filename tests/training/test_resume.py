"""A training that is killed at any moment and resumed ends bit by bit as an undisturbed one does."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from keyseg.cli.main import run as keyseg
from keyseg.inference import bundle
from keyseg.timeline import TrainingError
from keyseg.training import checkpoints, complete, running
from keyseg.training.checkpoints import AtomicCheckpointIO
from keyseg.training.module import SegmentationModule

SPLIT1 = Path("split1") / "seed0"

# Where to die: an attribute of a module or class, at which call (from 1), and whether before or after the call.
# The training has 4 epochs of 6 videos and is validated at the 2nd and 4th.
DEATHS = {
    "in the first epoch of all": (SegmentationModule, "training_step", 3, "before"),
    "in the middle of an epoch": (SegmentationModule, "training_step", 6 + 4, "before"),
    "before the rename of a checkpoint": (checkpoints.torch, "save", 2, "after"),
    "after the rename of a checkpoint": (AtomicCheckpointIO, "save_checkpoint", 3, "after"),
    "after the last checkpoint": (AtomicCheckpointIO, "save_checkpoint", 4, "after"),
    "in a validation": (SegmentationModule, "validation_step", 2, "before"),
    "after a validation, before its epoch's checkpoint": (SegmentationModule, "on_validation_epoch_end", 1, "after"),
    "between training and bundle": (complete, "save_bundle", 1, "before"),
    "in the middle of the bundle": (bundle, "write_bytes", 1, "after"),
    "between bundle and scores": (running, "score_fit", 1, "before"),
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


# Of a final model that starts from a bundle: 4 epochs of 8 videos, no validation, no scores.
FINAL_DEATHS = {
    "in the first epoch of all": (SegmentationModule, "training_step", 3, "before"),
    "after a checkpoint": (AtomicCheckpointIO, "save_checkpoint", 2, "after"),
    "between training and bundle": (complete, "save_bundle", 1, "before"),
    "between bundle and tables": (running, "summarise", 1, "before"),
}


@pytest.fixture(scope="module")
def final_run(workshop: Any, finished: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    run = workshop.start(tmp_path_factory.mktemp("final") / "run", splits=None, final=True, start=finished.folder)
    workshop.finish(run)
    return run


@pytest.mark.parametrize("death", FINAL_DEATHS)
def test_a_killed_final_model_with_a_start_goes_on_as_never_killed(
    death: str, workshop: Any, finished: Any, final_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"splits": None, "final": True, "start": finished.folder}
    run = workshop.start(tmp_path / "run", **options)
    with monkeypatch.context() as patch:
        die_at(patch, *FINAL_DEATHS[death])
        assert workshop.in_child(lambda: workshop.finish(run)) == -signal.SIGKILL
    summary = workshop.finish(workshop.start(tmp_path / "run", **options, resume=True))
    assert list(summary["final"]) == ["final/seed0"]
    for part in ("weights.safetensors", "config.json"):
        here, there = (folder / "final" / "seed0" / "bundle" / part for folder in (run.folder, final_run.folder))
        assert here.read_bytes() == there.read_bytes()


def test_killed_from_outside_on_the_command_line(workshop: Any, outcome: Any, tmp_path: Path) -> None:
    """A real `keyseg train` in its own process, killed with -9 as soon as an epoch of the final training is done."""
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
def test_interrupting_says_how_to_resume(
    sent: signal.Signals, workshop: Any, finished: Any, outcome: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = [word for change in workshop.changes for word in ("--set", change)]
    command = ["train", str(workshop.data), "--out", str(tmp_path / "run"), *options]

    def interrupted() -> int:
        step, calls = SegmentationModule.training_step, []

        def signalled(self: SegmentationModule, *batch: Any) -> Any:
            calls.append(batch)
            if len(calls) == 6 + 4:
                os.kill(os.getpid(), sent)
            return step(self, *batch)

        monkeypatch.setattr(SegmentationModule, "training_step", signalled)
        return keyseg(command)

    assert workshop.in_child(interrupted, tmp_path / "log") == 130
    log = (tmp_path / "log").read_text()
    assert "interrupted; progress is saved; run the same command to resume, with --resume" in log
    assert "Traceback" not in log
    assert keyseg([*command, "--resume"]) == 0
    same = ("bundle/weights.safetensors", "scores.json")
    assert outcome(tmp_path / "run" / SPLIT1, same) == outcome(finished.folder / SPLIT1, same)


def test_finished_trainings_are_picked_up_and_seeds_and_splits_added(
    workshop: Any, finished: Any, outcome: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    trained: list[tuple[int, int]] = []
    original = running.run_fit

    def counted(fit: Any, *rest: Any) -> Any:
        trained.append((fit.split, fit.seed))
        return original(fit, *rest)

    monkeypatch.setattr(running, "run_fit", counted)
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
    """A run that was killed after its first checkpoint. Not to be changed."""
    run = workshop.start(tmp_path_factory.mktemp("stopped") / "run")
    with pytest.MonkeyPatch.context() as patch:
        die_at(patch, AtomicCheckpointIO, "save_checkpoint", 1, "after")
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
    run = workshop.start(tmp_path / "run", resume=True)
    with pytest.raises(TrainingError, match=r"last\.ckpt: .*; delete it to start this training again") as caught:
        workshop.finish(run)
    assert caught.value.exit_code == 1
