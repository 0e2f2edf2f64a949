"""Recipes as text: every key with its meaning, what there are, and the schema for editors."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from keyseg.inference.systems import SYSTEMS
from keyseg.timeline import ConfigError, nearest
from keyseg.timeline.yaml_text import to_yaml
from keyseg.training.recipe import leaves, load_recipe, recipe_for, shipped_recipe
from keyseg.training.settings import Recipe
from keyseg.training.systems import trainable

_WIDTH = 110


def shipped_recipes() -> tuple[str, ...]:
    """File names of the recipes of this package, such as `gtea-rtk.yaml`."""
    files = (resources.files("keyseg") / "recipes").iterdir()
    return tuple(sorted(file.name for file in files if file.name.endswith(".yaml")))


def recipe_named(name: str, data: Path | None = None) -> Recipe:
    """The recipe with a name: of a system, its defaults or what it is trained with on `data`; a shipped one; or a file.

    Raises ConfigError naming the nearest, DataError as `recipe_for`.

    >>> recipe_named("gtea-rtk").optimiser.epochs
    60
    """
    if data is not None:
        return recipe_for(data, name)[0]
    if name in SYSTEMS:
        return load_recipe(None, (f"model={name}",))
    shipped, file = shipped_recipes(), f"{name.removesuffix('.yaml')}.yaml"
    if file in shipped:
        return shipped_recipe(file)
    if Path(name).is_file():
        return load_recipe(Path(name))
    known = (*SYSTEMS, *shipped)
    raise ConfigError(f"no recipe {name!r}{nearest(name, known)}; expected a file, or one of {', '.join(known)}")


def recipe_values(recipe: Recipe) -> list[str]:
    """Every value of a recipe, as `--set` takes it.

    >>> recipe_values(recipe_named("rtk"))[:3]
    ['model=rtk', 'data.features=null', 'data.background=null']
    """
    return [f"{key}={_inline(value)}" for key, value in leaves(recipe.model_dump(mode="json"))]


def recipe_yaml(recipe: Recipe) -> str:
    """A recipe as a YAML file that holds every key, each with its meaning, type and default; it loads as the recipe.

    >>> print(*recipe_yaml(recipe_named("rtk")).splitlines()[-2:], sep="\\n")
      # of refined classes as evidence [number >= 0, <= 1e+09; default 0.0]
      context_weight: 0.0
    """
    defaults = trainable(recipe.model).recipe.model_validate({})
    schema = type(recipe).model_json_schema()
    lines = [*_comment(_first_sentence(schema.get("description", recipe.model))), ""]
    lines += _section(recipe, defaults.model_dump(mode="json"), schema, schema["$defs"])
    return "\n".join(lines) + "\n"


def recipe_schema(system: str) -> dict[str, Any]:
    """The JSON schema of a system's recipes, for editors that complete and check YAML files.

    >>> list(recipe_schema("rtk")["properties"])[:3]
    ['model', 'data', 'network']
    """
    schema = trainable(system).recipe.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return schema


def _section(
    section: BaseModel, defaults: Mapping[str, Any], schema: Mapping[str, Any], definitions: Mapping[str, Any]
) -> Iterator[str]:
    """The lines of a section, each key after a comment; sections in it are indented."""
    for key, value in section.model_dump(mode="json").items():
        field, inner = schema["properties"][key], getattr(section, key)
        if isinstance(inner, BaseModel):
            inner_schema = definitions[field["$ref"].rpartition("/")[2]]
            yield ""
            yield from _comment(field.get("description") or _first_sentence(inner_schema.get("description", key)))
            yield f"{key}:"
            lines = _section(inner, defaults[key], inner_schema, definitions)
            yield from (f"  {line}" if line else "" for line in lines)
        else:
            meaning = f"{field.get('description', '')} [{_type(field)}; default {_inline(defaults[key])}]"
            yield from _comment(meaning.strip())
            yield f"{key}: {_inline(value)}"


def _type(field: Mapping[str, Any]) -> str:
    """What a value may be, in words, from its JSON schema.

    >>> _type({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 16}, {"type": "null"}]})
    'integer >= 1, <= 16 or null'
    """
    if "anyOf" in field:
        return " or ".join(map(_type, field["anyOf"]))
    if "enum" in field or "const" in field:
        return " | ".join(map(_inline, field.get("enum") or [field["const"]]))
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    bounds = [f"{sign} {field[name]:g}" for name, sign in _BOUNDS.items() if name in field]
    return f"{field.get('type', 'value')} {', '.join(bounds)}".rstrip()


_BOUNDS = {
    "minimum": ">=",
    "exclusiveMinimum": ">",
    "maximum": "<=",
    "exclusiveMaximum": "<",
    "multipleOf": "multiple of",
}


def _inline(value: Any) -> str:
    """A value as YAML on one line.

    >>> _inline(["a", None]), _inline(5e-4), _inline("none")
    ('[a, null]', '0.0005', 'none')
    """
    return to_yaml(value, one_line=True)


def _first_sentence(docstring: str) -> str:
    return " ".join(docstring.split()).partition(". ")[0].removesuffix(".") + "."


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")
