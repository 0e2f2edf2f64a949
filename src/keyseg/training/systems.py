"""What trains each system: recipe and objective. What runs it is in `keyseg.inference.systems`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

from keyseg.inference.systems import SYSTEMS, system_named
from keyseg.timeline import LabelMap
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
    if (model := found.recipe.model_fields["model"].default) != name:
        raise SYSTEMS.refusal(name, f"`model` of {found.recipe.__name__} has the default {model!r}, not {name!r}")
    return found
