"""Figure 3: the permutation loss with and without its gradient flowing on to the keypoint generator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lightning.pytorch.callbacks import Callback

from keyseg.timeline import ConfigError, TrainingError
from keyseg.training.fit import Fit
from keyseg.training.recipe import recipe_for
from keyseg.training.results import loss_curves, run_all
from keyseg.training.run import RUN, Run, read_run, start_run
from keyseg.training.settings import RTKRecipe

CURVES = {"gradient stopped": ("stopped", True), "gradient flows": ("flowing", False)}
"""What a curve is called; its run's folder, and `matching.stop_gradient` there."""


def gradient_runs(
    data: Path, folder: Path, splits: Sequence[int], seeds: Sequence[int], command: str, *, epochs: int | None = None
) -> Mapping[str, Run]:
    """The two runs in `folder`/stopped and `folder`/flowing, new or gone on with; a finished run of RTK that somebody
    put there is taken as it is. Thresholds are not chosen, since losses need none.

    Raises TrainingError where a run there is of another system, or has the other gradient.
    """
    runs = {}
    for name, (place, stopped) in CURVES.items():
        if (folder / place / RUN).exists():
            recipe = read_run(folder / place).recipe
        else:
            changes = (f"matching.stop_gradient={str(stopped).lower()}", "calibration.holdout=0")
            recipe, _ = recipe_for(data, "rtk", None, changes, epochs=epochs)
        if not isinstance(recipe, RTKRecipe) or recipe.matching.stop_gradient is not stopped:
            raise TrainingError(f"{folder / place}: expected a run of rtk with matching.stop_gradient {stopped}")
        if not recipe.refines:
            raise ConfigError(f"matching joins at epoch {recipe.matching.join_epoch} of {recipe.epochs}: never")
        runs[name] = start_run(folder / place, data, recipe, splits, seeds, command, resume=True)
    return runs


def permutation_losses(
    runs: Mapping[str, Run], callbacks: Callable[[Fit], tuple[Callback, ...]]
) -> dict[str, tuple[list[float], list[float]]]:
    """Train what is not trained yet; the permutation loss of each run by epoch, mean over its trainings."""
    for run in runs.values():
        run_all(run, callbacks)
    return {name: loss_curves(run)["permutation"] for name, run in runs.items()}
