"""Recipes as text: a printed recipe loads again, and every key is explained."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel, Field

from keyseg.timeline import ConfigError
from keyseg.timeline.validation import Section
from keyseg.training.recipe import load_recipe, shipped_recipe
from keyseg.training.recipe_text import recipe_named, recipe_schema, recipe_values, recipe_yaml, shipped_recipes
from keyseg.training.settings import MSTCNRecipe, RTKRecipe
from keyseg.training.systems import TRAINABLE

CHANGED = (
    "data.fps=30000/1001",
    "data.background=['no action: none', \"it's\"]",
    "data.features='123'",
    "optimiser.learning_rate=1e-7",
    "augmentation.mixed_segments=0.25",
    "logging.loggers=[wandb]",
)


@pytest.mark.parametrize("name", [*TRAINABLE, *shipped_recipes()])
def test_a_printed_recipe_loads_as_the_recipe(name: str, tmp_path: Path) -> None:
    recipe = recipe_named(name)
    file = tmp_path / "mine.yaml"
    for changes in ((), CHANGED):
        changed = load_recipe(None, (f"model={recipe.model}", *changes)) if changes else recipe
        file.write_text(recipe_yaml(changed), encoding="utf-8")
        assert load_recipe(file) == changed
        assert type(load_recipe(file)) is type(changed)
        assert load_recipe(None, recipe_values(changed)) == changed


def fields(section: type[BaseModel]) -> Iterator[tuple[type[BaseModel], str, bool]]:
    """Section, key, and whether the value is a section again, of every field below a section."""
    for name, field in section.model_fields.items():
        inner = field.annotation
        nested = isinstance(inner, type) and issubclass(inner, BaseModel)
        yield section, name, nested
        if nested:
            yield from fields(inner)


@pytest.mark.parametrize("system", TRAINABLE)
def test_every_key_has_a_description(system: str) -> None:
    found = list(fields(TRAINABLE[system].recipe))
    assert len(found) > 25
    for section, name, nested in found:
        field = section.model_fields[name]
        assert field.description or (nested and field.annotation.__doc__), f"{section.__name__}.{name}"


def test_the_comment_says_meaning_type_and_default() -> None:
    text = recipe_yaml(load_recipe(None, ("optimiser.epochs=7", "network.refinement.max_shift=2")))
    assert text.startswith("# Refined temporal keypoints.\n\n")
    assert "\n  # passes over the training videos [integer >= 1; default 120]\n  epochs: 7\n" in text
    assert "[number > 0, <= 1e+06; default 8.0]\n    max_shift: 2.0\n" in text
    assert "\n# Adam with a separate rate for the refinement.\noptimiser:\n" in text
    assert "[fit or number >= 0, <= 1; default fit]\n  mixed_segments: fit\n" in text.replace("\n  # ", " ")
    assert "[linear | quadratic; default linear]\n  method: linear\n" in text
    assert max(map(len, text.splitlines())) <= 112
    comments = [line for line in text.splitlines() if line.lstrip().startswith("#")]
    assert sum(line.endswith("]") for line in comments) == len(recipe_values(RTKRecipe()))


def test_values_are_written_as_set_takes_them() -> None:
    values = recipe_values(load_recipe(None, ("model=bcn", "data.background=[a, b]")))
    assert {"model=bcn", "data.background=[a, b]", "optimiser.clip_norm=null", "network.inner_pooling.width=7"} < set(
        values
    )


@pytest.mark.parametrize("system", TRAINABLE)
def test_the_schema_has_every_key_with_its_description(system: str) -> None:
    schema = json.loads(json.dumps(recipe_schema(system)))
    assert schema["$schema"].startswith("https://json-schema.org/")

    def check(section: type[BaseModel], part: dict[str, object]) -> None:
        assert part["additionalProperties"] is False
        assert part["description"]
        assert list(part["properties"]) == list(section.model_fields)
        for name, field in section.model_fields.items():
            entry = part["properties"][name]
            if "$ref" in entry:
                check(field.annotation, schema["$defs"][entry["$ref"].rpartition("/")[2]])
            else:
                assert entry["description"] == field.description

    check(TRAINABLE[system].recipe, schema)


def test_recipes_are_found_by_system_file_name_and_path(tmp_path: Path) -> None:
    assert recipe_named("gtea-rtk") == recipe_named("gtea-rtk.yaml") == shipped_recipe("gtea-rtk.yaml")
    (tmp_path / "mine.yml").write_text(yaml.safe_dump({"model": "bcn", "optimiser": {"epochs": 3}}))
    assert recipe_named(str(tmp_path / "mine.yml")).optimiser.epochs == 3
    with pytest.raises(ConfigError, match=r"no recipe 'gtea-rkt' \(did you mean 'gtea-rtk.yaml'\?\); expected a file"):
        recipe_named("gtea-rkt")


def test_a_subclass_keeps_what_is_said_about_a_key_whose_default_it_changes() -> None:
    class Sizes(Section):
        width: int = Field(3, ge=2, description="in steps")
        depth: int = Field(1, description="layers")

    class Wide(Sizes):
        width: int = 9

    class Deep(Wide):
        depth: int = Field(7, description="blocks")

    assert (Deep().width, Deep().depth) == (9, 7)
    properties = Deep.model_json_schema()["properties"]
    assert (properties["width"]["description"], properties["width"]["minimum"]) == ("in steps", 2)
    assert properties["depth"]["description"] == "blocks"
    with pytest.raises(ValueError, match="greater than or equal to 2"):
        Deep(width=1)
    assert Sizes().width == 3


def test_keys_without_a_description_are_printed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bare(Section):
        sizes: tuple[int, int] = (3, 5)

    class BareRecipe(MSTCNRecipe):
        network: Bare = Bare()  # type: ignore[assignment]

    system = replace(TRAINABLE["ms-tcn++"], recipe=BareRecipe)
    monkeypatch.setitem(TRAINABLE, "ms-tcn++", system)
    text = recipe_yaml(BareRecipe())
    assert "\nnetwork:\n  # [list of value; default [3, 5]]\n  sizes: [3, 5]\n" in text
