"""keyseg data get: terms first, --accept, then the data set; exit codes and what is printed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from keyseg.cli.data import ByteProgress
from keyseg.data.known_datasets import DATASETS

NAMES = ("gtea", "50salads", "breakfast")


@pytest.fixture(scope="module")
def archive(kitchen: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A local archive, in which a toy kitchen takes the place of each data set."""
    inside = tmp_path_factory.mktemp("archive")
    for name in NAMES:
        shutil.copytree(kitchen, inside / "data" / name)
    return Path(shutil.make_archive(str(tmp_path_factory.mktemp("served") / "data"), "zip", inside))


def test_terms_come_first_and_nothing_is_downloaded_without_accept(keyseg: Any, tmp_path: Path) -> None:
    answer = keyseg("data", "get", "gtea", "--out", tmp_path / "gtea", "--archive", "http://127.0.0.1:9/data.zip")
    assert answer.code == 2
    facts = DATASETS["gtea"]
    for words in (facts.title, facts.homepage, facts.terms, facts.citation, "MS-TCN", "for research", "ships none"):
        assert words in answer.out
    assert answer.err == "error: nothing was downloaded; read the terms, and add --accept to agree and continue\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_with_accept_the_data_set_is_there(
    name: str, keyseg: Any, archive: Path, kitchen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for setting in ("FORCE_COLOR", "TTY_COMPATIBLE"):  # they would make rich take a file for a terminal
        monkeypatch.delenv(setting, raising=False)
    out = tmp_path / "sets" / name
    answer = keyseg("data", "get", name, "--out", out, "--archive", archive, "--accept")
    assert answer.code == 0, answer.err
    assert DATASETS[name].terms in answer.out
    *_, done, following = answer.out.splitlines()
    assert done == f"{out}: done"
    words = following.removeprefix("  next: keyseg ").split()
    assert words == ["check", str(out), *(["--sample-rate", "2"] if name == "50salads" else [])]
    assert keyseg("check", out).code == 0
    assert (out / "mapping.txt").read_bytes() == (kitchen / "mapping.txt").read_bytes()
    lines = answer.err.splitlines()
    assert 1 < len(lines) <= 20
    assert len(set(lines[-1].removeprefix("downloading: ").split(" of "))) == 1  # all of it
    again = keyseg("data", "get", name, "--out", out, "--archive", archive, "--accept")
    assert (again.code, again.err) == (2, f"error: {out} exists; name a new folder for the data set\n")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("put", "gtea", "--out", "x"), 2, "put"),
        (("get", "toy", "--out", "x"), 2, "toy"),
        (("get", "gtea"), 2, "--out"),
        (("get", "gtea", "--out", "x", "--archive", "absent.zip", "--accept"), 1, "absent.zip"),
    ],
)
def test_wrong_usage(words: tuple[str, ...], code: int, message: str, keyseg: Any, tmp_path: Path) -> None:
    answer = keyseg("data", *words)
    assert answer.code == code
    assert message in answer.err


def test_the_libraries_are_loaded_when_they_are_used() -> None:
    code = "import sys, keyseg.cli.data; print(sorted({'remotezip', 'requests', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_progress_on_a_terminal_is_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    with ByteProgress() as progress:
        for done in (400, 1000):
            progress(done, 1000)
    err = capsys.readouterr().err
    assert "downloading" in err
    assert "1.0/1.0 kB" in err
    assert " of " not in err


def test_progress_in_a_log_is_about_twenty_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    with ByteProgress() as progress:
        progress(0, 0)  # empty files only
        for done in range(0, 1001):
            progress(done * 10**6, 10**9)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 20
    assert (lines[0], lines[-1]) == ("downloading: 50.0 MB of 1.0 GB", "downloading: 1.0 GB of 1.0 GB")
