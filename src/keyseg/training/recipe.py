"""Recipes: everything that determines a training run, validated, in one file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from keyseg.data.dataset import Dataset
from keyseg.data.known_datasets import identify
from keyseg.inference.systems import SYSTEMS, system_named
from keyseg.timeline import ConfigError, DataError, nearest
from keyseg.timeline.labels import read_class_list
from keyseg.timeline.validation import problem_text
from keyseg.timeline.yaml_text import from_yaml, read_yaml
from keyseg.training.settings import Recipe
from keyseg.training.systems import trainable

_SHIPPED = resources.files("keyseg") / "recipes"


def changes_of(given: Mapping[str, Any] | Sequence[str], prefix: str = "") -> Iterator[str]:
    """Changes of a recipe as `key=value`, with values as in YAML, from such texts or a mapping of keys or sections."""
    if isinstance(given, str) or not isinstance(given, Mapping):
        yield from [given] if isinstance(given, str) else given
        return
    for key, value in given.items():
        if isinstance(value, Mapping):
            yield from changes_of(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}={json.dumps(value, default=str)}"


def leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every single value of nested sections, by its key such as `network.backbone.channels`."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def load_recipe(path: Path | None = None, changes: Sequence[str] = ()) -> Recipe:
    """Read a YAML recipe (None: all defaults) and apply changes `a.b=value`, with values as in YAML.

    Raises ConfigError naming the file, the key and the nearest valid key.
    """
    content: Any = {}
    if path is not None:
        content = read_yaml(path, "a recipe") or {}
    source = str(path) if path is not None else "recipe"
    if not isinstance(content, dict):
        raise ConfigError(f"{source}: a recipe is a mapping of sections, got {type(content).__name__}")
    for change in changes:
        _apply(content, change)
    return validate_recipe(content, source, changes)


def shipped_recipe(name: str, changes: Sequence[str] = ()) -> Recipe:
    """A recipe of the package, by its file name."""
    with resources.as_file(_SHIPPED / name) as file:
        return load_recipe(file, changes)


def recipe_for(
    data: Path,
    model: str | None = None,
    path: Path | None = None,
    changes: Sequence[str] = (),
    *,
    features: str | None = None,
    background: Sequence[str] | None = None,
    epochs: int | None = None,
) -> tuple[Recipe, str]:
    """The recipe to train a data set with, and where it comes from: a file, or the shipped one for these classes.

    model: the system; None for the one of the recipe file, or RTK without a file. A data set that no shipped recipe
    is made for gets the defaults of the system. epochs: also scales the epoch at which matching joins and the like.
    Its section `data` states all that is in force: by `features`, `background` and `changes`, else the recipe
    file, else dataset.yaml, else the shipped recipe, else the data set's files and the defaults.
    """
    if not data.is_dir():
        raise DataError(f"{data}: no such folder; expected a data set with mapping.txt, groundTruth/ and splits/")
    if model is not None:
        system_named(model)
    if path is None:
        facts = identify(read_class_list(data / "mapping.txt"))
        system = model or "rtk"
        name = f"{facts.key}-{system}.yaml" if facts else ""
        if name and (_SHIPPED / name).is_file():
            recipe, source = shipped_recipe(name, changes), f"{name} (shipped)"
        else:
            recipe, source = load_recipe(None, (f"model={system}", *changes)), f"defaults of {system}"
    else:
        recipe, source = load_recipe(path, changes), str(path)
    if model is not None and recipe.model != model:
        place = _blamed("model", source, changes)
        raise ConfigError(f"{place}: a recipe of {recipe.model}, and --model asks for {model}; leave one out")
    given = recipe if path else load_recipe(None, (f"model={recipe.model}", *changes))
    options = given.data.stated()
    sources = {name: _blamed(f"data.{name}", source, changes) for name in options}
    for name, value in (("features", features), ("background", background)):
        if value is not None:
            options[name], sources[name] = value, f"--{name}"
    dataset = Dataset.open(data, sources=sources, otherwise=recipe.data, **options)
    recipe = recipe.changed(data=dataset.options)
    if epochs is not None:
        if epochs < 1:
            raise ConfigError(f"--epochs takes a number >= 1, got {epochs}")
        recipe = recipe.at_pace(epochs / recipe.optimiser.epochs)
    return recipe, source


def validate_recipe(content: Mapping[str, Any], source: str, changes: Sequence[str] = ()) -> Recipe:
    """A recipe from a mapping. Raises ConfigError with every problem, each with its key.

    source: the file that it is from. changes: those that were applied to it; they are named where they are wrong.
    """
    system = content.get("model", "rtk")
    if not isinstance(system, str) or system not in SYSTEMS:
        close = nearest(str(system), SYSTEMS)
        raise ConfigError(
            f"{_blamed('model', source, changes)}: 'model': no system {system!r}{close}; known: {', '.join(SYSTEMS)}"
        )
    recipe = trainable(system).recipe
    try:
        return recipe.model_validate(_over(recipe.model_validate({}).model_dump(), content))
    except ValidationError as error:
        problems: dict[str, list[str]] = {}  # by what is wrong, in order
        for item in error.errors():
            key = ".".join(map(str, item["loc"]))
            problems.setdefault(_blamed(key, source, changes), []).append(_explain(item, recipe))
        raise ConfigError("; ".join(f"{place}: {'; '.join(lines)}" for place, lines in problems.items())) from None


def _blamed(key: str, source: str, changes: Sequence[str]) -> str:
    """What states a key: the last change of it, of its section or of a part of it; else `source`."""
    for change in reversed(changes):
        changed = change.partition("=")[0].strip()
        if f"{key}.".startswith(f"{changed}.") or f"{changed}.".startswith(f"{key}."):
            return f"--set {change}"
    return source


def _over(defaults: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    """The content over the defaults of its system, section by section: one value leaves the others of its section."""
    given = {
        key: _over(defaults[key], value) if isinstance(value, dict) and isinstance(defaults.get(key), dict) else value
        for key, value in content.items()
    }
    return {**defaults, **given}


def _apply(content: dict[str, Any], change: str) -> None:
    key, separator, value = change.partition("=")
    if not separator or not key.strip():
        raise ConfigError(f"--set {change}: a change is written section.key=value")
    *sections, last = key.strip().split(".")
    for section in sections:
        content = content.setdefault(section, {})
        if not isinstance(content, dict):
            raise ConfigError(f"--set {change}: {section!r} is a value, not a section")
    try:
        content[last] = from_yaml(value, key)
    except ConfigError as error:
        raise ConfigError(f"--set {change}: {value!r} is not a YAML value") from error


def _explain(item: Any, recipe: type[Recipe]) -> str:
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        fields = _fields_at(recipe, item["loc"][:-1])
        return f"unknown key {key!r}{nearest(str(item['loc'][-1]), fields)}; known here: {', '.join(fields)}"
    return f"{key!r}: {problem_text(item)}"


def _fields_at(recipe: type[Recipe], location: Sequence[Any]) -> list[str]:
    model: type[BaseModel] = recipe
    for part in location:
        annotation = model.model_fields[str(part)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
