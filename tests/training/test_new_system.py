"""A system of one's own: one network with its recipe, one line in each of the two tables, and every verb knows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from keyseg.cli.main import run as keyseg
from keyseg.inference.decoders import FrameDecoder
from keyseg.inference.systems import SYSTEMS, System
from keyseg.models.network import Network
from keyseg.models.stages import FrameOutput, classified
from keyseg.training.objective import FrameObjective
from keyseg.training.settings import FrameRecipe, PeerOptimiserConfig
from keyseg.training.systems import TRAINABLE, TrainableSystem


class ToyConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    width: int = 5


class Toy(Network):
    def __init__(self, config: ToyConfig, input_dim: int, classes: int) -> None:
        super().__init__(config, input_dim, classes)
        self.classify = nn.Conv1d(input_dim, classes, config.width, padding="same")

    def forward(self, features: Tensor, mask: Tensor) -> FrameOutput:
        return classified((self.classify(features) * mask[:, None])[None], mask)


class ToyRecipe(FrameRecipe):
    model: str = "toy"
    network: ToyConfig = ToyConfig()
    optimiser: PeerOptimiserConfig = PeerOptimiserConfig(epochs=4, learning_rate=0.05)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SYSTEMS, "toy", System("toy", "Toy network", ToyConfig, Toy, FrameDecoder))
    monkeypatch.setitem(TRAINABLE, "toy", TrainableSystem(ToyRecipe, FrameObjective))


def test_two_lines_add_a_system_to_every_verb(toy: None, workshop: Any, tmp_path: Path, capsys: Any) -> None:
    run, data = tmp_path / "table" / "toy", str(workshop.data)
    assert keyseg(["train", data, "--model", "toy", "--out", str(run), "--set", "network.width=3"]) == 0
    assert "| Toy network | " in capsys.readouterr().out
    bundle = run / "split1" / "seed0" / "bundle"
    config = json.loads((bundle / "config.json").read_text())
    assert (config["model"], config["network"]) == ("toy", {"width": 3})
    assert config["decoder"] == {"kind": "frames"}
    assert keyseg(["eval", str(run)]) == 0
    video = workshop.data / "features" / "v6.npy"
    assert keyseg(["predict", str(bundle), str(video), "--out", str(tmp_path / "timelines")]) == 0
    assert (tmp_path / "timelines" / "v6.txt").read_text() == (bundle.parent / "predictions" / "v6.txt").read_text()
    capsys.readouterr()
    assert keyseg(["reproduce", "table1", data, "--models", "toy", "--out", str(tmp_path / "table")]) == 0
    assert "| Toy network | " in capsys.readouterr().out


def test_wrong_keys_of_its_network_and_its_name_are_explained(
    toy: None, workshop: Any, tmp_path: Path, capsys: Any
) -> None:
    words = ["train", str(workshop.data), "--out", str(tmp_path / "run"), "--model"]
    assert keyseg([*words, "toy", "--set", "network.widht=3"]) == 2
    assert "unknown key 'network.widht' (did you mean 'width'?); known here: width" in capsys.readouterr().err
    assert keyseg([*words, "tow"]) == 2
    assert "no system 'tow' (did you mean 'toy'?)" in capsys.readouterr().err
