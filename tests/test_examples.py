"""The examples (`>>>`) in docstrings run and show what they claim, and every public name has one."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

import keyseg
from keyseg.timeline import ConfigError

PACKAGE = Path(keyseg.__file__).parent


def with_examples(package: Path) -> list[str]:
    """Names of the modules with an example that runs, such as `keyseg.timeline.labels`."""
    runs = re.compile(r">>> (?!.*\+SKIP)")
    files = [path for path in sorted(package.rglob("*.py")) if runs.search(path.read_text(encoding="utf-8"))]
    parts = [path.relative_to(package.parent).with_suffix("").parts for path in files]
    return [".".join(names[:-1] if names[-1] == "__init__" else names) for names in parts]


TRAINING = {"keyseg"}  # modules whose examples train a network


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in TRAINING)) for n in with_examples(PACKAGE)]
)
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        module = importlib.import_module(name)
    except ConfigError as error:  # an extra that is not installed
        pytest.skip(str(error))
    result = doctest.testmod(module)  # prints what fails
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("name", sorted(set(keyseg.__all__) - {"__version__"}))
def test_every_public_name_has_an_example(name: str) -> None:
    examples = doctest.DocTestParser().get_examples(getattr(keyseg, name).__doc__)
    assert [example for example in examples if doctest.SKIP not in example.options]


def test_an_example_that_is_wrong_is_reported(tmp_path: Path) -> None:
    for name, result in {"right": 2, "wrong": 3}.items():
        (tmp_path / f"{name}.py").write_text(f'"""Adds.\n\n>>> 1 + 1\n{result}\n"""\n')
    (tmp_path / "silent.py").write_text('"""Shows nothing."""\n')
    (tmp_path / "skipped.py").write_text('"""Takes long.\n\n>>> train()  # doctest: +SKIP\n"""\n')
    assert [name.split(".")[1] for name in with_examples(tmp_path)] == ["right", "wrong"]
    failures = {}
    for name in ("right", "wrong"):
        module = ModuleType(name, (tmp_path / f"{name}.py").read_text().split('"""')[1])
        failures[name] = doctest.testmod(module, report=False).failed
    assert failures == {"right": 0, "wrong": 1}
