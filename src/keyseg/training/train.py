"""Training as one function: from a data set to bundles and scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keyseg.timeline.files import refuse_file
from keyseg.training.jobs import no_callbacks

if TYPE_CHECKING:  # all that needs torch is imported by the training itself, so that its help is shown at once
    from keyseg.training.fit import FitCallbacks
    from keyseg.training.run import Run


def train(
    data: Path | str,
    *,
    out: Path | str,
    splits: Sequence[int] | None = (1,),
    model: str | None = None,
    recipe: Path | str | None = None,
    set: Mapping[str, Any] | Sequence[str] = (),
    epochs: int | None = None,
    seeds: Sequence[int] = (0,),
    features: str | None = None,
    background: Sequence[str] | None = None,
    final: bool = False,
    ensemble: bool = False,
    start: Path | str | None = None,
    jobs: int = 1,
    resume: bool = False,
    force: bool = False,
    command: str = "keyseg.train",
    report: Callable[[str], None] = lambda line: None,
    callbacks: FitCallbacks = no_callbacks,
) -> Run:
    """Train on a data set; write bundles, predictions, scores and logs to one folder.

    After an interruption the same command with --resume continues, and ends with the same weights as without one.

    Args:
        data: Folder with mapping.txt, groundTruth/, splits/ and features/ (or features_split1/ ...). See: keyseg check
        out: Folder for the run, such as runs/kitchen.
        splits: Numbers of splits; () for all, None for none, with `final`.
        model: System to train: rtk, or one that it is compared with; a wrong name lists all. Default: that of --recipe,
            else rtk.
        recipe: YAML file. Default: the system's shipped recipe for this data set, else the system's defaults.
        set: Change one value of the recipe, such as optimiser.learning_rate=0.001, or how the data are read:
            data.sample_rate=2, data.lengths=trim, data.tolerance=3. A wrong key lists the valid ones. Can be repeated.
        epochs: Number of epochs; the epoch at which matching joins, or barriers are frozen, is scaled with it.
        seeds: One or several seeds; every split is trained with each.
        features: Name of the features folder below DATA. Default: as DATA/dataset.yaml states, else features.
        background: Names of classes that are not actions; none for no such class. Default: as DATA/dataset.yaml states,
            else the class 'background'.
        final: Then train a model on all labelled videos, the one to keep: keyseg predict OUT uses it. It has no score
            of its own, since no video is left to test it on.
        ensemble: Then average the models of all splits and seeds in one bundle, which keyseg predict OUT uses if there
            is no final model. It takes as many times as long to predict.
        start: Bundle, or run that holds one, whose weights to start from. Classes are matched by name; new ones may be
            added. Splits whose test videos it was trained on are refused.
        jobs: Number of trainings at a time, or of the inner folds of a single one. Each has its share of the
            processors' threads, and the next GPU where there are some; on a CPU it ends with the same weights as alone
            with as many threads.
        resume: Continue an interrupted run, or add splits, seeds, --final or --ensemble to a finished one.
        force: Delete an earlier run in the same folder.
        command: Recorded in bundles and tables as their origin.
        report: Called with a line before training.
        callbacks: Lightning callbacks of each training. With several jobs, a function at the top of a module.

    Returns:
        The run. In Python `set` may also be a mapping, {"optimiser.learning_rate": 0.001}, and nothing is printed.

    >>> import keyseg
    >>> from keyseg.toy.kitchen_features import write_toy_kitchen
    >>> data = write_toy_kitchen(Path("kitchen"), videos=6, test_videos=2)
    >>> run = keyseg.train(data, out="runs/kitchen", model="ms-tcn++", set={"network.channels": 8})  # doctest: +SKIP
    >>> keyseg.train(data, out="runs/kitchen", set={"optimiser.epoch": 8})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    keyseg.timeline.errors.ConfigError: --set optimiser.epoch=8: unknown key 'optimiser.epoch' (did you ...
    """
    from keyseg.training.jobs import check_jobs, run_side_by_side
    from keyseg.training.loggers import check_loggers
    from keyseg.training.recipe import changes_of, recipe_for
    from keyseg.training.run import start_run
    from keyseg.training.running import run_all
    from keyseg.training.torchrun import is_main_process

    check_jobs(jobs)
    data, out = Path(data), Path(out)
    refuse_file(out, "run")
    changes = list(changes_of(set))
    recipe = None if recipe is None else Path(recipe)
    if start is not None:
        from keyseg.training.warm_start import StartBundle, sizes_as_changes

        start = Path(start)
        config = StartBundle.at(start).config()
        changes = [*sizes_as_changes(config, model, recipe), *changes]
        model = model or (config.model if recipe is None else None)
    chosen, source = recipe_for(data, model, recipe, changes, features=features, background=background, epochs=epochs)
    check_loggers(chosen)
    run = start_run(
        out,
        data,
        chosen,
        splits,
        seeds,
        command,
        final=final,
        ensemble=ensemble,
        start=start,
        resume=resume,
        force=force,
    )
    if is_main_process():
        report(f"recipe: {source}; {len([*run.fits(), *run.final_fits()])} training(s) -> {out}")
        if run.start is not None:
            report(run.start.summary(run.open_dataset().labels))
    if jobs > 1:
        run_side_by_side([run], callbacks, jobs)
    run_all(run, lambda fit: callbacks(fit) if is_main_process() else ())
    return run
