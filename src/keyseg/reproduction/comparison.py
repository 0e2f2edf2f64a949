"""Table 1: several systems on the same splits of one data set, with one run folder per system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from keyseg.inference.bundle import load
from keyseg.inference.decoders import KeypointDecoder
from keyseg.inference.systems import SYSTEMS
from keyseg.models.rtk import RTK
from keyseg.reproduction.comparison_tables import as_latex, as_markdown
from keyseg.timeline import DataError, TrainingError
from keyseg.timeline.files import write_json, write_text
from keyseg.training.fit import Fit, FitCallbacks
from keyseg.training.recipe import recipe_for
from keyseg.training.results import run_all, summarise
from keyseg.training.run import RUN, Run, differences, read_run, start_run
from keyseg.training.settings import Recipe


def prepare(
    data: Path,
    folder: Path,
    systems: Sequence[str],
    splits: Sequence[int],
    seeds: Sequence[int],
    command: str,
    *,
    epochs: int | None = None,
) -> list[Run]:
    """A run of each system in `folder`/SYSTEM: resumed with its own recipe if it exists, otherwise new.

    Finished work is kept, and missing splits and seeds are added. Raises TrainingError if a run belongs to another data
    set or system, or has splits or seeds that were not requested and that the others lack.
    """
    recipes = {}
    for system in systems:
        place = folder / system
        recipe = recipes[place] = recipe_there(place) or recipe_for(data, system, epochs=epochs)[0]
        if recipe.model != system:
            raise TrainingError(f"{place}: holds a run of {recipe.model}, not of {system}; choose another --out")
    return start_runs(data, recipes, splits, seeds, command)


def recipe_there(place: Path) -> Recipe | None:
    """The recipe of the run in a folder; None without a run."""
    return read_run(place).recipe if (place / RUN).exists() else None


def start_runs(
    data: Path, recipes: Mapping[Path, Recipe], splits: Sequence[int], seeds: Sequence[int], command: str
) -> list[Run]:
    """Runs to be compared, by folder, each new or resumed. Raises TrainingError if they cover different splits or
    seeds."""
    runs = [start_run(place, data, recipe, splits, seeds, command, resume=True) for place, recipe in recipes.items()]
    splits = sorted({split for run in runs for split in run.splits})
    seeds = sorted({seed for run in runs for seed in run.seeds})
    lacking = [str(run.folder) for run in runs if (sorted(run.splits), sorted(run.seeds)) != (splits, seeds)]
    if lacking:
        raise TrainingError(
            f"{', '.join(lacking)}: lacks splits or seeds of the runs it is compared with; request all of them:"
            f" --split {','.join(map(str, splits))} --seed {' '.join(map(str, seeds))}"
        )
    return runs


def train_missing(runs: Sequence[Run], callbacks: FitCallbacks) -> Fit | None:
    """Train what is missing. Returns a training that another process still works on, if there is one."""
    for run in runs:
        run_all(run, callbacks)
    return next((fit for run in runs for fit in run.fits() if not fit.scores.exists()), None)


def compare(runs: Sequence[Run], folder: Path, callbacks: FitCallbacks) -> dict[str, Any] | None:
    """Train what is missing and write table1.md, .tex and .json. Returns None while other processes still train."""
    return None if train_missing(runs, callbacks) else write_table(runs, folder)


def write_table(runs: Sequence[Run], folder: Path) -> dict[str, Any]:
    """The table of finished runs, as plain values; also written in three formats.

    Its rows hold scores (percent; mean over splits and deviation over seeds), parameters, seconds per epoch and GFLOP
    per 1,000 steps; it also says where each run comes from.
    """
    by_system = {run.recipe.model: run for run in runs}
    summaries = {system: summarise(run) for system, run in by_system.items()}
    first = next(iter(summaries.values()))
    covered = {(tuple(s["splits"]), tuple(s["seeds"])) for s in summaries.values()}
    if len(covered) > 1:
        raise DataError(f"the runs cover different splits or seeds: {sorted(covered)}; wait until all are finished")
    rows = {
        variant: {
            "scores": summaries[system]["last_epoch"][variant],
            "best_epoch_on_the_test_fold": summaries[system]["best_epoch_on_the_test_fold"][variant],
            **_cost(by_system[system], variant),
        }
        for system in SYSTEMS
        if system in by_system
        for variant in reversed(SYSTEMS[system].titles)
    }
    table = {
        "data": first["data"],
        "features": first["features"],
        "splits": first["splits"],
        "seeds": first["seeds"],
        "protocol": "ms-tcn",
        "rows": rows,
        "runs": {system: _origin(run, summaries[system]) for system, run in by_system.items()},
    }
    write_json(folder / "table1.json", table)
    write_text(folder / "table1.md", as_markdown(table))
    write_text(folder / "table1.tex", as_latex(table))
    return table


def _origin(run: Run, summary: Mapping[str, Any]) -> dict[str, Any]:
    shipped, name = recipe_for(run.data, run.recipe.model)
    changes = differences(shipped, run.recipe)
    return {
        "command": run.command,
        "commits": sorted({cost["commit"] for cost in summary["cost"].values()}),
        "epochs": run.recipe.epochs,
        "thresholds": summary["thresholds"],
        "recipe": name,
        "differs from the recipe": [f"{key} {now} for {shipped}" for key, shipped, now in changes],
        "machine": sorted({f"{cost['machine']}, {cost['threads']} thread(s)" for cost in summary["cost"].values()}),
    }


def _cost(run: Run, variant: str) -> dict[str, float]:
    """Parameters that the variant uses, seconds per training epoch, and GFLOP per 1,000 steps of the first test video
    (a multiplication and an addition count as two)."""
    fits = run.fits()
    fit = fits[0]
    predictor, refine = load(fit.bundle), variant == run.recipe.model
    features = fit.dataset.load(fit.dataset.names(fit.split, "test")[0], fit.split).features
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        predictor.run(features, refine=refine)
    parameters = sum(parameter.numel() for parameter in predictor.model.parameters())
    refined = refine and isinstance(predictor.decoder, KeypointDecoder) and predictor.decoder.refine
    if isinstance(predictor.model, RTK) and not refined:
        parameters -= sum(parameter.numel() for parameter in predictor.model.refiner.parameters())
    return {
        "parameters": parameters,
        "seconds_an_epoch": fmean(fit.cost()["seconds"] / run.recipe.epochs for fit in fits),
        "gflop_per_1000_steps": counter.get_total_flops() / 1e9 * 1000 / len(features),
    }
