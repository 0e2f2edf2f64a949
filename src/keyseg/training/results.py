"""Scores of a run: every variant of the system at the last epoch and, separately and labelled, at the best epoch."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from keyseg.inference.bundle import read_config
from keyseg.inference.systems import SYSTEMS
from keyseg.timeline.files import read_text, write_json, write_text
from keyseg.timeline.json_text import read_object
from keyseg.training.analysis import analysis_summary
from keyseg.training.calibration import KINDS, bins_of, pooled_summary
from keyseg.training.cards import training_videos
from keyseg.training.fit import Fit
from keyseg.training.run import Run
from keyseg.training.tables import RELIABILITY, SCORES, results_markdown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Scores = dict[str, float]


@dataclass(frozen=True)
class Finished:
    """Scores of one finished training: at the last epoch, at the best by F1@50 on the test fold, and the cost."""

    fit: Fit
    last: Mapping[str, Scores]
    best: Mapping[str, Scores]
    cost: Mapping[str, Any]


def read_history(folder: Path) -> dict[int, Scores]:
    """Logged numbers by epoch; if a resumed training repeated an epoch, the later entry counts.

    A row that is not whole is passed over: Lightning writes the file anew when there are new columns, and a training
    that is stopped then, or whose disk is full, leaves half of it, or rows that are longer than the row of names.
    """
    history: dict[int, Scores] = defaultdict(dict)
    files = sorted(folder.glob("logs/version_*/metrics.csv"), key=lambda f: int(f.parent.name.split("_")[1]))
    for file in files:
        whole, _, _ = read_text(file, "the numbers of a training").rpartition("\n")
        for row in csv.DictReader(whole.splitlines()):
            if None in row or None in row.values():
                continue
            with suppress(ValueError):
                values = {key: float(value) for key, value in row.items() if value and key not in ("epoch", "step")}
                history[int(row["epoch"])].update(values)
    return dict(history)


def collect(run: Run) -> list[Finished]:
    """Scores of the finished trainings of a run."""
    found = []
    for fit in run.fits():
        if not fit.scores.exists():
            continue
        last = read_object(fit.scores, "the scores of a training", nan=True)
        history = read_history(fit.folder)
        best: dict[str, Scores] = {}
        for variant in SYSTEMS[run.recipe.model].titles:
            epochs = [epoch for epoch in history.values() if f"{variant}/f1@50" in epoch]
            if epochs:
                top = max(epochs, key=lambda epoch: epoch[f"{variant}/f1@50"])
                best[variant] = {name: top[f"{variant}/{name}"] for name in SCORES}
        found.append(Finished(fit, last, best, fit.cost()))
    return found


def summarise(run: Run) -> dict[str, Any]:
    """Everything that a results table shows, as plain values; also written to results.json and results.md."""
    finished, final = collect(run), [fit for fit in run.final_fits() if fit.is_finished]
    variants = tuple(SYSTEMS[run.recipe.model].titles)
    summary: dict[str, Any] = {
        "command": run.command,
        "system": run.recipe.model,
        "package": SYSTEMS.package(run.recipe.model),
        "data": run.data.name,
        "features": run.provenance()["features"],
        "splits": sorted({f.fit.split for f in finished if f.fit.split is not None}),
        "seeds": sorted({f.fit.seed for f in finished}),
        "epochs": run.recipe.epochs,
        "final": {fit.name: len(training_videos(fit)) for fit in final},
        "labelled_videos": len(final[0].dataset.labelled) if final else None,
        "ensemble": read_config(run.ensemble_bundle).members if run.ensemble_bundle.exists() else 0,
        "chosen": _how_chosen([*(f.fit for f in finished), *final]) if run.recipe.needs_inner_folds else {},
        "confidence": _confidence(finished),
        "cost": {f.fit.name: f.cost for f in finished} | {fit.name: fit.cost() for fit in final},
        "last_epoch": {v: average_over_seeds([(f.fit.seed, f.last[v]) for f in finished]) for v in variants},
        "best_epoch_on_the_test_fold": {
            v: average_over_seeds([(f.fit.seed, f.best[v]) for f in finished if v in f.best]) for v in variants
        },
        "analysis": analysis_summary(run, [f.fit for f in finished]),
        "by_split": {v: {f.fit.name: {n: f.last[v][n] for n in SCORES} for f in finished} for v in variants},
    }
    from keyseg.viz import save_figure

    write_json(run.folder / "results.json", summary)
    write_text(run.folder / "results.md", results_markdown(summary))
    if summary["confidence"]["pooled"]["segments"]:
        save_figure(reliability_figure(summary), run.folder / RELIABILITY, force=True)
    return summary


def _how_chosen(fits: Sequence[Fit]) -> dict[str, Any]:
    """By training: the share of mixed segments, the rules, and how much the match helped on inner folds, if any."""
    found = {fit.name: read_object(fit.chosen, "what inner folds chose", nan=True) for fit in fits}
    kept = ("mixed_segments", "rules", "match")  # earlier trainings learnt no rules
    return {name: {key: chosen.get(key) for key in kept} for name, chosen in found.items()}


def _confidence(finished: Sequence[Finished]) -> dict[str, Any]:
    """How far the confidence of segments could be trusted on test videos: pooled, and by training where it is known."""
    files = {item.fit.name: item.fit.reliability for item in finished if item.fit.reliability.exists()}
    by_training = {name: read_object(file, "the reliability of a training", nan=True) for name, file in files.items()}
    return {"by_training": by_training, "pooled": pooled_summary(list(by_training.values()))}


def reliability_figure(summary: Mapping[str, Any]) -> Figure:
    """How far the confidence of segments could be trusted, on the test videos of all finished trainings."""
    from keyseg.viz import plot_reliability

    pooled = summary["confidence"]["pooled"]
    return plot_reliability({kind: bins_of(pooled, kind) for kind in KINDS if kind in pooled})


def average_over_seeds(rows: Sequence[tuple[int, Mapping[str, Any]]]) -> Scores:
    """From pairs (seed, scores): the mean over splits per seed, then mean and standard deviation over seeds."""
    seeds = sorted({seed for seed, _ in rows})
    means = {n: [fmean(row[n] for s, row in rows if s == seed) for seed in seeds] for n in SCORES}
    average = {name: fmean(values) for name, values in means.items() if values}
    if len(seeds) > 1:
        average |= {f"{name} sd": stdev(values) for name, values in means.items()}
    return average


def loss_curves(run: Run) -> dict[str, tuple[list[float], list[float]]]:
    """Every logged loss by epoch, averaged over the trainings of the run's splits, or over its final ones where there
    are no splits, as curves (x, y)."""
    values: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for fit in run.fits() or run.final_fits():
        for epoch, row in read_history(fit.folder).items():
            for name, value in row.items():
                if name.startswith("loss/"):
                    values[name.removeprefix("loss/")][epoch].append(value)
    return {
        name: ([float(e) for e in sorted(by_epoch)], [fmean(by_epoch[e]) for e in sorted(by_epoch)])
        for name, by_epoch in sorted(values.items())
    }
