"""A system of one's own: the package of examples/own_system, installed, and every verb knows it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from keyseg.cli.main import run as keyseg
from keyseg.data.dataset import Dataset
from keyseg.inference.bundle import load, save_bundle
from keyseg.inference.predictor import Predictor
from keyseg.inference.systems import SYSTEMS
from keyseg.metrics import evaluate_labels
from keyseg.timeline import BundleError, ConfigError, LabelMap, TimeBase
from keyseg.toy.kitchen_features import write_toy_kitchen
from keyseg.training.frame_classifier import classify_frames
from keyseg.training.systems import trainable
from plug_in import OWN_SYSTEM, install, install_own_system


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the package is installed into."""
    folder = tmp_path_factory.mktemp("site")
    install_own_system(folder)
    return folder


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(site)


def test_the_package_is_short() -> None:
    files = [OWN_SYSTEM / "pyproject.toml", *OWN_SYSTEM.rglob("*.py")]
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files) < 120


@pytest.mark.slow
def test_its_system_beats_single_frames_in_every_verb(
    installed: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_toy_kitchen(tmp_path / "kitchen", videos=16, test_videos=4)
    table = tmp_path / "table"
    run = table / "as-published" / "own-gru"
    words = ("--set", "network.channels=24")
    assert keyseg(["train", str(data), "--model", "own-gru", "--out", str(run), *words]) == 0
    assert "| Bidirectional GRU | " in capsys.readouterr().out
    bundle = run / "split1" / "seed0" / "bundle"
    config = json.loads((bundle / "config.json").read_text())
    assert (config["model"], config["network"]["channels"], config["decoder"]) == ("own-gru", 24, {"kind": "frames"})
    assert config["provenance"]["package"] == "own-system 0.1.0"
    assert "\n- system of the package own-system 0.1.0\n" in (run / "results.md").read_text()
    assert keyseg(["eval", str(run)]) == 0
    video = sorted((data / "features").iterdir())[-1]
    assert keyseg(["predict", str(bundle), str(video), "--out", str(tmp_path / "timelines")]) == 0
    text = (tmp_path / "timelines" / f"{video.stem}.txt").read_text()
    assert text == (bundle.parent / "predictions" / f"{video.stem}.txt").read_text()

    models = ("--models", "own-gru", "--terms", "as-published")
    assert keyseg(["reproduce", "table1", str(data), *models, "--out", str(table)]) == 0
    assert "| Bidirectional GRU | " in capsys.readouterr().out
    assert ", package own-system 0.1.0, recipe " in (table / "table1.md").read_text()
    rows = json.loads((table / "table1.json").read_text())["blocks"]["as-published"]["rows"]
    dataset = Dataset.open(data)
    single = classify_frames(dataset, 1)
    truth = {name: dataset.annotation(name) for name in single}
    baseline = evaluate_labels(truth, single, background=tuple(dataset.labels.background_ids))
    assert list(rows) == ["own-gru"]
    assert rows["own-gru"]["scores"]["f1@50"] > 2 * baseline.f1[0.5]
    assert rows["own-gru"]["scores"]["acc"] > baseline.acc


def test_a_batch_gives_what_its_videos_give_one_by_one(installed: None) -> None:
    system = SYSTEMS["own-gru"]
    torch.manual_seed(0)
    network = system.network(system.config(channels=4), 7, 3).eval()
    features, mask = torch.randn(2, 7, 9), torch.arange(9) < torch.tensor([[9], [5]])
    both = network(features * mask[:, None], mask).probabilities
    for video, steps in enumerate((9, 5)):
        alone = network(features[video : video + 1, :, :steps], mask[video : video + 1, :steps]).probabilities
        torch.testing.assert_close(both[video : video + 1, :, :steps], alone)
    assert not both[1, :, 5:].any()


def test_wrong_keys_of_its_network_and_its_name_are_explained(
    installed: None, workshop: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", str(workshop.data), "--out", str(tmp_path / "run"), "--model"]
    assert keyseg([*words, "own-gru", "--set", "network.chanels=3"]) == 2
    assert "unknown key 'network.chanels' (did you mean 'channels'?); known here: channels" in capsys.readouterr().err
    assert keyseg([*words, "own-gro"]) == 2
    assert "no system 'own-gro' (did you mean 'own-gru'?)" in capsys.readouterr().err


def bundle_in(folder: Path) -> Path:
    """A bundle of the system with random weights."""
    system = SYSTEMS["own-gru"]
    predictor = Predictor(
        system=system.name,
        model=system.network(system.config(channels=4), input_dim=7, classes=2),
        labels=LabelMap(("background", "cut")),
        timebase=TimeBase(10, 1),
        decoder=system.decoder(),
    )
    return save_bundle(predictor, folder / "bundle", {})


def test_a_bundle_names_its_package_where_that_is_not_installed(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as with_package:
        with_package.syspath_prepend(site)
        bundle = bundle_in(tmp_path)
        assert load(bundle).predict(np.zeros((7, 12), np.float32)).segmentation.length == 12
    with pytest.raises(BundleError) as caught:
        load(bundle)
    assert f"{bundle / 'config.json'}: the network is of the system 'own-gru'" in str(caught.value)
    assert "the package 'own-system 0.1.0' adds, and that is not installed; install it" in str(caught.value)


SYSTEM = """
from keyseg.inference.systems import SYSTEMS, System
from dataclasses import replace
SYSTEM = replace(SYSTEMS["ms-tcn++"], name="NAME", title="Other", training=TRAINING)
"""
TRAINING = """
from keyseg.training.systems import TRAINABLE, TrainableSystem
from keyseg.training.settings import MSTCNRecipe, Recipe
class OtherRecipe(MSTCNRecipe):
    model: str = "another"
NAMED = TrainableSystem(OtherRecipe, TRAINABLE["ms-tcn++"].objective)
class BareRecipe(Recipe):
    model: str = "another"
BARE = TrainableSystem(BareRecipe, TRAINABLE["ms-tcn++"].objective)
"""


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (None, "it cannot be trained, since its System has no `training`"),
        ("ns_nowhere:TRAINING", "ns_nowhere:TRAINING: ModuleNotFoundError: No module named 'ns_nowhere'"),
        ("ns_training:TRAINABLE", "ns_training:TRAINABLE: expected TrainableSystem, got dict"),
        ("ns_training:NAMED", "OtherRecipe: `model` has the default 'another', not 'ns-"),
        ("ns_training:BARE", "BareRecipe: its defaults make no recipe: `network`: Field required"),
    ],
)
def test_a_system_that_cannot_be_trained_names_its_package(
    place: str | None, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = abs(hash(place))
    name, module = f"ns-{number}", f"ns_{number}"
    text = SYSTEM.replace("NAME", name).replace("TRAINING", repr(place))
    install(tmp_path, "new-system", {"keyseg.systems": {name: f"{module}:SYSTEM"}}, **{module: text})
    (tmp_path / "ns_training.py").write_text(TRAINING)
    monkeypatch.syspath_prepend(tmp_path)
    assert SYSTEMS[name].title == "Other"
    with pytest.raises(ConfigError) as caught:
        trainable(name)
    assert f"'{name}' of new-system 1.0 (entry point {module}:SYSTEM" in str(caught.value)
    assert reason in str(caught.value)


# Systems that import, and are wrong: in their System, their network, their objective.
WRONG = """
from dataclasses import replace
from torch import nn
from keyseg.inference.systems import SYSTEMS
from keyseg.models.ms_tcn import MSTCN
from keyseg.timeline.validation import Section
from keyseg.training.settings import MSTCNRecipe
from keyseg.training.systems import TRAINABLE, TrainableSystem

def system(name, **changes):
    return replace(SYSTEMS["ms-tcn++"], name=name, title=name, training=f"wrong_systems:T_{name}", **changes)

def training(name, objective=TRAINABLE["ms-tcn++"].objective):
    class OtherRecipe(MSTCNRecipe):
        model: str = name
    OtherRecipe.__name__ = OtherRecipe.__qualname__ = f"R_{name}"  # other processes find it
    globals()[f"R_{name}"] = OtherRecipe
    return TrainableSystem(OtherRecipe, objective)

class Fails(MSTCN):
    def forward(self, features, mask=None):
        return super().forward(features[:, 1:], mask)

class Logits(MSTCN):
    def forward(self, features, mask=None):
        return super().forward(features, mask).stages[-1]

class Alone(nn.Module):
    def __init__(self, config, input_dim, classes):
        super().__init__()
        self.network = MSTCN(config, input_dim, classes)

class Sum(TRAINABLE["ms-tcn++"].objective):
    def losses(self, network, batch, epoch):
        return sum(super().losses(network, batch, epoch).values())

class Other(Section):
    channels: int = 3

class Sizes(MSTCNRecipe):
    model: str = "sizes"
    network: Other = Other()

fails, logits, alone = system("fails", network=Fails), system("logits", network=Logits), system("alone", network=Alone)
sum_, sizes = system("sum_"), system("sizes")
T_fails, T_logits, T_alone, T_sum_ = training("fails"), training("logits"), training("alone"), training("sum_", Sum)
T_sizes = TrainableSystem(Sizes, TRAINABLE["ms-tcn++"].objective)
"""


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("fails", "RuntimeError: Given groups=1, weight of size"),
        ("logits", "AttributeError: 'Tensor' object has no attribute 'stages' (traceback: "),
        ("alone", "its network is no subclass of keyseg's Network: Alone;"),
        ("sum_", "RuntimeError: "),
        ("sizes", "Sizes: `network` is Other, and `config` of the System MSTCNConfig;"),
    ],
)
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_mistakes_of_a_package_are_not_called_bugs_of_keyseg(
    jobs: str,
    name: str,
    reason: str,
    workshop: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    install(tmp_path, "wrong-systems", {"keyseg.systems": {name: f"wrong_systems:{name}"}}, wrong_systems=WRONG)
    monkeypatch.syspath_prepend(tmp_path)
    words = ["--epochs", "1", "--set", "network.channels=4", "--jobs", jobs]
    assert keyseg(["train", str(workshop.data), "--model", name, "--out", str(tmp_path / "run"), *words]) != 0
    said = capsys.readouterr().err
    assert f"'{name}' of wrong-systems 1.0 (entry point wrong_systems:{name} of keyseg.systems) cannot be used" in said
    assert reason in said
    assert "bug in keyseg" not in said


def test_a_system_is_checked_when_it_is_made() -> None:
    with pytest.raises(ConfigError, match="`config` of the System 'rtk' is no subclass of BaseModel: <class 'dict'>"):
        replace(SYSTEMS["rtk"], config=dict)
    with pytest.raises(ConfigError, match="`decoder` of the System 'rtk' is no subclass of Decoder: "):
        replace(SYSTEMS["rtk"], decoder=SYSTEMS["rtk"].decoder())
