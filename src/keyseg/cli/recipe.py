"""keyseg recipe: what recipes there are, and what is in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from keyseg.cli.terminal import show, show_data
from keyseg.timeline import ConfigError


def recipe_verb(
    name: str | None = None,
    /,
    *,
    print_: Annotated[bool, Parameter(name="--print")] = False,
    schema: bool = False,
    data: Path | None = None,
) -> int:
    """Show recipes: the list of them, the values of one as --set takes them, or a commented YAML file.

    A recipe is a YAML file with everything that determines a training. To write your own, keep what --print writes, or
    only the keys that you change, and pass the file to keyseg train --recipe. Editors with a YAML language server
    complete and check its keys after `keyseg recipe rtk --schema > rtk.schema.json`, if its first line is
    `# yaml-language-server: $schema=rtk.schema.json`.

    Args:
        name: A system such as rtk (its defaults), a recipe of the list such as gtea-rtk, or a YAML file. Default: list
            all systems and recipes.
        print_: Write the recipe as a YAML file: every key with its meaning, type and default.
        schema: Write the JSON schema of the system's recipes, for editors.
        data: Data set: the recipe that keyseg train would choose for it.
    """
    from keyseg.training.recipe_text import recipe_named, recipe_schema, recipe_values, recipe_yaml

    if print_ and schema:
        raise ConfigError("--print writes a recipe, --schema what recipes may hold; leave one out")
    if name is None and data is None:
        if print_ or schema:
            raise ConfigError(f"--{'print' if print_ else 'schema'} needs the name of a recipe, such as rtk")
        _print_list()
        return 0
    recipe = recipe_named(name or "rtk", data)
    if schema:
        show_data(json.dumps(recipe_schema(recipe.model), indent=1))
    elif print_:
        show_data(recipe_yaml(recipe))
    else:
        show("\n".join(recipe_values(recipe)))
    return 0


def _print_list() -> None:
    from keyseg.inference.systems import SYSTEMS
    from keyseg.training.recipe_text import shipped_recipes

    show("systems:")
    for name, system in SYSTEMS.usable():
        package = SYSTEMS.package(name)
        show(f"  {name:<16}{system.title}{f', of {package}' if package else ''}")
    show("recipes of known data sets:")
    for file in shipped_recipes():
        show(f"  {file}")
