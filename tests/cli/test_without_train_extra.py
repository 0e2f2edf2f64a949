"""Everything but training works without Lightning, torchmetrics and TensorBoard; training says how to get them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from keyseg.cli.doctor import doctor_verb

# Runs the commands on stdin, a JSON list, as if the extra `train` were not installed; prints their exit codes.
WITHOUT_EXTRA = """
import contextlib, json, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("lightning", "pytorch_lightning", "torchmetrics", "tensorboard"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import keyseg
from keyseg.cli.main import run
with contextlib.redirect_stdout(sys.stderr):
    codes = [run(command) for command in json.load(sys.stdin)]
print(json.dumps(codes))
"""


def run_without_extra(*commands: tuple[object, ...]) -> tuple[list[int], str]:
    """Exit codes of the commands, and what they said."""
    words = json.dumps([[str(word) for word in command] for command in commands])
    process = subprocess.run([sys.executable, "-c", WITHOUT_EXTRA], input=words, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout), process.stderr


def test_all_but_training_works_without_the_extra(kitchen: Path, trained: Path, tmp_path: Path) -> None:
    labels, out = kitchen / "groundTruth", tmp_path / "timelines"
    video = sorted(path.stem for path in labels.iterdir())[0]
    features = next(kitchen.rglob(f"{video}.npy"))
    codes, said = run_without_extra(
        ("predict", next(trained.rglob("bundle")), features, "--out", out, "--format", "txt,csv"),
        ("eval", "--ref", labels, "--pred", labels),
        ("convert", out / f"{video}.csv", tmp_path / "converted.vtt"),
        ("plot", labels / f"{video}.txt", out / f"{video}.txt", "--out", tmp_path / "plot.png"),
        ("check", kitchen),
    )
    assert codes == [0] * 5, said
    assert all((tmp_path / name).stat().st_size for name in (f"timelines/{video}.txt", "converted.vtt", "plot.png"))


def test_training_names_the_extra(kitchen: Path, trained: Path, tmp_path: Path) -> None:
    commands: list[tuple[object, ...]] = [
        ("train", kitchen, "--out", tmp_path / "run"),
        ("eval", trained),
        ("reproduce", "table1", kitchen, "--out", tmp_path / "table"),
    ]
    codes, said = run_without_extra(*commands)
    assert codes == [2] * len(commands), said
    assert said.splitlines() == [
        'error: training needs lightning, which is not installed; run: pip install "keyseg[train]"'
    ] * len(commands)
    assert not (tmp_path / "run").exists()


def test_help_and_a_wrong_verb_do_not_ask_for_the_extra() -> None:
    codes, said = run_without_extra(
        ("--help",), ("trian",), *((verb, "--help") for verb in ("reproduce", "predict", "train"))
    )
    assert codes == [0, 2, 0, 0, 0], said
    assert "error: unknown command 'trian' (did you mean 'train'?); known: demo, " in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "needs"),
    [
        ("keyseg.training.fit", "training needs lightning"),
        ("keyseg.training.running", "training needs lightning"),
        ("keyseg.reproduction.comparison", "training needs lightning"),
        ("keyseg.metrics.torch_metrics", "keyseg.metrics.torch_metrics needs torchmetrics"),
    ],
)
def test_importing_names_the_extra(module: str, needs: str) -> None:
    code = WITHOUT_EXTRA.split("import keyseg")[0] + f"import {module}"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.stderr.splitlines()[-1] == (
        f'keyseg.timeline.errors.ConfigError: {needs}, which is not installed; run: pip install "keyseg[train]"'
    )


def test_doctor_is_well_without_the_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import importlib.metadata

    version: Callable[[str], Any] = importlib.metadata.version

    def without(name: str) -> Any:
        if name in ("lightning", "torchmetrics", "tensorboard"):
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without)
    assert doctor_verb() == 0
    assert 'pip install "keyseg[train]"' in capsys.readouterr().out
