"""Loggers by a recipe key: Lightning's own, for the trainings and not for their inner folds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.loggers import Logger

from keyseg.cli.main import run as keyseg
from keyseg.timeline import ConfigError
from keyseg.training import loggers
from keyseg.training.recipe import load_recipe
from keyseg.training.results import read_history
from plug_in import install

# What Lightning's WandbLogger uses of wandb; it records its calls.
WANDB = """
import sys, types

CALLS, run = [], None

class Config(dict):
    def update(self, values, allow_val_change=False):
        CALLS.append(("config", dict(values)))

class Run:
    def __init__(self, name):
        self.name, self.id, self.config, self.summary = name, name, Config(), {}
    def log(self, values, **options):
        CALLS.append(("log", dict(values)))
    def define_metric(self, *words, **options): pass
    def finish(self):
        global run
        CALLS.append(("finish", self.name))
        run = None

for name, known in {"sdk": "", "sdk.lib": "RunDisabled", "wandb_run": "Run"}.items():
    sys.modules[f"wandb.{name}"] = types.SimpleNamespace(**{known: Run})

def init(**options):
    global run
    assert run is None, "a run is still open"
    CALLS.append(("init", options))
    run = Run(options["name"])
    return run
"""


@pytest.fixture
def wandb(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, Any]]]:
    """The calls of a stand-in for wandb."""
    site = tmp_path_factory.mktemp("site")
    install(site, "wandb", {}, "99.0", wandb=WANDB)
    monkeypatch.syspath_prepend(site)
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    calls: list[tuple[str, Any]] = __import__("wandb").CALLS
    yield calls
    for name in [name for name in sys.modules if name.split(".")[0] == "wandb"]:
        del sys.modules[name]


def kinds(calls: list[tuple[str, Any]], kind: str) -> list[Any]:
    return [values for name, values in calls if name == kind]


@pytest.mark.slow
def test_each_training_is_one_run_of_wandb_and_inner_folds_are_none(
    wandb: list[tuple[str, Any]], workshop: Any, tmp_path: Path
) -> None:
    changes = ("logging.loggers=[wandb]", "matching.fit=true", "matching.folds=2", "optimiser.epochs=2")
    run = workshop.start(tmp_path / "run", *changes, seeds=(0, 1))
    workshop.finish(run)
    names = [f"{workshop.data.name} rtk split1/seed{seed}" for seed in (0, 1)]
    started = kinds(wandb, "init")
    assert [(options["name"], options["project"]) for options in started] == [(name, "keyseg") for name in names]
    assert kinds(wandb, "finish") == names
    assert [config["logging"]["loggers"] for config in kinds(wandb, "config")] == [["csv", "wandb"]] * 2
    logged = [values for values in kinds(wandb, "log") if "rtk/f1@50" in values]
    history = read_history(tmp_path / "run" / "split1" / "seed1")
    assert [values["rtk/f1@50"] for values in logged[-1:]] == [history[1]["rtk/f1@50"]]
    assert not list((tmp_path / "run").rglob("tensorboard"))


def test_the_project_is_that_of_the_environment(
    wandb: list[tuple[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    loggers.close_loggers(loggers.loggers_of(load_recipe(None, ("logging.loggers=wandb",)), tmp_path, "name"))
    assert kinds(wandb, "init")[0]["project"] == "mine"


class MLFlow(Logger):
    """The calls of Lightning's MLFlowLogger."""

    name, version = "mlflow", "0"

    def __init__(self, *words: Any, **options: Any) -> None:
        super().__init__()
        self.made, self.told = (words, options), []

    def log_hyperparams(self, params: Any) -> None:
        self.told.append(params)

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self.told.append(metrics)


@pytest.mark.parametrize("uri", [None, "http://127.0.0.1:5000"])
def test_mlflow_writes_beside_the_training_or_to_its_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str | None
) -> None:
    monkeypatch.setattr(loggers, "MLFlowLogger", MLFlow)
    monkeypatch.setattr(loggers, "find_spec", lambda name: name)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    recipe = load_recipe(None, ("logging.loggers=[csv, mlflow]",))
    csv, mlflow = loggers.loggers_of(recipe, tmp_path, "kitchen rtk split1/seed0")
    assert isinstance(mlflow, MLFlow)
    place = uri or f"sqlite:///{(tmp_path / 'mlflow.db').resolve().as_posix()}"
    assert mlflow.made == (("keyseg", "kitchen rtk split1/seed0", place), {})
    assert mlflow.told == [recipe.model_dump(mode="json")]
    loggers.close_loggers((csv, mlflow))


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("[]", ("csv",)),
        ("csv", ("csv",)),
        ("tensorboard", ("csv", "tensorboard")),
        ("[tensorboard, csv, wandb, wandb]", ("csv", "tensorboard", "wandb")),
    ],
)
def test_csv_is_always_written(value: str, kept: tuple[str, ...]) -> None:
    assert load_recipe(None, (f"logging.loggers={value}",)).logging.loggers == kept


def test_a_missing_package_is_named_before_anything_is_trained(
    workshop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(loggers, "find_spec", lambda name: None)
    words = ("--set", "logging.loggers=[wandb, mlflow]")
    assert keyseg(["train", str(workshop.data), "--out", str(tmp_path / "run"), *words]) == 2
    message = "logging.loggers: wandb, mlflow not installed; run: pip install wandb mlflow"
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    with pytest.raises(ConfigError, match="run: pip install mlflow"):
        loggers.loggers_of(load_recipe(None, ("logging.loggers=mlflow",)), tmp_path, "name")


def test_an_unknown_logger_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"'logging.loggers.1': .*'csv', 'tensorboard', 'wandb' or 'mlflow'.* 'neptune'"
    ):
        load_recipe(None, ("logging.loggers=[neptune]",))
