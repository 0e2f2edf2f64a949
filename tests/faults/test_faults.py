"""A sample of the points that `make faults` tries, and whether the tool sees and stops every change."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from faults.injection import compiled_shim, started_with

HERE = Path(__file__).parent
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="faults are injected with LD_PRELOAD, which is a Linux thing"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc) here"),
]


@pytest.mark.parametrize(
    ("verbs", "every"),
    [
        (("convert --force", "features"), 17),
        (("init into a folder", "data get"), 41),
        (("import-weights --force", "predict"), 23),
    ],
    ids=["files", "folders", "bundles"],
)
def test_after_a_fault_the_same_command_ends_as_if_nothing_had_been(verbs: tuple[str, ...], every: int) -> None:
    words = [sys.executable, str(HERE), *verbs, "--every", str(every), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, env=started_with(None))
    rows = json.loads(done.stdout)
    assert [row["verb"] for row in rows] == list(verbs)
    assert [(row["verb"], problem) for row in rows for problem in row["wrong"]] == []
    assert all(row["points"] >= 3 and row["left"] == 0 for row in rows)
    assert done.returncode == 0


CHANGES = """
import os
def change():
    os.mkdir("folder")
    with open("folder/a", "wb", buffering=0) as file:
        file.write(b"12345678")
        os.fsync(file)
    os.replace("folder/a", "folder/b")
    open("folder/b").close()
    os.link("folder/b", "c")
    os.unlink("c")
    return 0
"""
CALLS = ("mkdir", "open64", "write", "fsync", "rename", "link", "unlink")


@pytest.fixture(scope="module")
def inject(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Does CHANGES in a child with a fault; the exit code, the calls, the files with their contents and the output."""
    library = compiled_shim(tmp_path_factory.mktemp("shim"))

    def run(at: int, kind: str, lasting: bool = False) -> tuple[int, list[str], dict[str, str], str]:
        folder = tmp_path_factory.mktemp("injected")
        (folder / "place").mkdir()
        code = f"""
            import json, os, sys
            from pathlib import Path
            sys.path.insert(0, {str(HERE.parent)!r})
            from faults.injection import Fault, run_child
            os.chdir({str(folder / "place")!r})
            ended = run_child(change, Path.cwd(), Fault({at}, {kind!r}, {lasting}), Path({str(folder)!r}))
            print(json.dumps([ended.code, ended.changes, ended.output]))
        """
        words = [sys.executable, "-c", CHANGES + textwrap.dedent(code)]
        done = subprocess.run(words, capture_output=True, text=True, check=True, env=started_with(library))
        exit_code, changes, output = json.loads(done.stdout)
        files = {p.name: p.read_text() for p in (folder / "place").rglob("*") if p.is_file()}
        return exit_code, [line.split()[1] for line in changes], files, output

    return run


def test_every_change_is_counted(inject: Any) -> None:
    assert inject(99, "kill")[:3] == (0, list(CALLS), {"b": "12345678"})


def test_a_kill_comes_at_its_change_and_what_was_being_written_is_half_there(inject: Any) -> None:
    code, calls, files, _ = inject(3, "kill")
    assert (code, calls, files) == (-9, list(CALLS[:3]), {"a": "1234"})
    assert inject(5, "kill")[:3] == (-9, list(CALLS[:5]), {"a": "12345678"})


def test_an_error_comes_once_or_from_then_on(inject: Any) -> None:
    code, calls, files, output = inject(4, "EIO")
    assert (code, calls[-1], files) == (70, "fsync", {"a": "12345678"})
    assert "OSError: [Errno 5]" in output
    assert "FileNotFoundError" not in inject(1, "ENOSPC")[3]
    assert inject(7, "ENOSPC", True)[0] == 0  # on a full disk a name can still be removed
    assert inject(7, "EIO", True)[0] == 70
