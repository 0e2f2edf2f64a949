"""Command lines as beginners type them: each gets a message that says what to do, and verbs agree on the exit code."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keyseg.toy.kitchen_features import write_toy_kitchen

# Mistakes by exit code. In a fresh folder with: data, a data set; empty, a folder; file, a.txt and b.txt, one label per
# line; anns, a folder with both; x.npy and y.npy, features; bad.npy and bad.mp4, neither.
MISTAKES = {
    "a missing input": (
        1,
        """
        features nowhere --out o; predict nowhere x.npy --out o; propose nowhere; convert nowhere o.csv; eval nowhere
        eval --ref nowhere --pred a.txt; eval --ref a.txt --pred nowhere; eval --compare nowhere empty; check nowhere
        train nowhere --out r; tune nowhere --out t; recipe --data nowhere; plot nowhere --out x.png
        plot nowhere tea --out x.png; report a.txt --video nowhere.mp4; studio nowhere; serve nowhere; push nowhere o
        init d2 --videos nowhere --annotations anns; init d2 --videos bad.mp4 x.mp4 --annotations nowhere
        reproduce ablations nowhere --out o; train data --out r --start nowhere; propose x.npy --bundle nowhere
        data get gtea --out o --accept --archive nowhere.zip
        """,
    ),
    "an empty folder": (
        1,
        """
        features empty --out o; predict empty x.npy --out o; propose empty; convert empty o; eval empty
        eval --ref anns --pred none; check empty; train empty --out r; plot empty --out x.png
        init d2 --videos empty --annotations anns; init d2 --videos bad.mp4 --annotations empty
        reproduce ablations empty --out o
        """,
    ),
    "a file where a folder is expected, or the other way round": (
        1,
        "check file; train a.txt --out r; eval file; studio file; predict file x.npy --out o; push file o",
    ),
    "a damaged input": (
        1,
        "features bad.mp4 --out o; propose bad.npy; report a.txt --video bad.mp4; report bad.mp4 --video a.txt",
    ),
    "an output that exists": (
        2,
        """
        convert a.txt b.txt; convert anns anns; plot a.txt --out there.png; report a.txt --video bad.mp4 --out t.html
        init anns --videos bad.mp4 --annotations anns; train data --out anns; tune data --out anns; pull a/b file
        """,
    ),
    "an output below a file": (
        2,
        """
        features bad.mp4 --out file; features bad.mp4 --out file/x; propose x.npy --out file; convert a.txt file/x.txt
        init file --videos bad.mp4 --annotations anns; init file/x --videos bad.mp4 --annotations anns
        train data --out file; train data --out file/x; tune data --out file; demo --out file; demo --out file/x
        plot a.txt --out file/x.png; reproduce fig1 --out file/x.png
        """,
    ),
    "an unknown name": (
        2,
        """
        trian; features bad.mp4 --out o --extractor motoin; convert a.txt o.xyz; convert a.txt o.csv --from x --fps 1
        convert a.txt o.csv --to x --fps 1; propose x.npy --format x; eval --ref a.txt --pred b.txt --protocol x
        train data --out r --model x; train data --out r --set foo=1; recipe nothing; plot a.txt --out x.xyz
        report a.txt --video bad.mp4 --out x.png; data get x --out o; data put gtea --out o; reproduce nothing
        check data --axes XY; --bogus; predict x x.npy --out o --ouput x; reproduce fig1 --out x.xyz; pull nowhere o
        """,
    ),
    "a value out of range": (
        2,
        """
        features bad.mp4 --out o --fps 0; features bad.mp4 --out o --fps abc; features bad.mp4 --out o --workers 0
        features bad.mp4 --out o --shard 3/2; convert a.txt o.csv --fps 0; propose x.npy --segments 0
        check data --tolerance -1; check data --fps 0; eval --ref a.txt --pred b.txt --fps -1
        train data --out r --split x
        train data --out r --seed x; train data --out r --epochs 0; train data --out r --jobs 0
        train data --out r --set optimiser.epochs=-1; train data --out r --set foo; tune data --out t --trials 0
        studio empty --port x; serve empty --most-mib 0; train data --out r --recipe nowhere
        studio empty --host 0.0.0.0
        """,
    ),
    "a missing or a superfluous word": (
        2,
        """
        features --out o; features bad.mp4; features bad.mp4 --out; predict x --out o --resume --force; predict x x.npy
        convert a.txt; convert; eval a.txt b.txt; eval --ref a.txt; eval --pred a.txt; eval --compare a.txt; check
        plot --out x.png; plot x.npy --out x.png; report a.txt; report --video bad.mp4; init d2; init d2 --videos x
        recipe rtk --print --schema; recipe --print; doctor x; data get gtea --out o; convert anns o.txt
        import-weights file; predict x.npy anns/bundle --out o
        """,
    ),
}
LINES = [
    pytest.param(line.strip(), code, id=line.strip())
    for code, text in MISTAKES.values()
    for line in re.split(r"[;\n]", text)
    if line.strip()
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mistakes")
    write_toy_kitchen(folder / "data", videos=6, test_videos=2)
    for name in ("empty", "none", "anns"):
        (folder / name).mkdir()
    (folder / "anns" / "bundle").mkdir()
    (folder / "anns" / "bundle" / "config.json").write_text("{}")
    for name in ("a.txt", "b.txt", "anns/a.txt", "anns/b.txt", "file"):
        (folder / name).write_text("cut\ncut\npour\n")
    for name in ("bad.npy", "bad.mp4", "x.mp4", "there.png", "t.html"):
        (folder / name).write_bytes(b"neither")
    np.save(folder / "x.npy", np.zeros((30, 4), np.float32))
    return folder


def test_there_are_more_than_a_hundred() -> None:
    assert len({line.values[0] for line in LINES}) >= 100


@pytest.mark.parametrize(("line", "code"), LINES)
def test_a_mistake_gets_a_message(line: str, code: int, place: Path, keyseg: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(place)
    before = sorted(os.listdir(place))
    answer = keyseg(*line.split())
    text = answer.out + answer.err
    assert answer.code == code, text
    assert "[Errno" not in text
    assert "bug in keyseg" not in text
    assert re.search(r"^(error|problem|\[\d+/\d+\] error)[: ]", text, re.MULTILINE)
    assert all(len(part) <= 2000 for part in text.splitlines())
    assert text.isprintable() or not re.search(r"[^\n\x20-\x7e\u00a0-\uffff]", text)
    left = set(os.listdir(place)) - set(before)
    for name in left - {"o"}:
        shutil.rmtree(place / name)
    assert left <= {"o"}, "a mistake leaves nothing"
