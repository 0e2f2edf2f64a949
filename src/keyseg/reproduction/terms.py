"""The terms on which systems are compared, and the recipe of a system on each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from keyseg.timeline import ConfigError
from keyseg.training.recipe import recipe_for
from keyseg.training.settings import Recipe, RTKRecipe

Terms = Literal["as-published", "equal-terms"]

SENTENCES: Mapping[Terms, str] = {
    "as-published": "Every system by its own recipe, without mixed segments and without a match to annotations. The"
    " matching of RTK joins its training after two thirds of the epochs, as in the supplement.",
    "equal-terms": "Every system by its own recipe, but with mixed segments and with a match to the annotations of the"
    " training videos, each wherever it helps on inner folds of these videos.",
}
"""What each of the terms means, for tables."""


def recipe_on(
    terms: Terms,
    data: Path,
    system: str,
    changes: Sequence[str] = (),
    *,
    background: Sequence[str] | None = None,
    epochs: int | None = None,
) -> tuple[Recipe, str]:
    """The recipe of a system on these terms, and where it comes from; see `recipe_for`.

    changes: how the data are read, such as data.sample_rate=2. Raises ConfigError on any other change, since each
    system is trained by its own recipe.
    """
    for change in changes:
        if not change.strip().startswith("data."):
            raise ConfigError(
                f"--set {change}: each system is trained by its own recipe; only how the data are read can be changed"
                " for all of them, such as data.sample_rate=2"
            )
    recipe, source = recipe_for(data, system, changes=changes, background=background, epochs=epochs)
    if terms == "equal-terms":
        fitted = recipe.augmentation.changed(mixed_segments="fit")
        return recipe.changed(augmentation=fitted, matching=recipe.matching.changed(fit=True)), source
    plain = recipe.mixing(0.0).changed(matching=recipe.matching.changed(fit=False))
    return (joining(plain) if isinstance(plain, RTKRecipe) else plain), source


def joining(recipe: RTKRecipe) -> RTKRecipe:
    """The recipe with matching in training; from two thirds of the epochs on, as in the supplement (80 of 120), unless
    the recipe says when."""
    if recipe.matching.join_epoch is not None:
        return recipe
    return recipe.changed(matching=recipe.matching.changed(join_epoch=2 * recipe.epochs // 3))
