"""Predictions in several processes and in parts: the files of one process, whatever runs at the same time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import fsspec
import pytest

import keyseg as package
from keyseg.inference.folder import predict_files
from keyseg.timeline import ConfigError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def inputs(kitchen: Path) -> list[Path]:
    return sorted((kitchen / "features").glob("*.npy"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_workers_write_what_one_process_writes(trained: Path, inputs: list[Path], tmp_path: Path) -> None:
    bad = tmp_path / "bad.npy"
    bad.write_text("no features")
    results, lines = {}, dict[int, list[str]]()
    for workers in (1, 2):
        lines[workers] = []
        options: dict[str, Any] = {"formats": ("csv", "txt"), "review": True, "report": lines[workers].append}
        results[workers] = predict_files(trained, [bad, *inputs], out=tmp_path / "out", workers=workers, **options)
        (tmp_path / "out").rename(tmp_path / str(workers))
    assert results[1] == results[2]
    assert list(results[2].failed) == [bad]
    assert list(results[2].written) == inputs
    assert contents(tmp_path / "1") == contents(tmp_path / "2")
    assert sorted(lines[1]) == sorted(lines[2])


def test_parts_at_the_same_time_write_to_one_folder(trained: Path, inputs: list[Path], tmp_path: Path) -> None:
    predict_files(trained, inputs, out=tmp_path / "alone")
    names = tmp_path / "inputs.txt"
    names.write_text("".join(f"{path}\n" for path in inputs), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(Path(package.__file__).parents[1])}
    command = [sys.executable, "-m", "keyseg", "predict", trained, names, "--out", tmp_path / "out", "--resume"]
    for _ in range(2):  # and then once more
        started = [
            subprocess.Popen([*command, "--shard", f"{part}/2"], env=environment, stderr=subprocess.PIPE)
            for part in (1, 2)
        ]
        said = [process.communicate(timeout=300)[1].decode() for process in started]
        assert [process.returncode for process in started] == [0, 0]
        assert contents(tmp_path / "out") == contents(tmp_path / "alone")
    kept = [int(text.split()[0]) for text in said]
    assert sum(kept) == len(inputs)
    assert min(kept) > 0


def test_a_part_has_no_review_and_an_address_no_page(trained: Path, inputs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--review lists the segments of all inputs"):
        predict_files(trained, inputs, out=tmp_path / "out", shard="1/2", review=True)
    with pytest.raises(ConfigError, match="only with videos of this machine"):
        predict_files(trained, ["memory://none/a.mp4"], out=tmp_path / "out", page=lambda *_: None)
    assert not (tmp_path / "out").exists()


def test_features_at_an_address_are_predicted_like_a_file(trained: Path, inputs: list[Path], tmp_path: Path) -> None:
    store, name = fsspec.filesystem("memory"), inputs[0].name
    store.pipe_file(f"/taken/{name}", inputs[0].read_bytes())
    store.pipe_file("/taken/bad.npy", b"no features")
    try:
        result = predict_files(trained, ["memory://taken"], out=tmp_path / "out", cache=tmp_path / "cache")
    finally:
        store.rm("/taken", recursive=True)
    assert [reason.split(": ")[0] for reason in result.failed.values()] == ["memory://taken/bad.npy"]
    predict_files(trained, inputs[:1], out=tmp_path / "alone")
    assert contents(tmp_path / "out") == contents(tmp_path / "alone")
    assert list((tmp_path / "cache").iterdir()) == []
