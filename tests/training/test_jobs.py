"""Trainings side by side: the same weights, errors that name their training, and nothing left running."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from keyseg.cli.main import run as keyseg
from keyseg.data.folders import claimed
from keyseg.timeline import ConfigError
from keyseg.training import choice
from keyseg.training.jobs import finished_futures, gpus_in_turn, processes, run_side_by_side
from keyseg.training.train import train

SAME = ("bundle/weights.safetensors", "scores.json")


def options(workshop: Any, *changes: str) -> list[str]:
    return [word for change in (*workshop.changes, *changes) for word in ("--set", change)]


@pytest.mark.slow
def test_side_by_side_is_as_one_after_the_other(workshop: Any, outcome: Any, tmp_path: Path) -> None:
    """Two splits with inner folds, and a second seed of the first that shares them."""
    words = ["train", str(workshop.data), "--split", "all", "--seed", "0", "1", *options(workshop)]
    words += ["--set", "matching.fit=true", "--set", "matching.folds=2"]
    assert keyseg([*words, "--out", str(tmp_path / "one")]) == 0
    assert keyseg([*words, "--out", str(tmp_path / "two"), "--jobs", "2"]) == 0
    for place in ("split1/seed0", "split1/seed1", "split2/seed0", "split2/seed1"):
        here, there = (outcome(tmp_path / run / place, SAME) for run in ("one", "two"))
        for found in (here, there):  # in the processes validation came at other epochs
            found["losses"] = [row["loss"] for row in found.pop("history").values()]
        assert here == there, place
        chosen = [json.loads((tmp_path / run / place / "chosen.json").read_text()) for run in ("one", "two")]
        assert chosen[0]["match"] == chosen[1]["match"]
    tables = [json.loads((tmp_path / run / "results.json").read_text()) for run in ("one", "two")]
    assert tables[0]["last_epoch"] == tables[1]["last_epoch"]
    assert tables[1]["seeds"] == [0, 1]
    assert {cost["threads"] for cost in tables[1]["cost"].values()} == {1}


@pytest.mark.slow
def test_the_inner_folds_of_a_single_training_run_side_by_side(
    workshop: Any, outcome: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the same choice and weights; a fold that was trained before is not repeated."""
    pools: list[int] = []
    monkeypatch.setattr(choice, "processes", lambda jobs: pools.append(jobs) or processes(jobs))
    words = ["train", str(workshop.data), *options(workshop, "augmentation.mixed_segments=fit", "matching.fit=true")]
    assert keyseg([*words, "--out", str(tmp_path / "one")]) == 0
    assert pools == []
    assert keyseg([*words, "--out", str(tmp_path / "two"), "--jobs", "3"]) == 0
    assert pools == [3]
    here, there = (tmp_path / run / "split1" for run in ("one", "two"))
    assert outcome(here / "seed0", SAME) == outcome(there / "seed0", SAME)
    chosen = [json.loads((place / "seed0" / "chosen.json").read_text()) for place in (here, there)]
    assert (chosen[0]["mixing"], chosen[0]["match"]) == (chosen[1]["mixing"], chosen[1]["match"])
    (there / "inner" / "chosen.json").unlink()
    next((there / "inner").glob("fold1-*.npz")).unlink()
    other = next((there / "inner").glob("fold2-*.npz"))
    before = other.stat().st_mtime_ns
    shutil.rmtree(there / "seed0")
    assert keyseg([*words, "--out", str(tmp_path / "two"), "--jobs", "3", "--resume"]) == 0
    assert other.stat().st_mtime_ns == before
    assert outcome(here / "seed0", SAME) == outcome(there / "seed0", SAME)


@pytest.mark.slow
def test_a_training_that_fails_is_named_and_the_others_finish(workshop: Any, tmp_path: Path, capsys: Any) -> None:
    data = workshop.write(tmp_path / "set")
    (data / "features").rename(data / "features_split1")
    (data / "features_split2").mkdir()
    for path in (data / "features_split1").iterdir():
        features = np.load(path)
        np.save(data / "features_split2" / path.name, np.full_like(features, np.nan))
    words = ["train", str(data), "--split", "all", "--out", str(tmp_path / "run"), "--jobs", "3", *options(workshop)]
    assert keyseg(words) == 1
    message = capsys.readouterr().err
    assert "error: 1 of 2 trainings failed" in message
    assert "run/split2/seed0: " in message
    assert "not finite" in message or "NaN" in message
    assert "split1/seed0: " not in message
    assert (tmp_path / "run" / "split1" / "seed0" / "scores.json").exists()
    assert json.loads((tmp_path / "run" / "results.json").read_text())["splits"] == [1]


@pytest.mark.slow
@pytest.mark.parametrize("sent", ["SIGINT", "SIGTERM", "SIGKILL"])
@pytest.mark.skipif(os.name == "nt", reason="Windows sends no signals to one process")
def test_an_interruption_stops_all_processes_and_keeps_checkpoints(workshop: Any, sent: str, tmp_path: Path) -> None:
    words = ["train", str(workshop.data), "--split", "all", "--out", str(tmp_path / "run"), "--jobs", "2"]
    words += options(workshop, "optimiser.epochs=200")
    process = subprocess.Popen([sys.executable, "-m", "keyseg", *words], stderr=subprocess.PIPE, text=True)
    trainings = [tmp_path / "run" / f"split{split}" / "seed0" for split in (1, 2)]
    while not all((folder / "last.ckpt").exists() for folder in trainings) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.Signals[sent])
    _, messages = process.communicate(timeout=60)  # the pipe is open as long as a process holds it
    if sent != "SIGKILL":
        assert process.returncode == 130, messages
        assert messages.splitlines()[-1] == (
            "interrupted; progress is saved; run the same command to resume, with --resume"
        )
    for folder in trainings:
        assert not (folder / "bundle").exists()
        with claimed(folder) as mine:
            assert mine  # no process holds it any more
        assert torch.load(folder / "last.ckpt", weights_only=True)["epoch"] >= 0


def test_gpus_are_dealt_out_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert gpus_in_turn(3) == ["0", "1", "0"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-7")
    assert gpus_in_turn(3) == ["4", "GPU-7", "4"]
    for none in ("", " "):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", none)
        assert gpus_in_turn(2) == [None, None]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert gpus_in_turn(2) == [None, None]


@pytest.mark.slow
def test_a_process_knows_its_gpu_and_its_share_of_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    with processes(2) as pool:
        futures = [pool.submit(os.getenv, name) for name in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")]
        assert sorted(str(future.result()) for future in finished_futures(futures)) == ["3", "7"]


@pytest.mark.parametrize(
    ("jobs", "environment", "message"),
    [
        (0, {}, "--jobs takes a number >= 1, got 0"),
        (2, {"TORCHELASTIC_RUN_ID": "1"}, "starts processes of its own: leave it out, or run without torchrun"),
    ],
)
def test_what_cannot_run_side_by_side_is_refused_before_anything_is_written(
    jobs: int, environment: dict[str, str], message: str, workshop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=message):
        train(workshop.data, out=tmp_path / "run", jobs=jobs)
    assert not (tmp_path / "run").exists()


def test_callbacks_that_no_process_can_import_are_refused(workshop: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="callbacks is a function at the top of a module"):
        run_side_by_side([workshop.start(tmp_path / "run")], lambda fit: (), 2)


@pytest.mark.slow
def test_finished_trainings_start_no_process(finished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keyseg.training.jobs.processes", None)
    run_side_by_side([finished], sorted, 2)  # any function of a module will do
