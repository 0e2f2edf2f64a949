"""Training as one function: from a data set to bundles and scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # all that needs torch is imported by the training itself, so that its help is shown at once
    from keyseg.training.fit import FitCallbacks
    from keyseg.training.run import Run


def train(
    data: Path,
    *,
    out: Path,
    splits: Sequence[int] = (1,),
    model: str | None = None,
    recipe: Path | None = None,
    changes: Sequence[str] = (),
    epochs: int | None = None,
    seeds: Sequence[int] = (0,),
    features: str | None = None,
    background: Sequence[str] | None = None,
    resume: bool = False,
    force: bool = False,
    command: str = "keyseg.training.train",
    report: Callable[[str], None] = lambda line: None,
    callbacks: FitCallbacks = lambda fit: (),
) -> tuple[Run, dict[str, Any] | None]:
    """Train on a data set; write bundles, predictions, scores and logs to one folder.

    After an interruption the same command with --resume continues, and ends with the same weights as without one.

    Args:
        data: Folder with mapping.txt, groundTruth/, splits/ and features/ (or features_split1/ ...). See: keyseg check
        out: Folder for the run, such as runs/kitchen.
        splits: Numbers of splits; () for all.
        model: System to train: rtk, or one that it is compared with; a wrong name lists all. Default: that of --recipe,
            else rtk.
        recipe: YAML file. Default: the system's shipped recipe for this data set, else the system's defaults.
        changes: Change one value of the recipe, such as optimiser.learning_rate=0.001, or how the data are read:
            data.sample_rate=2, data.lengths=trim, data.tolerance=3. A wrong key lists the valid ones. Can be repeated.
        epochs: Number of epochs; the epoch at which matching joins, or barriers are frozen, is scaled with it.
        seeds: One or several seeds; every split is trained with each.
        features: Name of the features folder below DATA. Default: as DATA/dataset.yaml states, else features.
        background: Names of classes that are not actions; none for no such class. Default: as DATA/dataset.yaml states,
            else the class 'background'.
        resume: Continue an interrupted run, or add splits and seeds to a finished one.
        force: Delete an earlier run in the same folder.
        command: Recorded in bundles and tables as their origin.
        report: Called with a line before training.
        callbacks: Lightning callbacks of each training.

    Returns:
        The run and its summary, None instead of a summary in secondary processes.
    """
    from keyseg.training.fit import is_main_process
    from keyseg.training.recipe import recipe_for
    from keyseg.training.results import run_all
    from keyseg.training.run import start_run

    chosen, source = recipe_for(data, model, recipe, changes, features=features, background=background, epochs=epochs)
    run = start_run(out, data, chosen, splits, seeds, command, resume=resume, force=force)
    if is_main_process():
        report(f"recipe: {source}; {len(run.fits())} training(s) -> {out}")
    return run, run_all(run, lambda fit: callbacks(fit) if is_main_process() else ())
