"""Two processes under torchrun come to what one process comes to that takes the same videos together."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from keyseg.training import fit as fits
from keyseg.training.results import read_history

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


@pytest.fixture(scope="module")
def together(workshop: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of two processes, a video each at a time."""
    folder = tmp_path_factory.mktemp("together") / "run"
    changes = (*workshop.changes, *CHANGES, "matching.fit=true", "matching.folds=2")
    options = [word for change in changes for word in ("--set", change)]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "keyseg"]
    command = ["train", str(workshop.data), "--out", str(folder), *options]
    done = subprocess.run([*launch, *command], capture_output=True, text=True, timeout=1800)
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
    assert json.loads((together / SPLIT1 / "cost.json").read_text())["seconds"] > 0
