"""check, train, eval, predict and plot, as a stranger uses them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keyseg.cli.train import parse_splits
from keyseg.data.annotations import read_frame_labels
from keyseg.metrics import evaluate
from keyseg.timeline import ConfigError

SCORES = ["acc", "edit", "f1@10", "f1@25", "f1@50", "videos", "frames"]
BUNDLE = Path("split1") / "seed0" / "bundle"


@pytest.fixture
def copied(kitchen: Path, tmp_path: Path) -> Path:
    """A kitchen to break."""
    return shutil.copytree(kitchen, tmp_path / "kitchen")


# check


def test_check_of_good_data(kitchen: Path, keyseg: Any) -> None:
    answer = keyseg("check", kitchen)
    assert answer.code == 0
    assert "6 videos, " in answer.out
    assert "1 splits, features of 24 dimensions\nok\n" in answer.out
    answer = keyseg("check", kitchen, "--json")
    report = json.loads(answer.out)
    assert (answer.code, answer.err) == (0, "")
    assert report["ok"] is True
    assert (report["videos"], report["splits"], report["dimension"], report["problems"]) == (6, 1, 24, [])


def test_check_of_broken_data_reports_every_problem_with_its_place(copied: Path, keyseg: Any) -> None:
    first, second, third = sorted((copied / "groundTruth").iterdir())[:3]
    lines = first.read_text().splitlines()
    first.write_text("\n".join([*lines[:4], "flying", *lines[5:]]) + "\n")
    second.write_text("\n".join(second.read_text().splitlines()[:-9]) + "\n")
    features = copied / "features" / f"{third.stem}.npy"
    array = np.load(features)
    array[3, 17] = np.nan
    np.save(features, array)
    answer = keyseg("check", copied)
    assert answer.code == 1
    assert f"{first}:5" in answer.out
    assert "'flying'" in answer.out
    assert f"{second.stem}.npy" in answer.out
    assert f"{features}: " in answer.out
    assert "step 17" in answer.out
    assert answer.out.endswith("3 problem(s)\n")
    assert "None" not in keyseg("check", copied / "nowhere").out
    answer = keyseg("check", copied, "--json")
    assert answer.code == 1
    report = json.loads(answer.out)
    assert report["ok"] is False
    assert len(report["problems"]) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--background", "none"), 0, "ok"),
        (("--empty-background",), 0, "ok"),
        (("--background", "nothing"), 1, "background 'nothing' is not a class"),
        (("--fps", "30000/1001"), 0, "ok"),
        (("--features", "i3d"), 1, "i3d: no such folder"),
    ],
)
def test_options_of_check(arguments: tuple[str, ...], code: int, words: str, kitchen: Path, keyseg: Any) -> None:
    answer = keyseg("check", kitchen, *arguments)
    assert answer.code == code
    assert words in answer.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--fps", "fast"), "--fps takes a number or a fraction such as 30000/1001, got 'fast'"),
        (("--fps", "1/0"), "--fps takes a number or a fraction such as 30000/1001, got '1/0'"),
        (("--fps", "-1"), "fps must be positive"),
        (("--sample-rate", "0"), "stride must be a whole number of frames >= 1, got 0"),
        (("--tolerance", "3"), "tolerance is a number of frames >= 0 that goes with lengths 'trim'"),
    ],
)
def test_options_of_check_out_of_range(arguments: tuple[str, ...], words: str, kitchen: Path, keyseg: Any) -> None:
    answer = keyseg("check", kitchen, *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err


# train


def test_train_leaves_a_run_and_says_where(
    trained: Path, kitchen: Path, options: Any, keyseg: Any, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    answer = keyseg("train", kitchen, "--out", out, *options, "--seed", "3", "--background", "none")
    assert answer.code == 0
    assert "| RTK |" in answer.out
    for place in (out / "results.md", out / "split1/seed3/bundle", out / "split1/seed3/predictions"):
        assert f" {place}\n" in answer.out
        assert place.exists()
    assert "split 1 seed 3: epoch 2/2" in answer.err  # progress is no result
    assert "recipe: " in answer.err
    run = json.loads((out / "run.json").read_text())
    assert run["command"].startswith(f"keyseg train {kitchen} --out {out} --set network.backbone.channels=8")
    assert run["recipe"]["data"]["background"] == []
    config = json.loads((out / "split1/seed3/bundle/config.json").read_text())
    assert config["background"] == []
    assert config["provenance"]["command"] == run["command"]

    answer = keyseg("train", kitchen, "--out", out, *options)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"error: {out} holds a run; --resume goes on with it, --force starts anew\n"
    answer = keyseg("train", kitchen, "--out", out, *options, "--resume")
    assert answer.code == 1
    assert "data.background is [] there and None now; repeat its options to go on with it" in answer.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--split", "9"), 1, "no split 9; there are splits 1"),
        (("--split", "one"), 2, "--split takes a number, several as 1,2, or all; got 'one'"),
        (("--seed", "-1"), 2, "seeds are whole numbers from 0"),
        (("--set", "optimiser.epoch=3"), 2, "unknown key 'optimiser.epoch' (did you mean 'epochs'?)"),
        (("--set", "optimiser.epochs"), 2, "a change is written section.key=value, got 'optimiser.epochs'"),
        (("--set", "optimiser.epochs=-1"), 2, "'optimiser.epochs': Input should be greater than or equal to 1, got -1"),
        (("--epochs", "0"), 2, "--epochs takes a number >= 1, got 0"),
        (("--recipe", "none.yaml"), 2, "none.yaml: cannot read the recipe"),
        (("--features", "i3d"), 1, "i3d: no such folder"),
        (("--background", "nothing"), 1, "background 'nothing' is not a class"),
    ],
)
def test_train_refuses_before_it_makes_anything(
    arguments: tuple[str, ...], code: int, words: str, kitchen: Path, keyseg: Any, tmp_path: Path
) -> None:
    answer = keyseg("train", kitchen, "--out", tmp_path / "run", *arguments)
    assert answer.code == code
    assert words in answer.err
    assert answer.out == ""
    assert not (tmp_path / "run" / "split1" / "seed0" / "last.ckpt").exists()


def test_train_where_there_is_no_data_set_or_no_folder_to_write_to(kitchen: Path, keyseg: Any, tmp_path: Path) -> None:
    answer = keyseg("train", tmp_path / "nowhere", "--out", tmp_path / "run")
    assert answer.code == 1
    assert f"{tmp_path / 'nowhere'}: no such folder; expected a data set with mapping.txt" in answer.err
    (tmp_path / "file").touch()
    answer = keyseg("train", kitchen, "--out", tmp_path / "file")
    assert answer.code == 1
    assert answer.err.startswith("error: [Errno 20] Not a directory: ")


def test_splits_as_typed() -> None:
    assert parse_splits("2") == (2,)
    assert parse_splits("1,3") == (1, 3)
    assert parse_splits("all") == ()
    for text in ("", "1,", "x", "1 2"):
        with pytest.raises(ConfigError, match="--split takes a number, several as 1,2, or all"):
            parse_splits(text)


# eval


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Annotations of three videos, and predictions of two of them: a label a line, and a recog file."""
    ref, pred = tmp_path / "ref", tmp_path / "pred"
    ref.mkdir()
    pred.mkdir()
    labels = {"a": "background cut idle pour pour idle", "b": "cut cut cut pour idle idle", "c": "pour pour"}
    for name, text in labels.items():
        (ref / f"{name}.txt").write_text("\n".join(text.split()) + "\n")
    (pred / "a.txt").write_text("\n".join("background cut cut pour pour pour".split()) + "\n")
    (pred / "b").write_text("### Frame level recognition: ###\ncut cut pour pour background idle\n")
    return ref, pred


def test_eval_of_folders_is_the_evaluator_with_json_as_its_only_output(folders: tuple[Path, Path], keyseg: Any) -> None:
    ref, pred = folders
    reference = {name: read_frame_labels(ref / f"{name}.txt") for name in "ab"}
    prediction = {"a": read_frame_labels(pred / "a.txt"), "b": read_frame_labels(pred / "b")}
    cases: dict[tuple[str, ...], tuple[str, ...]] = {
        (): ("background",),
        ("--background", "background", "idle"): ("background", "idle"),
        ("--background", "idle"): ("idle",),
        ("--background", "none"): (),
        ("--empty-background",): (),
    }
    found = {}
    for arguments, background in cases.items():
        answer = keyseg("eval", "--ref", ref, "--pred", pred, "--json", *arguments)
        assert answer.code == 0
        scores = json.loads(answer.out)
        assert list(scores) == SCORES
        wanted = evaluate(reference, prediction, background=background).to_json()
        assert scores == {key: wanted[key] for key in SCORES}
        assert answer.err == "note: 1 of 3 annotated videos have no prediction and are not scored\n"
        found[background] = scores["edit"], scores["f1@50"]
    assert len(set(found.values())) == 4  # so the background does matter here
    assert (scores["videos"], scores["frames"]) == (2, 12)
    answer = keyseg("eval", "--ref", ref, "--pred", pred, "--json", "--details", "--protocol", "tcn")
    details = json.loads(answer.out)
    assert set(SCORES) | {"protocol", "background", "per_class", "per_video"} <= set(details)
    assert details["protocol"] == "tcn"
    assert set(details["per_video"]) == {"a", "b"}


def test_eval_of_folders_as_a_table(folders: tuple[Path, Path], keyseg: Any) -> None:
    ref, pred = folders
    answer = keyseg("eval", "--ref", ref, "--pred", pred, "--background", "background", "idle")
    header, row, note = answer.out.splitlines()
    assert header.split() == ["f1@10", "f1@25", "f1@50", "edit", "acc", "videos", "frames"]
    wanted = json.loads(
        keyseg("eval", "--ref", ref, "--pred", pred, "--background", "background", "idle", "--json").out
    )
    assert [float(cell) for cell in row.split()] == [round(wanted[name], 2) for name in header.split()]
    assert note == "protocol ms-tcn; left out of edit and F1: background, idle"
    assert keyseg("eval", "--ref", ref, "--pred", pred, "--background", "none").out.endswith("and F1: none\n")


def test_eval_of_a_run_is_what_training_said(trained: Path, keyseg: Any) -> None:
    answer = keyseg("eval", trained, "--json")
    assert (answer.code, answer.err) == (0, "")
    scores = json.loads(answer.out)
    assert list(scores) == SCORES
    said = json.loads((trained / "split1/seed0/scores.json").read_text())["rtk"]
    assert scores == {key: said[key] for key in SCORES}
    assert keyseg("eval", trained).out.splitlines()[0].split() == "f1@10 f1@25 f1@50 edit acc videos frames".split()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "give a run folder, or both --ref and --pred; see: keyseg eval --help"),
        (("--ref", "{ref}"), 2, "give a run folder, or both --ref and --pred"),
        (("--pred", "{pred}"), 2, "give a run folder, or both --ref and --pred"),
        (("{ref}", "--ref", "{ref}", "--pred", "{pred}"), 2, "give a run folder, or both --ref and --pred"),
        (("{ref}", "--background", "idle"), 2, "--background goes with --ref and --pred; a run has its own"),
        (("--ref", "{ref}", "--pred", "{pred}", "--protocol", "mstcn"), 2, "unknown protocol 'mstcn' (did you mean"),
        (("{ref}",), 1, "no run here; expected the folder that keyseg train --out made"),
        (
            ("--ref", "{ref}", "--pred", "nowhere"),
            1,
            "nowhere: no such folder; expected one with a file of labels a video",
        ),
        (("--ref", "{ref}", "--pred", "{empty}"), 1, "no predictions here; expected VIDEO.txt or VIDEO"),
        (("--ref", "{pred}", "--pred", "{ref}"), 1, "for c (1 in all)"),
    ],
)
def test_eval_of_what_cannot_be_scored(
    arguments: tuple[str, ...], code: int, words: str, folders: tuple[Path, Path], keyseg: Any, tmp_path: Path
) -> None:
    ref, pred = folders
    (tmp_path / "empty").mkdir()
    answer = keyseg("eval", *(word.format(ref=ref, pred=pred, empty=tmp_path / "empty") for word in arguments))
    assert (answer.code, answer.out) == (code, "")
    assert words in answer.err


def test_eval_of_predictions_of_another_length(folders: tuple[Path, Path], keyseg: Any) -> None:
    ref, pred = folders
    (pred / "c.txt").write_text("pour\n")
    answer = keyseg("eval", "--ref", ref, "--pred", pred)
    assert answer.code == 1
    assert "different numbers of frames (1): c (2 in the reference, 1 predicted)" in answer.err


# predict


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
    assert table[0] == "video,start_frame,end_frame,start_seconds,end_seconds,label"
    assert len(table) == 1 + len(content["segments"])

    answer = keyseg("predict", trained / BUNDLE, kitchen / "features", "--out", tmp_path / "all")
    assert answer.code == 0
    assert len(answer.err.splitlines()) == 6
    assert {path.name for path in (tmp_path / "all").iterdir()} == {f"{file.stem}.txt" for file in files}
    for path in (trained / "split1/seed0/predictions").iterdir():  # as training left them
        assert (tmp_path / "all" / path.name).read_text() == path.read_text()


def test_predict_does_not_overwrite_unless_told(trained: Path, kitchen: Path, keyseg: Any, tmp_path: Path) -> None:
    file, other = sorted((kitchen / "features").iterdir())[:2]
    target = tmp_path / f"{file.stem}.txt"
    target.write_text("mine\n")
    answer = keyseg("predict", trained, other, file, "--out", tmp_path)
    assert answer.code == 2
    assert answer.err == f"error: {target} exists (1 such files); choose another --out or use --force\n"
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
    assert answer.err.endswith(f"4 of 5 videos could not be done; the others are in {tmp_path / 'out'}\n")
    answer = keyseg("predict", trained, tmp_path / "gone.npy", "--out", tmp_path / "none")
    assert answer.code == 1
    assert answer.err.endswith("1 of 1 videos could not be done\n")


def test_predict_of_what_cannot_be_done(trained: Path, kitchen: Path, keyseg: Any, tmp_path: Path) -> None:
    features = kitchen / "features"
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    twin = shutil.copytree(features, tmp_path / "twin")
    cases = [
        ((trained, features, "--format", "xml"), 2, "unknown format 'xml'; known: txt, csv, json"),
        ((trained,), 2, "name at least one .npy file or a folder of them"),
        ((trained, tmp_path / "empty"), 1, "empty: no .npy file in this folder"),
        ((trained, features, twin), 1, "two feature files are called"),
        ((kitchen, features), 1, "kitchen: no bundle here; expected a folder with config.json and weights.safetensors"),
        ((tmp_path / "nowhere", features), 1, "nowhere: no bundle here"),
    ]
    for arguments, code, words in cases:
        answer = keyseg("predict", *arguments, "--out", tmp_path / "out")
        assert (answer.code, answer.out) == (code, ""), arguments
        assert words in answer.err
        assert not (tmp_path / "out").exists()
    answer = keyseg("predict", trained, features, "--out", tmp_path / "file")
    assert answer.code == 1
    assert answer.err.startswith("error: [Errno ")


# plot


def test_plot_of_everything_it_draws(trained: Path, kitchen: Path, keyseg: Any, tmp_path: Path) -> None:
    file = sorted((trained / "split1/seed0/predictions").iterdir())[0]
    name = file.stem
    truth, features = kitchen / "groundTruth" / f"{name}.txt", kitchen / "features" / f"{name}.npy"
    metrics = trained / "split1/seed0/logs/version_0/metrics.csv"
    keyseg("predict", trained, features, "--out", tmp_path, "--format", "json,csv")
    cases = {
        "timelines.svg": (truth, file, tmp_path / f"{name}.json"),
        "heatmaps.png": (trained / BUNDLE, features),
        "heatmaps of a run.png": (trained, features),
        "curves.pdf": (trained,),
        "metrics.svg": (metrics,),
        "matching.svg": (trained, name),
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
        ((trained, "gone"), 1, "gone"),
        (
            (trained / BUNDLE, features, features),
            2,
            "heatmaps take a bundle and one .npy file of features, got 3 inputs",
        ),
        ((tmp_path / f"{name}.csv",), 1, "expected a column 'epoch'"),
        ((truth, tmp_path / f"{name}.csv"), 1, f"{name}.csv: a CSV table is for other tools"),
        ((tmp_path / "gone.txt",), 1, "gone.txt: cannot read it (no such file)"),
        ((kitchen,), 1, "no run here"),
    ]
    for inputs, code, words in bad:
        target = () if "--out" in inputs else ("--out", tmp_path / "new.svg")
        answer = keyseg("plot", *inputs, *target)
        assert (answer.code, answer.out) == (code, ""), inputs
        assert words in answer.err
        assert not (tmp_path / "new.svg").exists()
