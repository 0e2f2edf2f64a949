"""keyseg propose: files and tables of drafts, exit codes."""

from __future__ import annotations

import numpy as np
import pytest

from keyseg.cli.main import run

LEVELS = np.random.default_rng(2).standard_normal((3, 12)).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    np.save(tmp_path / "tea.npy", np.repeat(LEVELS, 40, axis=0).T)
    np.save(tmp_path / "soup.npy", np.repeat(LEVELS[:2], 40, axis=0).T)
    return tmp_path


def test_without_a_folder_the_drafts_are_printed_as_one_table(folder, capsys):
    assert run(["propose", str(folder), "--fps", "5", "--segments", "3", "--classes", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == ["soup", "soup", "tea", "tea", "tea"]
    assert lines[-1] == "tea,80,120,16.0,24.0,part_3"


def test_files_in_several_formats(folder, capsys):
    out = folder / "out"
    assert run(["propose", str(folder), "--out", str(out), "--format", "txt,eaf", "--fps", "5"]) == 0
    assert sorted(file.name for file in out.iterdir()) == ["soup.eaf", "soup.txt", "tea.eaf", "tea.txt"]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "tea.txt" in captured.err


def test_a_failure_is_reported_and_sets_the_exit_code(folder, capsys):
    (folder / "film.mp4").write_bytes(b"not a video")
    command = ["propose", str(folder), "--out", str(folder / "out"), "--cache", str(folder / "cache")]
    assert run(command) == 1
    captured = capsys.readouterr()
    assert "film.mp4" in captured.err
    assert f"1 of 3 inputs failed; the others are in {folder / 'out'}" in captured.err


@pytest.mark.parametrize("words", [["--segments", "0"], ["--classes", "x"], ["--format", "nothing"], []])
def test_wrong_usage(folder, words):
    assert run(["propose", *([str(folder)] if words else []), *words]) == 2
