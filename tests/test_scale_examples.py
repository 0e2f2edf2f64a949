"""The examples for clusters: they can be parsed, and their commands have options that exist and parts that fit."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from keyseg.cli.main import app

FOLDER = Path(__file__).parents[1] / "examples" / "scale"
SCRIPTS = sorted(FOLDER.glob("*.sh"))


def commands(text: str) -> list[str]:
    """The keyseg commands of a file, each in one line."""
    return re.findall(r"keyseg predict .*", re.sub(r"\s*\\\n\s*", " ", text))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_scripts_can_be_parsed(path: Path) -> None:
    done = subprocess.run(["bash", "-n"], input=path.read_bytes(), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_job_has_as_many_parts_as_pods() -> None:
    job = yaml.safe_load((FOLDER / "kubernetes.yaml").read_text(encoding="utf-8"))
    assert (job["kind"], job["spec"]["completionMode"]) == ("Job", "Indexed")
    [container] = job["spec"]["template"]["spec"]["containers"]
    [line] = container["args"]
    assert f'JOB_COMPLETION_INDEX + 1))/{job["spec"]["completions"]}"' in line
    assert line.startswith("exec keyseg predict ")
    assert f"--workers {container['resources']['requests']['cpu']}" in line
    assert commands(line)


@pytest.mark.parametrize("path", [*SCRIPTS, FOLDER / "kubernetes.yaml"], ids=lambda path: path.name)
def test_options_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".yaml":
        text = yaml.safe_load(text)["spec"]["template"]["spec"]["containers"][0]["args"][0]
    [command] = commands(text)
    known = {name for argument in app["predict"].assemble_argument_collection() for name in argument.names}
    options = set(re.findall(r"(?<!\S)--[a-z-]+", command))
    assert {"--out", "--resume"} < options <= known
