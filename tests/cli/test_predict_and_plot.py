"""keyseg predict and keyseg plot: files that other programs open, and no file overwritten."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keyseg import viz
from keyseg.data import Dataset
from keyseg.formats.frame_labels import read_frame_labels
from keyseg.inference.bundle import load, save_bundle
from keyseg.inference.decoders import Match
from keyseg.matching.alignment import MatchWeights

BUNDLE = Path("split1") / "seed0" / "bundle"


def test_predict_files_and_folders_in_every_format(trained: Path, kitchen: Path, keyseg: Any, tmp_path: Path) -> None:
    files = sorted((kitchen / "features").iterdir())
    out = tmp_path / "out"
    answer = keyseg("predict", trained, files[0], files[1], "--out", out, "--format", "txt,csv, json")
    assert (answer.code, answer.out) == (0, "")
    names = {f"{file.stem}.{suffix}" for file in files[:2] for suffix in ("txt", "csv", "json")}
    assert {path.name for path in out.iterdir()} == names
    labels = read_frame_labels(out / f"{files[0].stem}.txt")
    assert len(labels) == np.load(files[0]).shape[1]
    content = json.loads((out / f"{files[0].stem}.json").read_text())
    assert content["fps"] == "15"
    assert content["frames"] == len(labels)
    spread = [s["label"] for s in content["segments"] for _ in range(s["start_frame"], s["end_frame"])]
    assert spread == labels
    table = (out / f"{files[0].stem}.csv").read_text().splitlines()
    assert table[0] == "video,start_frame,end_frame,start_seconds,end_seconds,label,confidence"
    assert len(table) == 1 + len(content["segments"])

    answer = keyseg("predict", trained / BUNDLE, kitchen / "features", "--out", tmp_path / "all")
    assert answer.code == 0
    assert len(answer.err.splitlines()) == 6
    assert {path.name for path in (tmp_path / "all").iterdir()} == {f"{file.stem}.txt" for file in files}
    for path in (trained / "split1/seed0/predictions").iterdir():  # as training wrote them
        assert (tmp_path / "all" / path.name).read_text() == path.read_text()


def test_predictions_for_label_studio_are_predictions_with_a_score(
    trained: Path, kitchen: Path, keyseg: Any, tmp_path: Path
) -> None:
    file = sorted((kitchen / "features").iterdir())[0]
    assert keyseg("predict", trained, file, "--out", tmp_path, "--format", "labelstudio,activitynet").code == 0
    (task,) = json.loads((tmp_path / f"{file.stem}.labelstudio.json").read_text())
    assert set(task) == {"data", "predictions"}
    (prediction,) = task["predictions"]
    scores = [region["score"] for region in prediction["result"]]
    assert scores
    assert all(0 < score <= 1 for score in scores)
    assert prediction["score"] == pytest.approx(np.mean(scores), abs=6e-4)  # three decimals
    content = json.loads((tmp_path / f"{file.stem}.activitynet.json").read_text())
    assert [item["score"] for item in content["database"][file.stem]["annotations"]] == scores


def test_predict_does_not_overwrite_without_force(trained: Path, kitchen: Path, keyseg: Any, tmp_path: Path) -> None:
    file, other = sorted((kitchen / "features").iterdir())[:2]
    target = tmp_path / f"{file.stem}.txt"
    target.write_text("mine\n")
    answer = keyseg("predict", trained, other, file, "--out", tmp_path)
    assert answer.code == 2
    assert answer.err == (
        f"error: {target} exists (1 such files); choose another --out, continue with --resume, or use --force\n"
    )
    assert target.read_text() == "mine\n"
    assert not (tmp_path / f"{other.stem}.txt").exists()
    assert keyseg("predict", trained, other, file, "--out", tmp_path, "--force").code == 0
    assert target.read_text() != "mine\n"


def test_one_bad_file_does_not_stop_the_others(trained: Path, kitchen: Path, keyseg: Any, tmp_path: Path) -> None:
    good = sorted((kitchen / "features").iterdir())[0]
    folder = tmp_path / "features"
    folder.mkdir()
    shutil.copy(good, folder / "m.npy")
    (folder / "a.npy").write_text("no array")
    np.save(folder / "z.npy", np.zeros((5, 7), np.float32))
    array = np.load(good)
    array[0, 3] = np.inf
    np.save(folder / "n.npy", array)
    answer = keyseg("predict", trained, folder, tmp_path / "gone.npy", "--out", tmp_path / "out")
    assert answer.code == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["m.txt"]
    for name in ("features/a.npy", "features/n.npy", "features/z.npy", "gone.npy"):
        assert f"error: {tmp_path / name}: " in answer.err
    assert "step 3" in answer.err
    assert f"4 of 5 inputs failed; the others are in {tmp_path / 'out'}\n" in answer.err
    answer = keyseg("predict", trained, tmp_path / "gone.npy", "--out", tmp_path / "none")
    assert answer.code == 1
    assert answer.err.endswith("1 of 1 inputs failed\n")


def test_predict_of_what_cannot_be_done(trained: Path, kitchen: Path, keyseg: Any, tmp_path: Path) -> None:
    features = kitchen / "features"
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    twin = shutil.copytree(features, tmp_path / "twin")
    cases = [
        ((trained, features, "--format", "xml"), 2, "unknown format 'xml'; known: txt, recog, csv,"),
        ((trained,), 2, "name at least one video or .npy file, or a folder of them"),
        ((trained, tmp_path / "empty"), 1, "empty: no .npy file and no video in this folder"),
        ((trained, features, twin), 1, "would both be called"),
        ((kitchen, features), 1, "kitchen: no bundle here; expected a folder with config.json and weights.safetensors"),
        ((tmp_path / "nowhere", features), 1, "nowhere: no bundle here"),
    ]
    for arguments, code, words in cases:
        answer = keyseg("predict", *arguments, "--out", tmp_path / "out")
        assert (answer.code, answer.out) == (code, ""), arguments
        assert words in answer.err
        assert not (tmp_path / "out").exists()
    answer = keyseg("predict", trained, features, "--out", tmp_path / "file")
    assert answer.code == 2
    assert answer.err == f"error: {tmp_path / 'file'} is a file; name a folder for the timelines\n"


def test_plot_of_everything_it_draws(trained: Path, kitchen: Path, keyseg: Any, tmp_path: Path) -> None:
    file = sorted((trained / "split1/seed0/predictions").iterdir())[0]
    name = file.stem
    truth, features = kitchen / "groundTruth" / f"{name}.txt", kitchen / "features" / f"{name}.npy"
    metrics = trained / "split1/seed0/logs/version_0/metrics.csv"
    keyseg("predict", trained, features, "--out", tmp_path, "--format", "json,csv")
    cases = {
        "timelines.svg": (truth, file, tmp_path / f"{name}.json"),
        "features.png": (trained / BUNDLE, features),
        "features with a run.png": (trained, features),
        "curves.pdf": (trained,),
        "metrics.svg": (metrics,),
        "video of a run.svg": (trained, name),
    }
    for out, inputs in cases.items():
        answer = keyseg("plot", *inputs, "--out", tmp_path / out, "--title", "A title")
        assert (answer.code, answer.out, answer.err) == (0, f"{tmp_path / out}\n", "")
        head = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[out[-3:]]
        assert (tmp_path / out).read_bytes().startswith(head)
        if out.endswith(".svg"):
            assert "A title" in (tmp_path / out).read_text()
    drawn = (tmp_path / "metrics.svg").read_text()
    assert "boundary" in drawn  # a loss, in the legend
    assert "loss" in drawn
    assert "rtk/f1" not in drawn

    before = (tmp_path / "metrics.svg").read_bytes()
    answer = keyseg("plot", truth, "--out", tmp_path / "metrics.svg")
    assert answer.code == 2
    assert "metrics.svg exists already" in answer.err
    assert (tmp_path / "metrics.svg").read_bytes() == before
    assert keyseg("plot", truth, "--out", tmp_path / "metrics.svg", "--force").code == 0
    assert (tmp_path / "metrics.svg").read_bytes() != before

    bad = [
        ((), 2, "name what to draw; see: keyseg plot --help"),
        ((truth, "--out", tmp_path / "x.gif"), 2, "a figure is saved as .png, .svg, .pdf, got suffix '.gif'"),
        ((features,), 2, f"features are drawn with the bundle that reads them: keyseg plot BUNDLE {features}"),
        ((trained, tmp_path / "gone.npy"), 1, "gone.npy: no such feature file"),
        ((trained, "gone"), 1, "no finished training of this run has a video 'gone'; name a video of its data set"),
        ((trained / BUNDLE, features, features), 2, "a bundle or run is drawn with one video, got 2 of them"),
        ((trained / BUNDLE, name), 1, "bundle: no run here"),
        ((tmp_path / "gone.csv",), 1, "gone.csv: cannot read it (no such file)"),
        ((tmp_path / "gone.txt",), 1, "gone.txt: cannot read it (no such file)"),
        ((kitchen,), 1, "no run here"),
    ]
    for inputs, code, words in bad:
        target = () if "--out" in inputs else ("--out", tmp_path / "new.svg")
        answer = keyseg("plot", *inputs, *target)
        assert (answer.code, answer.out) == (code, ""), inputs
        assert words in answer.err
        assert not (tmp_path / "new.svg").exists()


def test_plot_of_a_video_names_the_training_annotations_that_it_follows(
    trained: Path, kitchen: Path, keyseg: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shutil.copytree(trained, tmp_path / "run")
    dataset = Dataset.open(kitchen)
    names, predictor = dataset.names(1, "train"), load(run)
    match = Match.to([dataset.annotation(name) for name in names], len(dataset.labels), MatchWeights())
    save_bundle(replace(predictor, decoder=predictor.decoder.changed(match=match)), run / BUNDLE, {}, force=True)
    given: dict[str, Any] = {}
    draw = viz.plot_prediction

    def spied(scores: Any, rows: Any, *others: Any, **keywords: Any) -> Any:
        given.update(keywords, rows=rows)
        return draw(scores, rows, *others, **keywords)

    monkeypatch.setattr(viz, "plot_prediction", spied)
    for video in (dataset.names(1, "test")[0], names[0]):
        assert keyseg("plot", run, video, "--out", tmp_path / f"{video}.png").code == 0
        rows = ["annotation", "frame-wise", "without the match", "with the match"]
        assert [name for name, _ in given["rows"]] == rows
        assert given["rows"][0][1] == dataset.annotation(video)
        assert given["rows"][-1][1] == load(run).predict(kitchen / "features" / f"{video}.npy").segmentation
        assert (given["followed"].names, given["title"]) == (names, video)
