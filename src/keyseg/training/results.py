"""Scores of a run: every variant of the system at the last epoch and, separately and labelled, at the best epoch."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np

from keyseg.data.folders import claimed
from keyseg.formats.frame_labels import write_frame_labels
from keyseg.inference.bundle import load, read_config
from keyseg.inference.model_card import HeldOutScores, TrainingVideos, write_model_card
from keyseg.inference.prediction import Prediction
from keyseg.inference.predictor import Predictor
from keyseg.inference.systems import SYSTEMS
from keyseg.metrics import Report, evaluate_labels, mean_reports
from keyseg.timeline import DataError, Segmentation, TrainingError
from keyseg.timeline.files import write_json, write_text
from keyseg.training.analysis import analysis_summary
from keyseg.training.calibration import KINDS, Judged, bins_of, pooled_summary
from keyseg.training.complete import run_fit
from keyseg.training.fit import Fit, FitCallbacks, is_main_process
from keyseg.training.fold_ensemble import save_ensemble
from keyseg.training.run import Run, process_count
from keyseg.training.tables import SCORE_COLUMNS, SCORES, results_markdown

Scores = dict[str, float]

BOOTSTRAP = 1000  # resamplings of the test videos for the intervals of the model card


@dataclass(frozen=True)
class Finished:
    """Scores of one finished training: at the last epoch, at the best by F1@50 on the test fold, and the cost."""

    fit: Fit
    last: Mapping[str, Scores]
    best: Mapping[str, Scores]
    cost: Mapping[str, Any]


def run_all(run: Run, callbacks: FitCallbacks) -> dict[str, Any] | None:
    """Train and score every unfinished split and seed of a run, then summarise. Returns None in secondary processes.

    The same command may run several times at once with --resume: each takes trainings that no other works on.
    """
    for fit in (*run.fits(), *run.final_fits()):
        if run_one(run, fit, callbacks):
            summarise(run)
    if not is_main_process():
        return None
    if run.ensemble:
        save_ensemble(run)
    return summarise(run)


def run_one(run: Run, fit: Fit, callbacks: FitCallbacks) -> bool:
    """Train one split and seed of a run and score it, unless it is finished or another command works on it.

    Returns whether this process finished it.
    """
    main_process = is_main_process()
    with claimed(fit.folder) if main_process else nullcontext(True) as mine:
        if not mine and process_count() > 1:  # the other processes cannot know
            raise TrainingError(f"{fit.folder}: another command is training this; wait for it, or run without torchrun")
        if not mine or fit.is_finished:
            return False
        predictor = run_fit(replace(fit, callbacks=callbacks(fit)), run.provenance())
        if main_process and fit.split is not None:
            score_fit(fit, predictor)
    return main_process


def predict_videos(
    predictor: Predictor,
    fit: Fit,
    names: Iterable[str],
    variants: Iterable[str] | None = None,
    each: Callable[[str, Segmentation, Prediction], None] = lambda variant, reference, prediction: None,
) -> tuple[dict[str, Segmentation], dict[str, dict[str, Segmentation]]]:
    """Annotations by video, and predictions by variant (None: all) and video, both at the annotation rate.

    each: called with the variant, the annotation and the whole prediction of each.
    """
    reference: dict[str, Segmentation] = {}
    predicted: dict[str, dict[str, Segmentation]] = {variant: {} for variant in variants or predictor.variants}
    for name in names:
        sample = fit.dataset.load(name, fit.split)
        reference[name] = sample.segmentation
        output = predictor.run(sample.features)
        for variant, videos in predicted.items():
            prediction = predictor.decode(output, frames=sample.segmentation.length, variant=variant)
            videos[name] = prediction.segmentation
            each(variant, sample.segmentation, prediction)
    return reference, predicted


def score_fit(fit: Fit, predictor: Predictor) -> None:
    """Score a trained bundle on the test videos of its split, and keep the predictions beside it."""
    judged = Judged()

    def judge(variant: str, reference: Segmentation, prediction: Prediction) -> None:
        if variant == predictor.system:
            judged.add(reference, prediction)

    reference, predicted = predict_videos(predictor, fit, fit.dataset.names(fit.split, "test"), each=judge)
    for name, segmentation in predicted[predictor.variants[0]].items():
        path = fit.folder / "predictions" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_frame_labels(path, fit.dataset.labels.decode(segmentation.to_frames()))
    background = tuple(sorted(fit.dataset.labels.background_ids))
    resamplings = {predictor.variants[0]: BOOTSTRAP}
    reports = {
        v: evaluate_labels(reference, videos, background=background, bootstrap=resamplings.get(v, 0))
        for v, videos in predicted.items()
    }
    _write_card(fit, reports[predictor.variants[0]])
    write_json(fit.reliability, judged.summary())
    write_json(fit.scores, {variant: report.to_json() for variant, report in reports.items()})


def _write_card(fit: Fit, report: Report) -> None:
    """The model card of the bundle, with the scores of the full system."""
    labels, names = fit.dataset.labels, fit.dataset.names(fit.split, "train")
    counts = [np.bincount(fit.dataset.annotation(name).to_frames(), minlength=len(labels)) for name in names]
    seen = {label for label, scores in report.per_class.items() if scores.support}
    values = report.to_json()
    scores = {title: (values[n], report.intervals[n]) for n, title in zip(SCORES, SCORE_COLUMNS, strict=True)}
    unseen = [name for label, name in enumerate(labels.names) if label not in seen]
    trained = TrainingVideos(len(names), np.sum(counts, axis=0).tolist())
    write_model_card(fit.bundle, trained, HeldOutScores(report.videos, scores, unseen))


def evaluate_run(run: Run, protocol: str = "ms-tcn") -> tuple[Report, dict[str, Report]]:
    """Score the full system again from its bundles: the mean over splits and seeds, and each by `split1/seed0`.

    Raises DataError if a training is not finished, or if there are no splits.
    """
    if not run.splits:
        raise DataError(f"{run.folder}: trained on all videos, so that none is left to score; train with --split all")
    reports = {}
    for fit in run.fits():
        system, labels = run.recipe.model, fit.dataset.labels
        names = fit.dataset.names(fit.split, "test")
        reference, predicted = predict_videos(finished_predictor(fit), fit, names, (system,))
        by_name = (  # since some protocols exclude classes by name
            {name: labels.decode(segmentation.to_frames()) for name, segmentation in videos.items()}
            for videos in (reference, predicted[system])
        )
        reports[fit.name] = evaluate_labels(*by_name, background=labels.background, protocol=protocol)
    return mean_reports(list(reports.values())), reports


def finished_predictor(fit: Fit) -> Predictor:
    """Predictor of a finished training. Raises DataError if it is not finished."""
    if not fit.bundle.exists():
        raise DataError(f"{fit.folder}: this training is not finished; continue with keyseg train ... --resume")
    return load(fit.bundle)


def read_history(folder: Path) -> dict[int, Scores]:
    """Logged numbers by epoch; if a resumed training repeated an epoch, the later entry counts."""
    history: dict[int, Scores] = defaultdict(dict)
    files = sorted(folder.glob("logs/version_*/metrics.csv"), key=lambda f: int(f.parent.name.split("_")[1]))
    for file in files:
        with file.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                values = {key: float(value) for key, value in row.items() if value and key not in ("epoch", "step")}
                history[int(row["epoch"])].update(values)
    return dict(history)


def collect(run: Run) -> list[Finished]:
    """Scores of the finished trainings of a run."""
    found = []
    for fit in run.fits():
        if not fit.scores.exists():
            continue
        last = json.loads(fit.scores.read_text(encoding="utf-8"))
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
        "data": run.data.name,
        "features": run.provenance()["features"],
        "splits": sorted({f.fit.split for f in finished if f.fit.split is not None}),
        "seeds": sorted({f.fit.seed for f in finished}),
        "epochs": run.recipe.epochs,
        "final": [fit.name for fit in final],
        "final_videos": len(final[0].dataset.labelled) if final else 0,
        "ensemble": read_config(run.ensemble_bundle).members if run.ensemble_bundle.exists() else 0,
        "chosen": _how_chosen([*(f.fit for f in finished), *final]),
        "confidence": _confidence(finished),
        "cost": {f.fit.name: f.cost for f in finished} | {fit.name: fit.cost() for fit in final},
        "last_epoch": {v: average_over_seeds([(f.fit.seed, f.last[v]) for f in finished]) for v in variants},
        "best_epoch_on_the_test_fold": {
            v: average_over_seeds([(f.fit.seed, f.best[v]) for f in finished if v in f.best]) for v in variants
        },
        "analysis": analysis_summary(run, [f.fit for f in finished]),
        "by_split": {v: {f.fit.name: {n: f.last[v][n] for n in SCORES} for f in finished} for v in variants},
    }
    write_json(run.folder / "results.json", summary)
    write_text(run.folder / "results.md", results_markdown(summary))
    _draw_reliability(run.folder / "reliability.png", summary["confidence"])
    return summary


def _how_chosen(fits: Sequence[Fit]) -> dict[str, Any]:
    """By training: the share of mixed segments, and how much the match helped on inner folds, if it was tried."""
    found = {fit.name: json.loads(fit.chosen.read_text(encoding="utf-8")) for fit in fits}
    return {name: {key: chosen[key] for key in ("mixed_segments", "match")} for name, chosen in found.items()}


def _confidence(finished: Sequence[Finished]) -> dict[str, Any]:
    """How far the confidence of segments could be trusted on test videos: pooled, and by training where it is known."""
    files = {item.fit.name: item.fit.reliability for item in finished if item.fit.reliability.exists()}
    by_training = {name: json.loads(file.read_text(encoding="utf-8")) for name, file in files.items()}
    return {"by_training": by_training, "pooled": pooled_summary(list(by_training.values()))}


def _draw_reliability(path: Path, confidence: Mapping[str, Any]) -> None:
    from keyseg.viz import plot_reliability, save_figure

    pooled = confidence["pooled"]
    if pooled["segments"]:
        save_figure(
            plot_reliability({kind: bins_of(pooled, kind) for kind in KINDS if kind in pooled}), path, force=True
        )


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
