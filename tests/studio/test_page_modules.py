"""The page's modules that need no browser, tested by the runner of the Node that playwright brings."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

TESTS = sorted((Path(__file__).parent / "page").glob("*.test.mjs"))


@pytest.fixture(scope="module")
def node() -> str:
    driver = pytest.importorskip("playwright._impl._driver", reason="playwright is not installed; it brings Node")
    return str(driver.compute_driver_executable()[0])


@pytest.mark.slow
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_modules_of_the_page(node, path):
    done = subprocess.run([node, "--test", str(path)], capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"\bpass (\d+)", done.stdout)
    assert passed and int(passed[1]) > 0
