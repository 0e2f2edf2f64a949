"""The values that a tuning tries: read, made to hold the recipe's own, suggested by optuna, put into a recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from keyseg.timeline import ConfigError
from keyseg.timeline.validation import problem_text
from keyseg.timeline.yaml_text import read_yaml
from keyseg.training.recipe import validate_recipe
from keyseg.training.settings import Range, Recipe, Space

if TYPE_CHECKING:
    from optuna import Trial

_FILE: TypeAdapter[dict[str, Range | tuple[Any, ...]]] = TypeAdapter(dict[str, Range | tuple[Any, ...]])


def read_space(path: Path) -> Space:
    """Read a YAML file of keys, each with a list of values or a range such as `{low: 0.0001, high: 0.01, log: true}`.

    Raises ConfigError with the file and the key.
    """
    try:
        return _FILE.validate_python(read_yaml(path, "keys of a recipe and what to try for each"))
    except ValidationError as error:
        problem = error.errors()[0]
        key = str(problem["loc"][0]) if problem["loc"] else "the file"
        raise ConfigError(
            f"{path}: {key!r}: {problem_text(problem)}; write a list of values, or a range as {{low: 0.1, high: 0.5}}"
        ) from None


def space_around(recipe: Recipe, space: Space, source: str = "space") -> Space:
    """The space, wide enough for the recipe's own values. Raises ConfigError if a value is none of the recipe's."""
    if not space:
        raise ConfigError(f"{source}: names no key to try")
    return {key: _around(recipe, key, tried, source) for key, tried in space.items()}


def _around(recipe: Recipe, key: str, tried: Range | tuple[Any, ...], source: str) -> Range | tuple[Any, ...]:
    ends = (tried.low, tried.high) if isinstance(tried, Range) else tried
    if not ends:
        raise ConfigError(f"{source}: {key!r}: an empty list; write the values to try")
    if key.startswith("data.") or key == "matching.folds":
        raise ConfigError(f"{source}: {key!r} says what trials are measured on, the same for all; set it in the recipe")
    for value in ends:
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{source}: {key!r}: {value} is not a finite number")
        changed_recipe(recipe, {key: value}, source)  # raises on a wrong key or value
    own = own_values(recipe, (key,))[key]
    if not isinstance(tried, Range):
        return tried if own in tried else (own, *tried)
    if isinstance(own, bool) or not isinstance(own, int | float):
        raise ConfigError(f"{source}: {key!r} is {own!r} in the recipe, which no range holds; write a list of values")
    whole = tried.whole or _refuses_fractions(recipe, key, own)
    wide = Range(low=min(tried.low, own), high=max(tried.high, own), log=tried.log, whole=whole)
    if wide.low >= wide.high or (wide.log and wide.low <= 0):
        raise ConfigError(f"{source}: {key!r}: cannot try numbers from {wide.low:g} to {wide.high:g}, log {wide.log}")
    return wide


def _refuses_fractions(recipe: Recipe, key: str, own: float) -> bool:
    try:
        changed_recipe(recipe, {key: own + 0.5})
    except ConfigError:
        return isinstance(own, int)
    return False


def own_values(recipe: Recipe, keys: tuple[str, ...]) -> dict[str, Any]:
    """What a recipe has for keys such as `optimiser.learning_rate`."""
    values = {}
    for key in keys:
        value: Any = recipe.model_dump(mode="json")
        for part in key.split("."):
            value = value[part]
        values[key] = value
    return values


def changed_recipe(recipe: Recipe, values: Mapping[str, Any], source: str = "recipe") -> Recipe:
    """A recipe with other values. Raises ConfigError on a key that it does not have, or a value out of range.

    >>> from keyseg.training.settings import RTKRecipe
    >>> changed_recipe(RTKRecipe(), {"network.backbone.channels": 32}).network.backbone.channels
    32
    """
    content = recipe.model_dump(mode="json")
    for key, value in values.items():
        section: Any = content
        *sections, last = key.split(".")
        for name in sections:
            section = section.setdefault(name, {})
            if not isinstance(section, dict):
                raise ConfigError(f"{source}: {key!r}: {name!r} is a value, not a section")
        section[last] = value
    return validate_recipe(content, source)


def suggested(trial: Trial, space: Space) -> dict[str, Any]:
    """What a trial tries, by key."""
    return {key: _one(trial, key, tried) for key, tried in space.items()}


def _one(trial: Trial, key: str, tried: Range | tuple[Any, ...]) -> Any:
    if not isinstance(tried, Range):
        return trial.suggest_categorical(key, tried)
    if tried.whole:
        return trial.suggest_int(key, int(tried.low), int(tried.high), log=tried.log)
    return trial.suggest_float(key, tried.low, tried.high, log=tried.log)
