"""From a recipe to what is trained: the objective, and the decoder that reads the network."""

from __future__ import annotations

from keyseg.inference.decoders import FrameDecoder, KeypointDecoder
from keyseg.inference.decoding import Rules
from keyseg.matching.memory import AnnotationMemory
from keyseg.timeline import LabelMap
from keyseg.training.bcn import BCNObjective
from keyseg.training.frames import FrameObjective
from keyseg.training.objective import Objective
from keyseg.training.rtk import RTKObjective
from keyseg.training.settings import (
    ASFormerExtraRecipe,
    ASFormerRecipe,
    BCNRecipe,
    MSTCNRecipe,
    Recipe,
    RTKRecipe,
)


def system_of(
    recipe: Recipe,
    labels: LabelMap,
    rules: tuple[Rules, Rules] | None = None,
    memory: AnnotationMemory | None = None,
) -> tuple[Objective, KeypointDecoder | FrameDecoder]:
    """Objective and decoder of a recipe. rules: RTK's, with and without refinement; None for the recipe's.
    memory: the training videos' annotations, which RTK matches a video to."""
    match recipe:
        case RTKRecipe():
            chosen = rules or (recipe.rules, recipe.rules)
            decoder = KeypointDecoder(recipe.proposals, *chosen, refine=False, memory=memory)
            return RTKObjective(recipe, decoder), decoder
        case MSTCNRecipe() | ASFormerRecipe() | ASFormerExtraRecipe():
            return FrameObjective(recipe.losses, recipe.optimiser), FrameDecoder(recipe.model)
        case BCNRecipe():
            return BCNObjective(recipe, labels), FrameDecoder(recipe.model)
    raise TypeError(f"no system has a recipe of type {type(recipe).__name__}")
