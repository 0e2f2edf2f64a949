"""A training as a whole: what it leaves, what it validates with, what its tables say."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from keyseg.formats.frame_labels import read_frame_labels
from keyseg.inference.bundle import load
from keyseg.inference.predictor import Predictor
from keyseg.inference.systems import SYSTEMS
from keyseg.metrics import evaluate_labels
from keyseg.training import fit as fits
from keyseg.training.results import collect, loss_curves, read_history
from keyseg.training.run import read_run
from keyseg.training.scoring import evaluate_run
from keyseg.training.tables import results_markdown

SPLIT1 = Path("split1") / "seed0"
SCORES = ("f1@10", "f1@25", "f1@50", "edit", "acc")


def test_a_training_leaves_what_the_readme_says(finished: Any) -> None:
    names = {path.name for path in (finished.folder / SPLIT1).iterdir()}
    assert names - {".lock"} == {
        "bundle",
        "chosen.json",
        "cost.json",
        "last.ckpt",
        "logs",
        "predictions",
        "reliability.json",
        "scores.json",
        "tensorboard",
    }
    names = {path.name for path in finished.folder.iterdir()}
    assert names == {"run.json", "results.json", "results.md", "analysis", "reliability.png", "split1"}
    read = read_run(finished.folder)
    assert read == finished
    config = json.loads((finished.folder / SPLIT1 / "bundle" / "config.json").read_text())
    assert config["provenance"] == {
        "data": "set",
        "features": "features",
        "command": "keyseg train",
        "commit": "0123456789ab",
        "keyseg": config["keyseg"],
        "split": "1",
        "seed": "0",
    }
    assert "match" not in config["decoder"]


def test_scores_and_predictions_are_those_of_the_bundle(finished: Any, workshop: Any) -> None:
    """The scores once more, with the public parts only: predict from feature files, score against label files."""
    folder = finished.folder / SPLIT1
    predictor = load(folder / "bundle")
    reference = {n: read_frame_labels(workshop.data / "groundTruth" / f"{n}.txt") for n in workshop.test}
    scores = json.loads((folder / "scores.json").read_text())
    for variant in SYSTEMS["rtk"].titles:
        features = {name: workshop.data / "features" / f"{name}.npy" for name in workshop.test}
        found = {n: predictor.predict(path, variant=variant).frame_labels for n, path in features.items()}
        report = evaluate_labels(reference, found, background=("background",)).to_json()
        assert {k: scores[variant][k] for k in SCORES} == pytest.approx({k: report[k] for k in SCORES})
        if variant == "rtk":
            assert found == {n: read_frame_labels(folder / "predictions" / f"{n}.txt") for n in workshop.test}
    mean, parts = evaluate_run(finished)
    assert mean.f1[0.5] == pytest.approx(scores["rtk"]["f1@50"])
    assert list(parts) == ["split1/seed0"]


def test_history_has_every_epoch_and_the_last_validation_is_the_result(finished: Any) -> None:
    history = read_history(finished.folder / SPLIT1)
    assert sorted(history) == [0, 1, 2, 3]
    scored = [epoch for epoch, row in history.items() if "rtk/acc" in row]
    assert scored == [1, 3]
    assert all("loss" in row for row in history.values())
    assert ["loss/keep" in row for row in history.values()] == [False, True, True, True]  # joins at epoch 1
    scores = json.loads((finished.folder / SPLIT1 / "scores.json").read_text())
    for variant in SYSTEMS["rtk"].titles:
        last = {name: history[3][f"{variant}/{name}"] for name in SCORES}
        assert last == pytest.approx({name: scores[variant][name] for name in SCORES}, rel=1e-6)


def test_tables_say_which_epoch_was_chosen_how(finished: Any) -> None:
    summary = json.loads((finished.folder / "results.json").read_text())
    history = read_history(finished.folder / SPLIT1)
    best = max((history[1], history[3]), key=lambda row: row["rtk/f1@50"])
    assert summary["best_epoch_on_the_test_fold"]["rtk"] == {name: best[f"rtk/{name}"] for name in SCORES}
    text = (finished.folder / "results.md").read_text()
    assert text == results_markdown(summary)
    for words in (
        "Last epoch (4): the result",
        "chosen on the test fold: not a result",
        "seed(s) 0",
        "commit 0123456789ab",
    ):
        assert words in text
    (part,) = collect(finished)
    assert 0 < part.cost["seconds"] < 100
    curves = loss_curves(finished)
    assert curves["action"] == ([0.0, 1.0, 2.0, 3.0], [history[epoch]["loss/action"] for epoch in range(4)])


def test_a_resumed_epoch_counts_once_in_the_history(tmp_path: Path) -> None:
    for version, rows in ((0, "0,5\n1,4\n"), (1, "1,3\n2,2\n"), (10, "2,1\n")):
        folder = tmp_path / "logs" / f"version_{version}"
        folder.mkdir(parents=True)
        (folder / "metrics.csv").write_text("epoch,loss/a\n" + rows)
    assert read_history(tmp_path) == {0: {"loss/a": 5}, 1: {"loss/a": 3}, 2: {"loss/a": 1}}


@pytest.mark.parametrize("torn", ["2,9,0.5,0.25\r\n", "2,9\r\n", "2,9,0.5", "2,9,half\r\n", ",9,0.5\r\n"])
def test_history_passes_over_rows_of_a_stopped_training(torn: str, tmp_path: Path) -> None:
    folder = tmp_path / "logs" / "version_0"
    folder.mkdir(parents=True)
    (folder / "metrics.csv").write_bytes(f"epoch,step,loss/a\r\n1,3,0.75\r\n{torn}".encode())
    assert read_history(tmp_path) == {1: {"loss/a": 0.75}}


def test_validation_runs_the_predictor_that_users_run(
    workshop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In validation every test video goes through Predictor.run once, and each variant through Predictor.decode."""
    run = workshop.start(tmp_path / "run", "optimiser.epochs=2")
    run_network, decode, calls = Predictor.run, Predictor.decode, Counter[Any]()

    def spied_run(self: Predictor, features: Any, **options: Any) -> Any:
        calls["steps", len(features)] += 1
        assert isinstance(features, torch.Tensor)  # never by way of NumPy
        return run_network(self, features, **options)

    def spied_decode(self: Predictor, output: Any, *, frames: int | None = None, variant: Any = "rtk") -> Any:
        calls[variant, frames] += 1
        return decode(self, output, frames=frames, variant=variant)

    monkeypatch.setattr(Predictor, "run", spied_run)
    monkeypatch.setattr(Predictor, "decode", spied_decode)
    (fit,) = run.fits()
    names = fit.dataset.names(1, "test")
    module, _ = fits.train_network(fit, run.recipe, run.recipe.decoder(), workshop.train, names, fit.folder)
    lengths = [fit.dataset.annotation(name).length for name in names]
    expected = Counter({("steps", length): 1 for length in lengths})
    expected += Counter({(variant, length): 1 for length in lengths for variant in SYSTEMS["rtk"].titles})
    assert calls == expected
    assert module.predictor.decoder.refine


@pytest.mark.parametrize("layout", ["a column a frame", "a column a step"])
def test_a_sample_rate_goes_with_the_bundle(layout: str, workshop: Any, tmp_path: Path) -> None:
    """Features at the frame rate or at the sampled one: what is predicted from a file alone is what was scored."""
    data = workshop.write(tmp_path / "set", sample_rate=3)
    if layout == "a column a frame":
        for path in (data / "features").iterdir():
            frames = len(read_frame_labels(data / "groundTruth" / f"{path.stem}.txt"))
            np.save(path, np.load(path).repeat(3, axis=1)[:, :frames])
    run = workshop.start(tmp_path / "run", "data.sample_rate=3", "optimiser.epochs=2", data=data)
    workshop.finish(run)
    predictor = load(tmp_path / "run")
    assert predictor.timebase.sample_rate == 3
    assert predictor.presampled == (layout == "a column a step")
    for name in workshop.test:
        scored = read_frame_labels(tmp_path / "run" / SPLIT1 / "predictions" / f"{name}.txt")
        assert len(scored) == len(read_frame_labels(data / "groundTruth" / f"{name}.txt"))
        alone = predictor.predict(data / "features" / f"{name}.npy")
        if predictor.presampled:  # how many frames of the last step there are, only the annotation knows
            assert alone.segmentation.length == -(-len(scored) // 3) * 3
            assert alone.frame_labels[: len(scored)] == scored
        else:
            assert alone.frame_labels == scored


@pytest.mark.parametrize("join", ["9", "null"])
def test_a_matching_that_never_joins_leaves_no_refinement(join: str, workshop: Any, tmp_path: Path) -> None:
    changes = (f"matching.join_epoch={join}", "optimiser.epochs=1")
    summary = workshop.finish(workshop.start(tmp_path / "run", *changes))
    assert load(tmp_path / "run").decoder.refine is False
    assert summary["last_epoch"]["rtk"] == summary["last_epoch"]["rtk-no-refinement"]
    last = {name: pytest.approx(summary["last_epoch"]["rtk"][name], abs=1e-3) for name in SCORES}
    assert summary["best_epoch_on_the_test_fold"]["rtk"] == last  # one epoch: it is validated, and the best
    assert summary["chosen"] == {}  # the recipe of the workshop has no inner folds
    assert "Chosen on inner folds" not in (tmp_path / "run" / "results.md").read_text()


def test_a_batch_of_several_videos_trains(workshop: Any, tmp_path: Path) -> None:
    workshop.finish(workshop.start(tmp_path / "run", "optimiser.batch_size=4", "optimiser.epochs=2"))
    assert sorted(read_history(tmp_path / "run" / SPLIT1)) == [0, 1]
