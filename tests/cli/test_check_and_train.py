"""keyseg check and keyseg train, as a new user runs them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keyseg.cli.options import split_numbers

RATE = "a frame rate is a number such as 15 or 29.97, or a fraction such as 30000/1001, above 0 and at most"


@pytest.fixture
def copied(kitchen: Path, tmp_path: Path) -> Path:
    """A copy of the kitchen that a test may break."""
    return shutil.copytree(kitchen, tmp_path / "kitchen")


def test_check_of_good_data(kitchen: Path, keyseg: Any) -> None:
    answer = keyseg("check", kitchen)
    assert answer.code == 0
    assert "6 videos, " in answer.out
    assert "1 split, features of 24 dimensions\nsettings in force:\n" in answer.out
    assert "\nyour videos follow a common order: " in answer.out
    assert answer.out.endswith("\nok\n")
    answer = keyseg("check", kitchen, "--json")
    report = json.loads(answer.out)
    assert (answer.code, answer.err) == (0, "")
    assert report["ok"] is True
    assert (report["videos"], report["splits"], report["dimension"], report["problems"]) == (6, 1, 24, [])
    assert 0 < report["common_order"] <= 100


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
    out = keyseg("check", copied / "nowhere").out
    assert "None" not in out
    assert "common order" not in out
    answer = keyseg("check", copied, "--json")
    assert answer.code == 1
    report = json.loads(answer.out)
    assert report["ok"] is False
    assert len(report["problems"]) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--background", "none"), 0, "ok"),
        (("--background", "background", "cut"), 0, "ok"),
        (("--background", "nothing"), 1, "background 'nothing' (option) is not a class"),
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
        (("--fps", "fast"), f"error: --fps: {RATE} 100000; got 'fast'\n"),
        (("--fps", "1/0"), f"error: --fps: {RATE} 100000; got '1/0'\n"),
        (("--fps", "-1"), f"error: --fps: {RATE} 100000; got '-1'\n"),
        (("--sample-rate", "0"), "error: --sample-rate: Input should be greater than or equal to 1, got '0'\n"),
        (("--tolerance", "3"), "error: tolerance 3 needs lengths 'trim', got lengths 'error' (default)\n"),
        (("--lengths", "cut"), "error: --lengths: Input should be 'error', 'trim' or 'resample', got 'cut'\n"),
    ],
)
def test_options_of_check_out_of_range(arguments: tuple[str, ...], words: str, kitchen: Path, keyseg: Any) -> None:
    answer = keyseg("check", kitchen, *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err


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
    assert "split 1 seed 3: epoch 2/2" in answer.err  # progress is not a result
    assert "recipe: " in answer.err
    run = json.loads((out / "run.json").read_text())
    assert run["command"].startswith(f"keyseg train {kitchen.name} --out {out.name} --set network.backbone.channels=8")
    assert run["recipe"]["data"]["background"] == []
    config = json.loads((out / "split1/seed3/bundle/config.json").read_text())
    assert config["background"] == []
    assert config["provenance"]["command"] == run["command"]

    answer = keyseg("train", kitchen, "--out", out, *options)
    assert (answer.code, answer.out) == (2, "")
    assert (
        answer.err == f"error: {out} holds a run; use --resume to continue it or --force to delete it and start again\n"
    )
    answer = keyseg("train", kitchen, "--out", out, *options, "--resume")
    assert answer.code == 1
    assert "data.background was [] and is now ['background']; repeat its options to resume it" in answer.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--split", "9"), 1, "no split 9; there are splits 1"),
        (("--split", "one"), 2, "error: --split: expected a split's number, several as 1,2, or all; got 'one'\n"),
        (("--model", "asfomer"), 2, "'asfomer' (did you mean 'asformer'?); known: ms-tcn++, bcn, asformer, "),
        (("--seed", "-1"), 2, "expected at least one seed, each from 0 to 2**32 - 1, got [-1]"),
        (("--set", "optimiser.epoch=3"), 2, "unknown key 'optimiser.epoch' (did you mean 'epochs'?)"),
        (("--set", "optimiser.epochs"), 2, "--set optimiser.epochs: a change is written section.key=value"),
        (("--set", "optimiser.epochs=-1"), 2, "'optimiser.epochs': Input should be greater than or equal to 1, got -1"),
        (("--epochs", "0"), 2, "--epochs takes a number >= 1, got 0"),
        (("--recipe", "none.yaml"), 2, "none.yaml: cannot read it (no such file); it should hold a recipe"),
        (("--features", "i3d"), 1, "i3d: no such folder"),
        (("--background", "nothing"), 1, "background 'nothing' (--background) is not a class"),
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
    assert (answer.code, answer.err) == (2, f"error: {tmp_path / 'file'} is a file; name a folder for the run\n")


def test_splits_as_typed() -> None:
    assert split_numbers("2") == (2,)
    assert split_numbers("1,3") == (1, 3)
    assert split_numbers("all") == ()
    for text in ("", "1,", "x", "1 2"):
        with pytest.raises(ValueError, match="expected a split's number, several as 1,2, or all; got "):
            split_numbers(text)


def test_of_a_folder_that_is_not_there_nothing_is_counted(keyseg: Any, tmp_path: Path) -> None:
    answer = keyseg("check", tmp_path / "nowhere")
    assert answer.code == 1
    assert "no such folder; expected a data set" in answer.out
    assert answer.out.splitlines()[1:] == ["1 problem(s)"]
