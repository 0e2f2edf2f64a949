"""Table 1: several systems on the same splits of one data set and on two terms, with one run folder for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from keyseg.formats.frame_labels import read_frame_labels
from keyseg.inference.bundle import load
from keyseg.inference.decoders import KeypointDecoder
from keyseg.inference.systems import SYSTEMS
from keyseg.metrics import evaluate_labels
from keyseg.models.layers import by_formula
from keyseg.models.rtk import RTK
from keyseg.reproduction.comparison_tables import as_latex, as_markdown
from keyseg.reproduction.terms import SENTENCES, Terms, recipe_on
from keyseg.timeline import DataError, TrainingError
from keyseg.timeline.files import write_json, write_text
from keyseg.training.fit import Fit, FitCallbacks
from keyseg.training.jobs import run_side_by_side
from keyseg.training.results import average_over_seeds, summarise
from keyseg.training.run import RUN, Run, differences, read_run, start_run
from keyseg.training.running import run_all
from keyseg.training.settings import Recipe
from keyseg.training.tables import computed_on


def prepare(
    data: Path,
    folder: Path,
    terms: Sequence[Terms],
    systems: Sequence[str],
    splits: Sequence[int],
    seeds: Sequence[int],
    command: str,
    *,
    changes: Sequence[str] = (),
    background: Sequence[str] | None = None,
    epochs: int | None = None,
) -> dict[Terms, list[Run]]:
    """A run of each system on each of the terms, in `folder`/TERMS/SYSTEM: resumed with its own recipe if it exists,
    otherwise new.

    Finished work is kept, and missing splits and seeds are added. Every system reads the data in the same way: by
    `changes` of the section data, `background`, dataset.yaml and so on; see `recipe_for`. Raises TrainingError if a
    run belongs to another data set or system, reads the data in another way, or has splits or seeds that were not
    requested and that the others lack.
    """
    recipes = {}
    for name in terms:
        for system in systems:
            place = folder / name / system
            expected, _ = recipe_on(name, data, system, changes, background=background, epochs=epochs)
            recipe = recipes[place] = recipe_there(place) or expected
            if recipe.model != system:
                raise TrainingError(f"{place}: holds a run of {recipe.model}, not of {system}; choose another --out")
            _refuse_other_data(place, recipe, expected)
    runs = {run.folder: run for run in start_runs(data, recipes, splits, seeds, command)}
    return {name: [runs[folder / name / system] for system in systems] for name in terms}


def recipe_there(place: Path) -> Recipe | None:
    """The recipe of the run in a folder; None without a run."""
    return read_run(place).complete().recipe if (place / RUN).exists() else None


def _refuse_other_data(place: Path, recipe: Recipe, expected: Recipe) -> None:
    read = [change for change in differences(recipe, expected) if change[0].startswith("data.")]
    if read:
        listed = "; ".join(f"{key} was {before} and is now {now}" for key, before, now in read)
        raise TrainingError(
            f"{place}: read the data in another way: {listed}; correct dataset.yaml, repeat the options of that"
            " training, or choose another --out"
        )


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


def train_missing(runs: Sequence[Run], callbacks: FitCallbacks, jobs: int = 1) -> Fit | None:
    """Train what is missing, `jobs` trainings at a time. Returns one that another process still works on, if any."""
    if jobs > 1:
        run_side_by_side(runs, callbacks, jobs)
    for run in runs:
        run_all(run, callbacks)
    return next((fit for run in runs for fit in run.fits() if not fit.scores.exists()), None)


def compare_systems(
    runs: Mapping[Terms, Sequence[Run]], folder: Path, callbacks: FitCallbacks, jobs: int = 1
) -> dict[str, Any] | None:
    """Train what is missing and write table1.md, .tex and .json. Returns None while other processes still train."""
    return None if train_missing(list(chain(*runs.values())), callbacks, jobs) else write_table(runs, folder)


def write_table(runs: Mapping[Terms, Sequence[Run]], folder: Path) -> dict[str, Any]:
    """The table of finished runs, one block for each of the terms, as plain values; also written in three formats.

    The rows of a block hold scores (percent; mean over splits and deviation over seeds), parameters, seconds per epoch
    and GFLOP per 1,000 steps; it also says where each run comes from.
    """
    summaries = {run.folder: summarise(run) for run in chain(*runs.values())}
    first = next(iter(summaries.values()))
    covered = {(tuple(s["splits"]), tuple(s["seeds"])) for s in summaries.values()}
    if len(covered) > 1:
        raise DataError(f"the runs cover different splits or seeds: {sorted(covered)}; wait until all are finished")
    table = {
        "data": first["data"],
        "features": first["features"],
        "splits": first["splits"],
        "seeds": first["seeds"],
        "protocol": "ms-tcn",
        "blocks": {
            name: _block(name, {run.recipe.model: run for run in there}, summaries) for name, there in runs.items()
        },
    }
    write_json(folder / "table1.json", table)
    write_text(folder / "table1.md", as_markdown(table))
    write_text(folder / "table1.tex", as_latex(table))
    return table


def _block(terms: Terms, runs: Mapping[str, Run], summaries: Mapping[Path, Mapping[str, Any]]) -> dict[str, Any]:
    """One block of the table, from the run of each system and the summary of each run."""
    systems = [system for system in SYSTEMS if system in runs]
    last, best = (
        {v: scores for run in runs.values() for v, scores in summaries[run.folder][epoch].items()}
        for epoch in ("last_epoch", "best_epoch_on_the_test_fold")
    )
    rows = {
        variant: {
            "scores": last[variant],
            "best_epoch_on_the_test_fold": best[variant],
            **_cost(runs[system], variant),
        }
        for system in systems
        for variant in reversed(SYSTEMS[system].titles)
    }
    return {
        "terms": SENTENCES[terms],
        "rows": rows,
        "rtk_minus": {
            peer: {name: last["rtk"][name] - last[peer][name] for name in ("f1@50", "edit", "acc")}
            for peer in systems
            if peer != "rtk" and "rtk" in systems
        },
        "background_counted": {
            system: _background_counted(runs[system])
            for system in systems
            if runs[system].open_dataset().labels.background
        },
        "runs": {system: _origin(terms, run, summaries[run.folder]) for system, run in runs.items()},
    }


def _background_counted(run: Run) -> dict[str, float]:
    """Scores of the full system whose Edit and F1 count the background as a class, from its written predictions."""
    scores = []
    for fit in run.fits():
        names = fit.dataset.names(fit.split, "test")
        found = {name: read_frame_labels(fit.folder / "predictions" / f"{name}.txt") for name in names}
        truth = {
            name: fit.dataset.labels.decode(fit.dataset.load(name, fit.split).segmentation.to_frames())
            for name in names
        }
        scores.append((fit.seed, evaluate_labels(truth, found, background=()).to_json()))
    return average_over_seeds(scores)


def _origin(terms: Terms, run: Run, summary: Mapping[str, Any]) -> dict[str, Any]:
    expected, name = recipe_on(terms, run.data, run.recipe.model)
    changes = differences(expected, run.recipe)
    return {
        "command": run.command,
        "package": summary["package"],
        "commits": sorted({cost["commit"] for cost in summary["cost"].values()}),
        "epochs": run.recipe.epochs,
        "chosen": summary["chosen"],
        "recipe": name,
        "differs from the recipe": [f"{key} {now} for {before}" for key, before, now in changes],
        "machine": sorted({computed_on(cost) for cost in summary["cost"].values()}),
    }


def _cost(run: Run, variant: str) -> dict[str, float]:
    """Parameters that the variant uses, seconds per training epoch, and GFLOP per 1,000 steps of the first test video
    (a multiplication and an addition count as two)."""
    fits = run.fits()
    fit = fits[0]
    predictor, refine = load(fit.bundle), variant == run.recipe.model
    features = fit.dataset.load(fit.dataset.names(fit.split, "test")[0], fit.split).features
    with torch.no_grad(), by_formula(), FlopCounterMode(display=False) as counter:
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
