"""Training as one function: from a data set to bundles and scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # all that needs torch is imported by the training itself, so that its help is shown at once
    from keyseg.training.fit import Fit, FitCallbacks
    from keyseg.training.run import Run


def _no_callbacks(fit: Fit) -> tuple[()]:
    return ()


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
    jobs: int = 1,
    resume: bool = False,
    force: bool = False,
    command: str = "keyseg.training.train",
    report: Callable[[str], None] = lambda line: None,
    callbacks: FitCallbacks = _no_callbacks,
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
        features: Name of the features folder below DATA.
        background: Names of classes that are not actions; none for no such class. Default: the class 'background'.
        jobs: Number of trainings at a time. Each has its share of the processors' threads, and the next GPU where there
            are some; on a CPU it ends with the same weights as alone with as many threads.
        resume: Continue an interrupted run, or add splits and seeds to a finished one.
        force: Delete an earlier run in the same folder.
        command: Recorded in bundles and tables as their origin.
        report: Called with a line before training.
        callbacks: Lightning callbacks of each training. With several jobs, a function at the top of a module.

    Returns:
        The run and its summary, None instead of a summary in secondary processes.
    """
    from keyseg.training.fit import is_main_process
    from keyseg.training.jobs import check_jobs, run_side_by_side
    from keyseg.training.recipe import recipe_for
    from keyseg.training.results import run_all
    from keyseg.training.run import start_run

    check_jobs(jobs)
    if features is not None:
        changes = [*changes, f"data.features={features}"]
    chosen, source = recipe_for(data, model, recipe, changes, background=background, epochs=epochs)
    run = start_run(out, data, chosen, splits, seeds, command, resume=resume, force=force)
    if is_main_process():
        report(f"recipe: {source}; {len(run.fits())} training(s) -> {out}")
    if jobs > 1:
        run_side_by_side([run], callbacks, jobs)
    return run, run_all(run, lambda fit: callbacks(fit) if is_main_process() else ())
