"""The command line in this process, a toy kitchen, and a run on it that takes a few seconds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from keyseg.cli.main import run
from keyseg.toy.kitchen_features import write_toy_kitchen

TINY = (
    "network.backbone.channels=8",
    "network.backbone.encoder_layers=2",
    "network.backbone.decoder_layers=2",
    "network.refinement.channels=16",
    "network.refinement.layers=1",
    "optimiser.epochs=2",
    "matching.join_epoch=1",
)
OPTIONS = tuple(word for change in TINY for word in ("--set", change))

torch.set_num_threads(1)


class Answer(NamedTuple):
    """The result of a command: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


@pytest.fixture
def keyseg(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """Run a command in this process; its output never holds a traceback."""
    monkeypatch.setenv("COLUMNS", "120")

    def call(*arguments: object) -> Answer:
        words = [str(argument) for argument in arguments]
        monkeypatch.setattr(sys, "argv", ["keyseg", *words])
        capsys.readouterr()
        code = run(words)
        answer = Answer(code, *capsys.readouterr())
        assert "Traceback" not in answer.out + answer.err
        assert (answer.err != "") or code == 0 or answer.out  # a failure is never silent
        return answer

    return call


@pytest.fixture(scope="session")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six toy videos, two of them test videos. Tests must not change them."""
    return write_toy_kitchen(tmp_path_factory.mktemp("kitchen") / "kitchen", videos=6, test_videos=2)


@pytest.fixture(scope="session")
def trained(kitchen: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run. Tests must not change it."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["keyseg", "train", "kitchen"])
        assert run(["train", str(kitchen), "--out", str(folder), *OPTIONS]) == 0
    return folder


@pytest.fixture(scope="session")
def options() -> tuple[str, ...]:
    """`--set` options that make training short."""
    return OPTIONS
