"""`train --final`: one more training, on every labelled video, which the run folder then names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keyseg.cli.main import run as keyseg
from keyseg.data import Dataset
from keyseg.data.folders import claimed
from keyseg.inference.bundle import find_bundle, name_digest, read_config
from keyseg.timeline import BundleError, ConfigError, DataError
from keyseg.training import complete, running
from keyseg.training.inner_folds import inner_folds
from keyseg.training.run import read_run
from keyseg.training.scoring import evaluate_run

ALL = ("v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7")
QUICK = ("optimiser.epochs=1",)


@pytest.fixture
def more(workshop: Any, tmp_path: Path) -> Path:
    """The data set with two more labelled videos that are in no split, of which one has features."""
    root = workshop.write(tmp_path / "more")
    for name in ("w0", "w1", "._w0"):
        shutil.copy(root / "groundTruth" / "v0.txt", root / "groundTruth" / f"{name}.txt")
    for name in ("w0", "._w0"):
        shutil.copy(root / "features" / "v0.npy", root / "features" / f"{name}.npy")
    return root


def test_all_labelled_videos_with_features_are_those_there_are(more: Path) -> None:
    dataset = Dataset.open(more)
    assert dataset.names(None, "train") == (*ALL, "w0")
    assert dataset.names(None, "test") == ()
    assert dataset.load("w0", None).name == "w0"


def test_the_final_model_sees_every_video_and_is_not_scored(
    workshop: Any, more: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[Any] = []
    original = complete.train_network

    def spied(fit: Any, recipe: Any, decoder: Any, seen: Any, validated: Any, folder: Path) -> Any:
        trained.append((fit.split, tuple(seen), tuple(validated)))
        return original(fit, recipe, decoder, seen, validated, folder)

    monkeypatch.setattr(complete, "train_network", spied)
    run = workshop.start(tmp_path / "run", *QUICK, data=more, final=True)
    summary = workshop.finish(run)
    assert trained == [(1, workshop.train, workshop.test), (None, (*ALL, "w0"), ())]
    assert {p.name for p in (run.folder / "final" / "seed0").iterdir()} - {".lock"} == {
        *("bundle", "chosen.json", "cost.json", "last.ckpt", "logs", "tensorboard")
    }
    assert (summary["splits"], summary["final"], summary["labelled_videos"]) == ([1], {"final/seed0": 9}, 9)
    assert set(summary["cost"]) == {"split1/seed0", "final/seed0"}
    assert set(summary["by_split"]["rtk"]) == {"split1/seed0"}
    text = (run.folder / "results.md").read_text()
    assert "trained on all 9 labelled videos. None is left to test it on, so it has no score; expect the score" in text
    place = run.folder / "final" / "seed0" / "bundle"
    assert find_bundle(run.folder) == place
    assert set(read_config(place).seen) == set(map(name_digest, (*ALL, "w0")))
    assert set(read_config(run.folder / "split1").seen) == set(map(name_digest, workshop.train))
    assert read_config(place).provenance["split"] == "all videos"
    assert list(evaluate_run(run)[1]) == ["split1/seed0"]


def test_without_splits_there_is_a_model_and_no_score(workshop: Any, tmp_path: Path, capsys: Any) -> None:
    words = [word for change in (*workshop.changes, *QUICK) for word in ("--set", change)]
    run, page = tmp_path / "my run", tmp_path / "my run" / "report.html"
    assert keyseg(["train", str(workshop.data), *words, "--split", "none", "--final", "--out", str(run)]) == 0
    shown = capsys.readouterr()
    assert f"next:        keyseg predict '{run}' FEATURES.npy" in shown.out
    assert "note:" not in shown.err
    assert "F1@50" not in shown.out + (run / "results.md").read_text()
    assert "so it has no score." in page.read_text()
    assert sorted(p.name for p in run.iterdir()) == ["final", "report.html", "results.json", "results.md", "run.json"]
    assert keyseg(["predict", str(run), str(workshop.data / "features" / "v6.npy"), "--out", str(tmp_path / "p")]) == 0
    assert keyseg(["eval", str(run)]) == 1
    assert "trained on all videos, so that none is left to score" in capsys.readouterr().err
    assert read_run(run).splits == ()


def test_a_final_model_is_added_to_a_finished_run(
    workshop: Any, finished: Any, outcome: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(finished.folder, tmp_path / "run")
    trained: list[str] = []
    original = running.run_fit

    def counted(fit: Any, *rest: Any) -> Any:
        trained.append(fit.name)
        return original(fit, *rest)

    monkeypatch.setattr(running, "run_fit", counted)
    added = workshop.start(tmp_path / "run", splits=None, final=True, resume=True)
    assert (added.splits, added.final) == ((1,), True)
    workshop.finish(added)
    workshop.finish(workshop.start(tmp_path / "run", resume=True))  # --final need not be repeated
    workshop.finish(workshop.start(tmp_path / "run", seeds=(3,), splits=None, resume=True))
    assert trained == ["final/seed0", "split1/seed3", "final/seed3"]
    assert outcome(tmp_path / "run" / "split1" / "seed0") == outcome(finished.folder / "split1" / "seed0")
    weights = {
        (tmp_path / "run" / place / "bundle" / "weights.safetensors").read_bytes()
        for place in ("split1/seed0", "final/seed0", "final/seed3")
    }
    assert len(weights) == 3


def test_its_inner_folds_hold_out_every_video_once_and_groups_together(workshop: Any, tmp_path: Path) -> None:
    root = workshop.write(tmp_path / "grouped")
    (root / "dataset.yaml").write_text("groups:\n" + "".join(f"  v{i}: cook{i // 2}\n" for i in range(8)))
    dataset = Dataset.open(root)
    folds = inner_folds(dataset, None, 3)
    assert sorted(name for fold in folds for name in fold.held_out) == list(ALL)
    for fold in folds:
        assert fold.split is None
        assert sorted(fold.seen + fold.held_out) == list(ALL)
        assert not {dataset.group(name) for name in fold.seen} & {dataset.group(name) for name in fold.held_out}
    assert folds == inner_folds(dataset, None, 3)


def test_its_choices_are_made_on_all_videos_and_its_match_remembers_them(workshop: Any, tmp_path: Path) -> None:
    changes = (*QUICK, "matching.fit=true", "matching.folds=2", "augmentation.mixed_segments=0")
    run = workshop.start(tmp_path / "run", *changes, splits=None, final=True)
    workshop.finish(run)
    chosen = json.loads((run.folder / "final" / "inner" / "chosen.json").read_text())
    assert chosen["match"]["videos"] == 6  # two of three parts of the 8
    match = read_config(run.folder).decoder.match
    assert match is None or len(match.annotations) == 8


@pytest.mark.parametrize("option", [None, "features_split1"])
def test_features_of_splits_are_refused_with_what_to_do(option: str | None, workshop: Any, tmp_path: Path) -> None:
    root = workshop.write(tmp_path / "set")
    (root / "features").rename(root / "features_split1")
    shutil.copytree(root / "features_split1", root / "features_split2")
    changes = [f"data.features={option}"] if option else []
    with pytest.raises(DataError, match=r"features belong to splits: .*; name with --features a folder"):
        workshop.start(tmp_path / "run", *changes, data=root, final=True)
    assert not (tmp_path / "run").exists()
    (root / "features_split2").rename(root / "made_without")
    workshop.start(tmp_path / "run", "data.features=made_without", data=root, final=True)


def test_nothing_to_train_is_said(workshop: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--split none leaves nothing to train; add --final"):
        workshop.start(tmp_path / "run", splits=None)
    assert not (tmp_path / "run").exists()


def test_a_final_model_that_another_command_trains_is_left_to_it(workshop: Any, tmp_path: Path) -> None:
    run = workshop.start(tmp_path / "run", splits=None, final=True)
    (fit,) = run.final_fits()
    with claimed(fit.folder) as mine:
        assert mine
        assert workshop.finish(run)["final"] == {}
    assert not (fit.folder / "last.ckpt").exists()


def test_the_model_of_a_run_is_the_final_one_else_the_ensemble_else_the_only_one(tmp_path: Path) -> None:
    def make(place: str) -> Path:
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "config.json").touch()
        return tmp_path / place

    one = make("split1/seed0/bundle")
    assert find_bundle(tmp_path) == one
    make("split2/seed0/bundle")
    ensemble = make("ensemble/bundle")
    assert find_bundle(tmp_path) == find_bundle(tmp_path / "ensemble") == ensemble
    final = make("final/seed0/bundle")
    assert find_bundle(tmp_path) == find_bundle(tmp_path / "final") == final
    make("final/seed1/bundle")
    with pytest.raises(BundleError, match=r"holds 2 bundles; name one of them: .*final.seed0.*final.seed1"):
        find_bundle(tmp_path)


def test_features_are_read_as_those_of_the_splits(workshop: Any) -> None:
    dataset = Dataset.open(workshop.data)
    assert dataset.layout(None) == dataset.layout(1)
    np.testing.assert_array_equal(dataset.load("v3", None).features, dataset.load("v3", 2).features)


def test_of_several_final_models_the_first_is_named(workshop: Any, tmp_path: Path, capsys: Any) -> None:
    words = [word for change in (*workshop.changes, *QUICK) for word in ("--set", change)]
    run = tmp_path / "run"
    words += ["--seed", "0", "1", "--final", "--ensemble", "--out", str(run)]
    assert keyseg(["train", str(workshop.data), *words]) == 0
    out = capsys.readouterr().out
    assert f"bundle:      {run / 'final' / 'seed0' / 'bundle'}\n" in out
    assert f"predictions: {run / 'split1' / 'seed0' / 'predictions'}\n" in out


def test_a_command_that_is_left_nothing_says_so(workshop: Any, tmp_path: Path, capsys: Any) -> None:
    words = [word for change in workshop.changes for word in ("--set", change)]
    run = workshop.start(tmp_path / "run")
    with claimed(run.fits()[0].folder) as mine:
        assert mine
        assert keyseg(["train", str(workshop.data), *words, "--out", str(run.folder), "--resume"]) == 0
    assert "no training is finished yet; another command works on it" in capsys.readouterr().out
