"""Missing optional dependencies: an error with the command that installs them, and nothing else is hidden."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest

from keyseg.timeline import ConfigError
from keyseg.timeline.extras import extra


@pytest.mark.parametrize("module", ["no_such_library", "no_such_library.part"])
def test_a_missing_module_names_the_extra_that_brings_it(module: str) -> None:
    message = r"^plotting needs no_such_library, which is not installed; run: pip install \"keyseg\[plots\]\"$"
    with pytest.raises(ConfigError, match=message), extra("plots", "plotting"):
        import_module(module)


def test_a_blocked_module_counts_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fractions", None)
    with (
        pytest.raises(ConfigError, match="plotting needs fractions, which is not installed"),
        extra("plots", "plotting"),
    ):
        import_module("fractions")


def test_a_module_that_is_there_is_imported() -> None:
    with extra("plots", "plotting"):
        import json
    assert json.loads("1") == 1


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ModuleNotFoundError("no keyseg", name="keyseg.gone"), "no keyseg"),
        (ModuleNotFoundError("no name"), "no name"),
        (ImportError("cannot import name 'x'"), "cannot import name"),
        (ValueError("something else"), "something else"),
    ],
)
def test_other_errors_pass_through(error: Exception, words: str) -> None:
    with pytest.raises(type(error), match=words) as caught, extra("plots", "plotting"):
        raise error
    assert caught.value is error
