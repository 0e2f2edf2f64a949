"""What trains each system: recipe and objective. What runs it is in `keyseg.inference.systems`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

from pydantic import ValidationError

from keyseg.inference.systems import SYSTEMS, System, system_named
from keyseg.timeline import LabelMap
from keyseg.timeline.validation import problem_text
from keyseg.training.bcn_objective import BCNObjective
from keyseg.training.objective import FrameObjective, Objective
from keyseg.training.rtk_objective import RTKObjective
from keyseg.training.settings import ASFormerExtraRecipe, ASFormerRecipe, BCNRecipe, MSTCNRecipe, Recipe, RTKRecipe


@dataclass(frozen=True)
class TrainableSystem:
    """What training a system takes. objective: made of a recipe and the classes."""

    recipe: type[Recipe]
    objective: Callable[[Any, LabelMap], Objective]


TRAINABLE: dict[str, TrainableSystem] = {
    "ms-tcn++": TrainableSystem(MSTCNRecipe, FrameObjective),
    "bcn": TrainableSystem(BCNRecipe, BCNObjective),
    "asformer": TrainableSystem(ASFormerRecipe, FrameObjective),
    "asformer-extra": TrainableSystem(ASFormerExtraRecipe, FrameObjective),
    "rtk": TrainableSystem(RTKRecipe, RTKObjective),
}
"""Those of keyseg. What trains those that packages add is at the place that their `System.training` names."""


def trainable(name: str) -> TrainableSystem:
    """What training the system of this name takes.

    Raises ConfigError as `system_named`, and naming the package whose system cannot be trained.

    >>> trainable("asformer").recipe().optimiser.epochs
    120
    """
    place = system_named(name).training
    if name in TRAINABLE:
        return TRAINABLE[name]
    if place is None:
        raise SYSTEMS.refusal(name, "it cannot be trained, since its System has no `training`")
    try:
        found = resolve_name(place)
    except Exception as error:  # importing runs code of the package, which can fail in any way
        raise SYSTEMS.refusal(name, f"{place}: {type(error).__name__}: {error}") from error
    if not isinstance(found, TrainableSystem):
        raise SYSTEMS.refusal(name, f"{place}: expected TrainableSystem, got {type(found).__name__}")
    if problem := _problem_of_defaults(found.recipe, system_named(name)):
        raise SYSTEMS.refusal(name, f"{found.recipe.__name__}: {problem}")
    return found


def _problem_of_defaults(recipe: type[Recipe], system: System) -> str:
    """What is wrong with the defaults of a recipe; an empty string if nothing is."""
    try:
        defaults = recipe.model_validate({})
    except ValidationError as error:
        problems = (f"`{'.'.join(map(str, item['loc']))}`: {problem_text(item)}" for item in error.errors())
        return f"its defaults make no recipe: {'; '.join(problems)}"
    if defaults.model != system.name:
        return f"`model` has the default {defaults.model!r}, not {system.name!r}"
    if not isinstance(defaults.network, system.config):
        return f"`network` is {type(defaults.network).__name__}, and `config` of the System {system.config.__name__}"
    return ""
