"""keyseg push, pull and predict by a name of the hub; the model card that a training leaves."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fake_hub import TOKEN, FakeHub, hub
from keyseg.data.dataset import Dataset

__all__ = ["hub"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_training_leaves_a_model_card(trained: Path, kitchen: Path) -> None:
    card = (trained / "split1" / "seed0" / "bundle" / "README.md").read_text(encoding="utf-8")
    data = Dataset.open(kitchen)
    train, test = data.names(1, "train"), data.names(1, "test")
    frames = np.concatenate([data.annotation(name).to_frames() for name in train])
    assert f"{len(train)} annotated videos, {len(frames):,} frames at 15 frames per second" in card
    for label, name in enumerate(data.labels.names):
        share = f"{100 * np.mean(frames == label):.1f} %"
        assert f"| {name}{' (not an action)' * (name == 'background')} | {share} |" in card
    assert f"on {len(test)} test videos" in card
    shown = {label for name in test for label in data.annotation(name).labels.tolist()}
    unseen = [name for label, name in enumerate(data.labels.names) if label not in shown]
    assert unseen
    assert f"no test video shows: {', '.join(unseen)}\n" in card
    scores = [line for line in card.splitlines() if line.startswith(("| F1@50", "| Edit", "| Acc"))]
    results = (trained / "results.md").read_text(encoding="utf-8")
    row = next(line for line in results.splitlines() if line.startswith("| RTK |")).split(" | ")
    assert [line.split(" | ")[1] for line in scores] == [row[3], row[4], row[5].removesuffix(" |")]
    for private in (*train, *test, str(trained), str(kitchen), str(Path.home()), getpass.getuser()):
        assert private not in card.replace("keyseg predict", "")


def test_push_pull_and_predict(keyseg: Any, trained: Path, kitchen: Path, hub: FakeHub, tmp_path: Path) -> None:
    code, out, err = keyseg("push", trained, "anna/kitchen", "--private", "--licence", "mit", "--message", "First")
    name = f"anna/kitchen@{hub.models['anna/kitchen']['branches']['main']}"
    assert (code, out.splitlines()[0]) == (0, name)
    assert "licence" not in err
    assert hub.models["anna/kitchen"]["messages"] == ["First"]
    assert hub.models["anna/kitchen"]["private"]
    code, out, err = keyseg("pull", "anna/kitchen", "model")
    assert (code, out.splitlines()[:2]) == (0, [name, "model"])
    video = sorted((kitchen / "features").glob("*.npy"))[0]
    for bundle, folder in (("model", "a"), (name, "b")):
        assert keyseg("predict", bundle, video, "--out", folder).code == 0
    timelines = [(tmp_path / folder / f"{video.stem}.txt").read_text() for folder in "ab"]
    assert timelines[0] == timelines[1]
    assert TOKEN not in out + err


def test_an_unknown_licence_and_a_folder(keyseg: Any, trained: Path, tmp_path: Path) -> None:
    code, out, err = keyseg("push", trained, "./share/kitchen")
    assert (code, out.splitlines()[0]) == (0, str(Path("share/kitchen")))
    assert err.startswith("note: the licence is unknown, so others may not use the model; state one, as in --licence")
    assert sorted(path.name for path in (tmp_path / "share" / "kitchen").iterdir()) == [
        "README.md",
        "config.json",
        "weights.safetensors",
    ]


def test_errors_and_exit_codes(keyseg: Any, hub: FakeHub, tmp_path: Path) -> None:
    for words, code, message in (
        (("pull", "kitchen", "out"), 2, "error: expected owner/name or owner/name@revision on the hub"),
        (("pull", "anna/kitchen", "out"), 1, "error: anna/kitchen: no such model"),
        (("pull", "anna/kitchen", tmp_path), 2, "exists; name a new folder"),
        (("push", "nowhere", "anna/kitchen"), 1, "error: nowhere: no bundle here"),
        (("predict", "anna/kitchen", "x.npy", "--out", "out"), 1, "nor on the Hugging Face Hub: anna/kitchen: no such"),
    ):
        answer = keyseg(*words)
        assert (answer.code, answer.out) == (code, "")
        assert message in answer.err
    assert not (tmp_path / "out").exists()


def test_the_settings_of_huggingface_hub_count(trained: Path, hub: FakeHub, tmp_path: Path) -> None:
    """In a process of its own, with the endpoint, login and cache of the environment."""
    shutil.copytree(trained / "split1" / "seed0" / "bundle", "bundle")
    code = "import sys; from keyseg.cli.main import main; main()"
    settings = {"HF_ENDPOINT": hub.address, "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path / "home")}

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, *words]
        return subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, timeout=300)

    for words in (("push", "bundle", "anna/kitchen", "--licence", "MIT"), ("pull", "anna/kitchen", "out")):
        done = call(*words)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"anna/kitchen@{hub.models['anna/kitchen']['branches']['main']}\n")
        assert TOKEN not in done.stdout + done.stderr
    assert (Path("out") / "weights.safetensors").read_bytes() == Path("bundle/weights.safetensors").read_bytes()
