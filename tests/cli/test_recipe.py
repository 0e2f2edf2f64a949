"""keyseg recipe: list, values, commented file and schema; keyseg doctor on packages that add systems."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from keyseg.training.recipe import load_recipe, recipe_for
from keyseg.training.recipe_text import recipe_yaml, shipped_recipes
from plug_in import install, install_own_system


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the package of examples/own_system."""
    folder = tmp_path_factory.mktemp("site")
    install_own_system(folder)
    monkeypatch.syspath_prepend(folder)
    return folder


def test_the_list_has_systems_with_their_packages_and_recipes(keyseg: Callable[..., Any], site: Path) -> None:
    lines = keyseg("recipe").out.splitlines()
    assert lines[:2] == ["systems:", "  ms-tcn++        MS-TCN++"]
    assert "  own-gru         Bidirectional GRU, of own-system 0.1.0" in lines
    assert [line.strip() for line in lines[lines.index("recipes of known data sets:") + 1 :]] == list(shipped_recipes())


def test_a_printed_recipe_trains(keyseg: Callable[..., Any], site: Path, tmp_path: Path) -> None:
    for name in ("rtk", "gtea-asformer", "own-gru"):
        file = tmp_path / f"{name}.yaml"
        file.write_text(keyseg("recipe", name, "--print").out)
        assert keyseg("recipe", file).out == keyseg("recipe", name).out
    assert load_recipe(tmp_path / "rtk.yaml") == load_recipe(None)
    text = (tmp_path / "own-gru.yaml").read_text()
    assert "  # of the GRU, in each direction [integer >= 1, <= 1024; default 32]\n  channels: 32\n" in text


def test_values_come_one_per_line(keyseg: Callable[..., Any]) -> None:
    lines = keyseg("recipe", "gtea-rtk").out.splitlines()
    assert {"model=rtk", "optimiser.epochs=60", "data.features=null"} < set(lines)


def test_the_recipe_for_a_data_set_is_the_one_that_train_takes(keyseg: Callable[..., Any], kitchen: Path) -> None:
    assert keyseg("recipe", "--data", kitchen, "--print").out == recipe_yaml(recipe_for(kitchen)[0])
    assert keyseg("recipe", "bcn", "--data", kitchen).out.startswith("model=bcn\n")
    assert "no such folder" in keyseg("recipe", "bcn", "--data", "nowhere").err


def test_the_schema_is_json(keyseg: Callable[..., Any]) -> None:
    schema = json.loads(keyseg("recipe", "gtea-bcn", "--schema").out)
    assert "barrier" in schema["properties"]


def test_what_cannot_be_shown_is_explained(keyseg: Callable[..., Any]) -> None:
    answer = keyseg("recipe", "gtae-rtk")
    assert (answer.code, "(did you mean 'gtea-rtk.yaml'?)" in answer.err) == (2, True)
    answer = keyseg("recipe", "--print")
    assert (answer.code, "--print needs the name of a recipe, such as rtk" in answer.err) == (2, True)


def test_doctor_lists_what_packages_add_and_names_broken_ones(keyseg: Callable[..., Any], site: Path) -> None:
    answer = keyseg("doctor")
    assert "system own-gru: of own-system 0.1.0\n" in answer.out
    assert answer.code == 0
    entries = {"keyseg.systems": {"rtk": "doc_no:A", "mine": "doc_no:B"}, "keyseg.formats": {"arrows": "doc_no:C"}}
    install(site, "broken-things", entries, "3.0")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site / "..")  # another search path, so that packages are looked for again
        answer = keyseg("doctor")
    assert answer.code == 1
    for line in ("system mine: of broken-things 3.0, broken", "system rtk: of broken-things 3.0, broken"):
        assert line in answer.out.splitlines()
    assert "problem: 'rtk' of broken-things 3.0 (entry point doc_no:A of keyseg.systems) cannot be used" in answer.out
    assert "format arrows: of broken-things 3.0, broken\n" in answer.out
    assert answer.out.endswith("broken\n")


def test_a_broken_system_breaks_no_other_verb(keyseg: Callable[..., Any], kitchen: Path, site: Path) -> None:
    install(site, "broken-things", {"keyseg.systems": {"mine": "doc_no:B"}}, "3.0")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site / "..")
        assert keyseg("recipe", "rtk").code == 0
        assert "mine" not in keyseg("recipe").out
        answer = keyseg("train", kitchen, "--model", "mine", "--out", site / "run")
    assert answer.code == 2
    assert "'mine' of broken-things 3.0 (entry point doc_no:B of keyseg.systems) cannot be used" in answer.err
    assert "update or uninstall that package" in answer.err
