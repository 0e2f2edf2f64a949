"""Two processes under torchrun come to what one process comes to that takes the same videos together.

Not bit by bit: the sums of gradients are rounded in another order, and Adam enlarges the difference where gradients are
small, to the tolerances of the tests below.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from keyseg.timeline import TrainingError
from keyseg.training import fit as fits
from keyseg.training.results import read_history
from keyseg.training.torchrun import ending_together

SPLIT1 = Path("split1") / "seed0"
# Nothing random is left in the network, and no gradient is cut: what differs is only who computes it. Six epochs, since
# `keyseg train` validates at the fifth.
CHANGES = (
    "network.backbone.input_dropout=0",
    "network.backbone.layer_dropout=0",
    "network.head.dropout=0",
    "network.refinement.dropout=0",
    "augmentation.mixed_segments=0",
    "optimiser.clip_norm=1e6",
    "optimiser.epochs=6",
)
FOLDS = ("matching.fit=true", "matching.folds=2")


def torchrun(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a program with two processes that talk over the loopback, to its end."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *words]
    return subprocess.run(launch, capture_output=True, text=True, timeout=1800)


def training(workshop: Any, folder: Path) -> list[str]:
    """The words of `keyseg` that train the workshop's network there, with inner folds."""
    changes = (*workshop.changes, *CHANGES, *FOLDS)
    return ["train", str(workshop.data), "--out", str(folder), *(w for change in changes for w in ("--set", change))]


@pytest.fixture(scope="module")
def together(workshop: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of two processes, a video each at a time."""
    folder = tmp_path_factory.mktemp("together") / "run"
    done = torchrun("-m", "keyseg", *training(workshop, folder))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Last epoch, mean over 1 split(s)") == 1  # only one process prints
    assert done.stderr.count("split 1 seed 0: epoch 6/6") == 1
    return folder


@pytest.fixture(scope="module")
def alone(workshop: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of one process that steps on the mean gradient of two neighbouring videos; without inner folds."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fits, "VALIDATE_EVERY", 5)
        workshop.finish(workshop.start(folder, *CHANGES, "optimiser.accumulate=2"))
    return folder


def test_weights_agree(together: Path, alone: Path) -> None:
    two, one = (load_file(folder / SPLIT1 / "bundle" / "weights.safetensors") for folder in (together, alone))
    assert two.keys() == one.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=1e-4, msg=name)


def test_losses_agree(together: Path, alone: Path) -> None:
    two, one = (read_history(folder / SPLIT1) for folder in (together, alone))
    assert sorted(two) == sorted(one) == list(range(6))
    for epoch, row in one.items():
        losses = {name: value for name, value in row.items() if "loss" in name}
        assert {name: two[epoch][name] for name in losses} == pytest.approx(losses, rel=1e-3)


def test_validation_scores_every_video_once(together: Path, alone: Path) -> None:
    """Scores of variants without a match, which only one of the runs learnt."""
    two, one = (read_history(folder / SPLIT1)[5] for folder in (together, alone))
    names = [name for name in one if name.startswith(("frame-wise/", "rtk-no-rules/"))]
    assert len(names) == 10
    assert {name: two[name] for name in names} == pytest.approx({name: one[name] for name in names}, abs=1e-4)


def test_files_are_written_once(together: Path, alone: Path) -> None:
    def names(folder: Path) -> list[str]:
        found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
        return sorted(str(path) for path in found if "inner" not in path.parts and "tfevents" not in path.name)

    assert names(together) == sorted([*names(alone), "report.html"])  # the page is the command's
    assert len(list((together / SPLIT1 / "tensorboard" / "version_0").glob("events*"))) == 1
    inner = together / "split1" / "inner"
    assert {path.name for path in inner.glob("fold*")} == {"fold1-mixed0.npz", "fold2-mixed0.npz"}
    chosen = json.loads((inner / "chosen.json").read_text())
    config = json.loads((together / SPLIT1 / "bundle" / "config.json").read_text())
    match = config["decoder"].get("match")
    assert (match and match["weights"]) == chosen["match"]["weights"]
    cost = json.loads((together / SPLIT1 / "cost.json").read_text())
    assert cost["seconds"] > 0
    assert cost["processes"] == 2
    assert ", 2 processes, " in (together / "results.md").read_text()


def test_when_one_process_is_killed_the_other_ends_and_both_resume_bit_by_bit(
    together: Path, workshop: Any, tmp_path: Path
) -> None:
    """The second is killed in the third epoch. The inner folds are those of the whole run."""
    folder = tmp_path / "run"
    shutil.copytree(together / "split1" / "inner", folder / "split1" / "inner")
    shutil.copy(together / "run.json", folder)
    command = [*training(workshop, folder), "--resume"]
    killed = torchrun(str(Path(__file__).with_name("dying_process.py")), *command)
    assert killed.returncode == 1
    # torchrun asks the other to end too, which may come first
    assert re.search(r"another of the 2 processes ended|interrupted; progress is saved", killed.stderr)
    assert "bug in keyseg" not in killed.stderr
    assert torch.load(folder / SPLIT1 / "last.ckpt", weights_only=True)["epoch"] == 1
    assert not (folder / SPLIT1 / "bundle").exists()

    resumed = torchrun("-m", "keyseg", *command)
    assert resumed.returncode == 0, resumed.stderr
    for name in ("bundle/weights.safetensors", "scores.json"):
        assert (folder / SPLIT1 / name).read_bytes() == (together / SPLIT1 / name).read_bytes(), name


@pytest.mark.parametrize(
    ("error", "processes", "is_explained"),
    [
        (RuntimeError("[gloo/transport/tcp/pair.cc:553] Connection closed by peer"), "2", True),
        (torch.distributed.DistBackendError("NCCL error: remote process exited"), "2", True),
        (torch.distributed.DistNetworkError("Connection reset by peer"), "2", True),
        (RuntimeError("[gloo/transport/tcp/pair.cc:553] Connection closed by peer"), "1", False),
        (torch.OutOfMemoryError("CUDA out of memory"), "2", False),
        (RuntimeError("shapes cannot be multiplied"), "2", False),
    ],
)
def test_only_lost_connections_are_blamed_on_another_process(
    error: Exception, processes: str, is_explained: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", processes)
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(TrainingError if is_explained else type(error)) as raised, ending_together():
        raise error
    assert ("process 1: another of the 2 processes ended" in str(raised.value)) == is_explained
