"""One bad input of many: the others are done, the exit code is 1, and a list at the end names it with its reason."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keyseg.toy.kitchen_features import write_toy_kitchen


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.500\ncut\n")
    (tmp_path / "b.vtt").write_text("WEBVTT\n\n00:03.000 --> 00:02.500\ncut\n")
    return tmp_path


def last_lines(text: str) -> tuple[str, str]:
    first, second = text.splitlines()[-2:]
    return first, second


def test_convert(labels: Path, keyseg: Any, tmp_path: Path) -> None:
    answer = keyseg("convert", labels, tmp_path / "out", "--to", "csv", "--fps", "10")
    assert answer.code == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.csv", "c.csv"]
    first, second = last_lines(answer.err)
    assert first == "1 of 3 inputs failed"
    assert second.lstrip().startswith(f"{labels / 'b.vtt'}:")
    assert keyseg("convert", labels / "b.vtt", tmp_path / "b.csv").code == 1


def test_convert_of_a_name_that_is_not_utf8(labels: Path, keyseg: Any, tmp_path: Path) -> None:
    try:
        (labels / "a.vtt").rename(labels / os.fsdecode(b"d\xff.vtt"))
    except OSError:
        pytest.skip("this file system has no such names")
    answer = keyseg("convert", labels, tmp_path / "out", "--to", "csv", "--fps", "10")
    assert answer.code == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["c.csv"]
    assert "2 of 3 inputs failed" in answer.err


def test_eval(labels: Path, keyseg: Any) -> None:
    answer = keyseg("eval", "--ref", labels, "--pred", labels, "--fps", "10")
    assert answer.code == 1
    assert " 100.00 " in answer.out
    assert f"{labels / 'b.vtt'}:" in answer.err.splitlines()[-1]


def test_every_video_of_one_table_that_fails_is_named(keyseg: Any, tmp_path: Path) -> None:
    rows = ["one,0.5,2.5,cut", "one,2,4,pour", "two,0.5,2.5,cut", "three,0.5,2.5,cut", "three,1.5,2.5,stir"]
    table, truth = tmp_path / "table.csv", tmp_path / "truth.csv"
    table.write_text("\n".join(["video,start_seconds,end_seconds,label", *rows]))
    truth.write_text("\n".join(["video,start_seconds,end_seconds,label", *rows[:1], *rows[2:4]]))
    converted = keyseg("convert", table, tmp_path / "out", "--to", "txt", "--fps", "10")
    assert (converted.code, converted.out) == (1, f"{tmp_path / 'out' / 'two.txt'}\n")
    scored = keyseg("eval", "--ref", truth, "--pred", table, "--fps", "10")
    assert (scored.code, " 100.00 " in scored.out) == (1, True)
    for answer in (converted, scored):
        one, three = answer.err.splitlines()[-2:]
        assert "one" in one
        assert "three" in three
        assert "overlap" in one + three


def test_plot(labels: Path, keyseg: Any) -> None:
    answer = keyseg("plot", *(labels / f"{name}.vtt" for name in "abc"), "--out", labels / "x.png")
    assert (answer.code, (labels / "x.png").exists()) == (1, True)
    assert f"{labels / 'b.vtt'}:" in answer.err.splitlines()[-1]


def test_propose_with_a_name_that_is_not_utf_8(keyseg: Any, tmp_path: Path) -> None:
    for name in ("a.npy", "b.npy", "bad.npy", "longer.npy"):
        np.save(tmp_path / name, np.repeat(np.eye(4, dtype=np.float32), 20 + len(name), axis=0))
    (tmp_path / "bad.npy").write_bytes(b"no")
    try:
        os.rename(os.fsencode(tmp_path / "b.npy"), os.fsencode(tmp_path) + b"/b\xff.npy")
    except (OSError, UnicodeError):
        pytest.skip("this system has UTF-8 names only")
    answer = keyseg("propose", tmp_path, "--out", tmp_path / "out", "--segments", "4")
    assert answer.code == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.csv", "longer.csv"]
    assert "2 of 4 inputs failed; the others are in" in answer.err
    assert "b\\udcff' cannot be the name of a file: it is not UTF-8; rename the video" in answer.err


def test_train_blames_the_odd_feature_file_and_not_the_others(keyseg: Any, tmp_path: Path) -> None:
    data = write_toy_kitchen(tmp_path / "data", videos=6, test_videos=2)
    files = sorted((data / "features").glob("*.npy"))
    from keyseg.data.dataset import Dataset

    odd = data / "features" / f"{Dataset.open(data).names(1, 'train')[0]}.npy"
    array = np.load(odd)
    wide = array.shape[0] < array.shape[1]  # (D, T)
    np.save(odd, np.vstack([array, array[-1:]]) if wide else np.hstack([array, array[:, :1]]))
    answer = keyseg("train", data, "--out", tmp_path / "run")
    assert answer.code == 1
    assert len(files) == 6
    assert answer.err.splitlines()[-1].startswith(f"error: {odd}: expected ")
