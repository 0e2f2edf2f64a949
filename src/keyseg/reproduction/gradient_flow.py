"""Figure 3: the permutation loss with and without its gradient flowing on to the keypoint generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from keyseg.reproduction.comparison import recipe_there, start_runs, train_missing
from keyseg.reproduction.terms import joining
from keyseg.timeline import ConfigError, TrainingError
from keyseg.training.choice import MIXED
from keyseg.training.fit import FitCallbacks
from keyseg.training.recipe import recipe_for
from keyseg.training.results import loss_curves
from keyseg.training.run import Run, differences
from keyseg.training.settings import RTKRecipe

CURVES = {"gradient stopped": ("stopped", True), "gradient flows": ("flowing", False)}
"""Title of each curve, with the folder of its run and the value of `matching.stop_gradient`."""


def gradient_runs(
    data: Path, folder: Path, splits: Sequence[int], seeds: Sequence[int], command: str, *, epochs: int | None = None
) -> Mapping[str, Run]:
    """The two runs in `folder`/stopped and `folder`/flowing, new or resumed. A run of RTK that is already there is
    taken as it is, and the other is trained in the same way. Without one, both have the same share of mixed segments
    and choose nothing on inner folds, so that nothing but the gradient differs.

    Raises TrainingError if an existing run is of another system, has the other gradient, or differs in more than that.
    """
    there = {place: _taken(folder / place, stopped) for place, stopped in CURVES.values()}
    basis = next((recipe for recipe in there.values() if recipe), None) or _recipe_to_compare(data, epochs)
    recipes = {place: there[place] or _with_gradient(basis, stopped) for place, stopped in CURVES.values()}
    for place, recipe in recipes.items():
        if not recipe.refines:
            raise ConfigError(
                f"{folder / place}: matching never joins the training: matching.join_epoch is"
                f" {recipe.matching.join_epoch}, of {recipe.epochs} epochs"
            )
        if not recipe.losses.permutation:
            raise ConfigError(f"{folder / place}: losses.permutation is 0, so there is no permutation loss to show")
    _refuse_more_differences(folder, recipes)
    by_folder = {folder / place: recipe for place, recipe in recipes.items()}
    return dict(zip(CURVES, start_runs(data, by_folder, splits, seeds, command), strict=True))


def _taken(place: Path, stopped: bool) -> RTKRecipe | None:
    """The recipe of an existing run, or None."""
    recipe = recipe_there(place)
    if recipe is None or (isinstance(recipe, RTKRecipe) and recipe.matching.stop_gradient is stopped):
        return recipe
    raise TrainingError(f"{place}: expected a run of rtk with matching.stop_gradient {stopped}")


def _recipe_to_compare(data: Path, epochs: int | None) -> RTKRecipe:
    recipe, _ = recipe_for(data, "rtk", epochs=epochs)
    assert isinstance(recipe, RTKRecipe)
    return joining(recipe.mixing(MIXED).changed(matching=recipe.matching.changed(fit=False)))


def _with_gradient(recipe: RTKRecipe, stopped: bool) -> RTKRecipe:
    return recipe.changed(matching=recipe.matching.changed(stop_gradient=stopped))


def _refuse_more_differences(folder: Path, recipes: Mapping[str, RTKRecipe]) -> None:
    free = ("matching.stop_gradient", "rules.")  # thresholds are not in the losses
    found = [(key, *values) for key, *values in differences(*recipes.values()) if not key.startswith(free)]
    if found:
        listed = "; ".join(f"{key} is {first} and {second}" for key, first, second in found)
        raise TrainingError(
            f"{folder}: {' and '.join(recipes)} must differ in the gradient alone, but {listed}; move one away"
        )


def permutation_losses(runs: Mapping[str, Run], callbacks: FitCallbacks) -> dict[str, tuple[list[float], list[float]]]:
    """Train what is missing, and return the permutation loss of each run by epoch, averaged over its trainings.

    Raises TrainingError while other processes still train.
    """
    if fit := train_missing(list(runs.values()), callbacks):
        raise TrainingError(f"{fit.folder}: another command is still training this; run the same command again later")
    return {name: loss_curves(run)["permutation"] for name, run in runs.items()}
