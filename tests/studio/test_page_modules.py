"""The page's modules that need no browser, tested by the runner of the Node that playwright brings."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from keyseg.studio.segments import Splice, TimedSegment

FOLDER = Path(__file__).parent / "page"
TESTS = sorted(FOLDER.glob("*.test.mjs"))
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def node() -> str:
    driver = pytest.importorskip("playwright._impl._driver", reason="playwright is not installed; it brings Node")
    return str(driver.compute_driver_executable()[0])


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_modules_of_the_page(node, path):
    done = subprocess.run([node, "--test", str(path)], capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"\bpass (\d+)", done.stdout)
    assert passed
    assert int(passed[1]) > 0


def timed(segments: list[dict[str, object]]) -> list[TimedSegment]:
    return [TimedSegment.model_validate(segment) for segment in segments]


def test_the_server_makes_the_same_of_the_edits_of_the_page(node):
    done = subprocess.run([node, FOLDER / "edits_as_json.mjs"], capture_output=True, encoding="utf-8", check=True)
    edits = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(edits) > 300
    for edit in edits:
        splice = Splice.model_validate(edit["splice"])
        before, after = timed(edit["before"]), timed(edit["after"])
        assert splice.applied(before, edit["frames"]) == after
        assert splice.inverse().applied(after, edit["frames"]) == before
