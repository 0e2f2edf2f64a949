"""Problems that new users met: misleading messages, wrong axes, and names of private folders in shared files."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keyseg.cli.main import run
from keyseg.cli.verb import command_line


def test_timelines_count_frames_where_the_frame_rate_is_not_known(keyseg: Any, tmp_path: Path) -> None:
    labels = ["background"] * 60 + ["pour"] * 90
    (tmp_path / "a.txt").write_text("\n".join(labels) + "\n")
    segments = [
        {"start_frame": 0, "end_frame": 60, "label": "background"},
        {"start_frame": 60, "end_frame": 150, "label": "pour"},
    ]
    content = {"fps": "3", "frames": 150, "classes": ["background", "pour"], "background": [], "segments": segments}
    (tmp_path / "b.json").write_text(json.dumps(content))
    assert keyseg("plot", tmp_path / "a.txt", "--out", tmp_path / "frames.svg").code == 0
    assert keyseg("plot", tmp_path / "a.txt", tmp_path / "b.json", "--out", tmp_path / "seconds.svg").code == 0
    frames, seconds = ((tmp_path / f"{name}.svg").read_text() for name in ("frames", "seconds"))
    assert "time (frames)" in frames
    assert {"0", "80", "140"} <= set(re.findall(r"<!-- (\d+) -->", frames))
    assert "time (s)" in seconds
    assert "50" in re.findall(r"<!-- (\d+) -->", seconds)  # 150 frames at 3 fps


def test_a_letter_missing_from_the_font_is_not_a_warning(
    keyseg: Any, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    (tmp_path / "a.txt").write_text("take-🍅\n" * 9, encoding="utf-8")
    answer = keyseg("plot", tmp_path / "a.txt", "--out", tmp_path / "a.png")
    assert (answer.code, answer.err) == (0, "")
    folders = ("--ref", tmp_path / "a.txt", "--pred", tmp_path / "a.txt")
    assert keyseg("eval", *folders, "--analysis", tmp_path / "errors").code == 0
    assert [str(warning.message) for warning in recwarn if "Glyph" in str(warning.message)] == []


def test_the_command_in_shared_files_names_no_folders_of_the_user(
    kitchen: Path, keyseg: Any, options: tuple[str, ...], tmp_path: Path
) -> None:
    assert command_line(["train", "/home/me/salads", "--out=/home/me/x y", "--set", "a.b=1/2"]) == shlex.join(
        ["keyseg", "train", "salads", "--out=x y", "--set", "a.b=1/2"]
    )
    assert command_line(["train", "data/salads", "--out", "../x"]) == "keyseg train data/salads --out x"
    out = tmp_path / "run"
    assert keyseg("train", kitchen, "--out", out, *options).code == 0
    shared = [out / "results.md", out / "results.json", *(out / "split1/seed0/bundle").glob("*.json")]
    assert len(shared) == 3
    for file in shared:
        text = file.read_text()
        assert str(tmp_path) not in text
        assert str(kitchen.parent) not in text
        assert f"keyseg train {kitchen.name} --out run" in text


def test_training_refuses_to_test_on_its_training_videos(
    kitchen: Path, keyseg: Any, options: tuple[str, ...], tmp_path: Path
) -> None:
    data = Path(shutil.copytree(kitchen, tmp_path / "data"))
    train, test = (data / "splits" / f"{side}.split1.bundle" for side in ("train", "test"))
    train.write_text(train.read_text() + test.read_text().splitlines()[0] + "\n")
    answer = keyseg("train", data, "--out", tmp_path / "run", *options)
    assert answer.code == 1
    assert "split 1 tests on videos that it trains on" in answer.err
    assert test.read_text().split(".")[0] in answer.err
    assert not (tmp_path / "run").exists()
    assert keyseg("check", data).code == 1


def test_check_says_how_training_reads_the_same_data(kitchen: Path, keyseg: Any, tmp_path: Path) -> None:
    data = Path(shutil.copytree(kitchen, tmp_path / "data"))
    for file in (data / "features").iterdir():
        np.save(file, np.load(file)[:, :-3])
    answer = keyseg("check", data)
    assert answer.code == 1
    assert "--save" not in answer.out
    arguments = ("--fps", "30", "--sample-rate", "2", "--lengths", "trim", "--tolerance", "3")
    answer = keyseg("check", data, *arguments)
    assert answer.code == 0
    assert answer.out.endswith("to make every verb read it in the same way, run this command again with --save\n")
    assert keyseg("check", data, *arguments, "--save").code == 0
    assert keyseg("check", data).out.endswith("ok\n")
    assert keyseg("check", kitchen).out.endswith("ok\n")
    for fps in ("0", "-1"):
        answer = keyseg("check", kitchen, f"--fps={fps}")
        assert answer.code == 2
        assert answer.err.startswith(
            "error: --fps: a frame rate is a number such as 15 or 29.97, or a fraction such as"
        )
        assert answer.err.endswith(f"above 0 and at most 100000; got {fps!r}\n")


def test_eval_says_when_a_background_does_not_occur(keyseg: Any, tmp_path: Path) -> None:
    for side in ("ref", "pred"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "a.txt").write_text("rest\npour\n")
    folders = ("--ref", tmp_path / "ref", "--pred", tmp_path / "pred")
    answer = keyseg("eval", *folders, "--background", "rest", "idel")
    assert answer.code == 0
    assert answer.err == "note: no frame is labelled 'idel', so leaving it out changes nothing\n"
    assert keyseg("eval", *folders).err == ""
    assert keyseg("eval", *folders, "--background", "none").err == ""


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("train", "interrupted; progress is saved; run the same command to resume, with --resume\n"),
        ("demo", "interrupted; progress is saved; run the same command to resume, without --force\n"),
    ],
)
def test_what_to_do_after_an_interrupt(
    verb: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("keyseg.cli.train.train", interrupted)
    monkeypatch.setattr("keyseg.toy.demo.write_toy_videos", interrupted)
    monkeypatch.setattr(sys, "argv", ["keyseg"])
    inputs = [str(tmp_path)] if verb == "train" else []
    assert run([verb, *inputs, "--out", str(tmp_path / "out")]) == 130
    assert capsys.readouterr().err.endswith(words)
