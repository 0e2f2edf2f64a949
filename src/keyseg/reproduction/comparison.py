"""Table 1: several systems on the same splits of one data set, a run folder a system below one folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from keyseg.inference.bundle import load
from keyseg.inference.decoders import KeypointDecoder
from keyseg.models.rtk import RTK
from keyseg.reproduction.comparison_tables import as_latex, as_markdown
from keyseg.timeline import DataError, OutputExistsError, TrainingError
from keyseg.timeline.files import write_json, write_text
from keyseg.training.fit import Fit
from keyseg.training.recipe import recipe_for
from keyseg.training.results import run_all, summarise
from keyseg.training.run import RUN, Run, differences, read_run, start_run

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback

SYSTEMS = ("ms-tcn++", "bcn", "asformer", "asformer-extra", "rtk")
"""In the order in which they are trained and stand in the table."""
ROWS = (
    *((system, system) for system in SYSTEMS[:-1]),
    ("rtk", "rtk-no-rules"),
    ("rtk", "rtk-no-refinement"),
    ("rtk", "rtk"),
)
"""System and variant of each row, as the supplement's Table 1 orders them: RTK last."""


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
    """A run of each system in `folder`/SYSTEM: gone on with where it is there, with the recipe it has, else new.

    Nothing that is done is done again: splits and seeds that a run lacks are added. Raises TrainingError where a run
    is of another data set or system, or has splits or seeds that were not asked for and the others lack.
    """
    runs = []
    for system in systems:
        place = folder / system
        if (place / RUN).exists():
            recipe = read_run(place).recipe
            if recipe.model != system:
                raise TrainingError(f"{place}: holds a run of {recipe.model}, and {system} is to stand there")
        elif place.exists() and any(place.iterdir()):
            raise OutputExistsError(f"{place} is not empty and not a run of keyseg; choose another --out")
        else:
            recipe, _ = recipe_for(data, system, epochs=epochs)
        runs.append(start_run(place, data, recipe, splits, seeds, command, resume=True))
    refuse_unequal(runs)
    return runs


def refuse_unequal(runs: Sequence[Run]) -> None:
    """Raise TrainingError where runs that are compared would cover different splits or seeds."""
    splits = sorted({split for run in runs for split in run.splits})
    seeds = sorted({seed for run in runs for seed in run.seeds})
    lacking = [str(run.folder) for run in runs if (sorted(run.splits), sorted(run.seeds)) != (splits, seeds)]
    if lacking:
        raise TrainingError(
            f"{', '.join(lacking)}: lacks splits or seeds of the runs that it is compared with; ask for all of them:"
            f" --split {','.join(map(str, splits))} --seed {' '.join(map(str, seeds))}"
        )


def compare(
    runs: Sequence[Run], folder: Path, callbacks: Callable[[Fit], tuple[Callback, ...]]
) -> dict[str, Any] | None:
    """Train what is not trained yet and write table1.md, .tex and .json; None while other processes still train."""
    for run in runs:
        run_all(run, callbacks)
    if not all((fit.folder / "scores.json").exists() for run in runs for fit in run.fits()):
        return None
    return write_table(runs, folder)


def write_table(runs: Sequence[Run], folder: Path) -> dict[str, Any]:
    """The table of finished runs, as plain values; written in three formats."""
    table = collect_table(runs)
    write_json(folder / "table1.json", table)
    write_text(folder / "table1.md", as_markdown(table))
    write_text(folder / "table1.tex", as_latex(table))
    return table


def collect_table(runs: Sequence[Run]) -> dict[str, Any]:
    """Rows with scores (percent; mean over splits, and deviation over seeds), parameters, seconds an epoch, GFLOP per
    1,000 steps; and where each run comes from."""
    by_system = {run.recipe.model: run for run in runs}
    summaries = {system: summarise(run) for system, run in by_system.items()}
    first = next(iter(summaries.values()))
    covered = {(tuple(s["splits"]), tuple(s["seeds"])) for s in summaries.values()}
    if len(covered) > 1:
        raise DataError(f"the runs cover different splits or seeds: {sorted(covered)}; let them all finish first")
    rows = {
        variant: {
            "scores": summaries[system]["last_epoch"][variant],
            "best_epoch_on_the_test_fold": summaries[system]["best_epoch_on_the_test_fold"][variant],
            **_cost(by_system[system], variant),
        }
        for system, variant in ROWS
        if system in by_system
    }
    return {
        "data": first["data"],
        "features": first["features"],
        "splits": first["splits"],
        "seeds": first["seeds"],
        "protocol": "ms-tcn",
        "rows": rows,
        "runs": {system: _origin(run, summaries[system]) for system, run in by_system.items()},
    }


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
    """Parameters of what the variant uses, seconds of a training epoch, and GFLOP (two a multiplication and addition)
    of reading the first test video, per 1,000 steps."""
    seconds = [_seconds_an_epoch(fit, run.recipe.epochs) for fit in run.fits()]
    fit = run.fits()[0]
    predictor = load(fit.bundle)
    network, decoder = predictor.model, predictor.decoder
    parameters = sum(parameter.numel() for parameter in network.parameters())
    if isinstance(network, RTK) and isinstance(decoder, KeypointDecoder):
        decoder.refine = decoder.refine and variant == "rtk"
        if not decoder.refine:
            parameters -= sum(parameter.numel() for parameter in network.refiner.parameters())
    features = fit.dataset.load(fit.dataset.names(fit.split, "test")[0], fit.split).features
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        predictor.read(features)
    return {
        "parameters": parameters,
        "seconds_an_epoch": fmean(seconds),
        "gflop_per_1000_steps": counter.get_total_flops() / 1e9 * 1000 / len(features),
    }


def _seconds_an_epoch(fit: Fit, epochs: int) -> float:
    cost = json.loads((fit.folder / "cost.json").read_text(encoding="utf-8"))
    return float(cost["seconds"]) / epochs
