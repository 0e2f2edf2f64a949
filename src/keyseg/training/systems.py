"""The table of systems that can be trained: recipe and objective. What runs them is in `keyseg.inference.systems`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
