"""The demo: from drawn videos to trained RTK, timelines of unseen videos and a report that plays them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Callback

from keyseg.data.dataset import Dataset
from keyseg.formats import FORMATS, timeline_bytes
from keyseg.inference.bundle import load
from keyseg.inference.predictor import Predictor
from keyseg.inference.videos import predict_video
from keyseg.metrics import evaluate
from keyseg.timeline import ConfigError, DataError, Segmentation
from keyseg.timeline.files import write_bytes
from keyseg.toy.kitchen import FPS, write_toy_videos
from keyseg.training.fit import Fit
from keyseg.training.frame_classifier import classify_frames
from keyseg.training.recipe import shipped_recipe
from keyseg.training.results import loss_curves, run_all
from keyseg.training.run import Run, start_run
from keyseg.training.settings import RTKRecipe
from keyseg.training.tables import SCORES
from keyseg.video.cache import FeatureCache
from keyseg.video.find_videos import find_videos
from keyseg.video.jobs import Notify, Work, extract_all
from keyseg.video.key_frames import read_key_frames
from keyseg.viz import ScoreRow, VideoTimeline, key_frame_times, plot_curves, write_report

FRAME_CLASSIFIER = "frame-classifier"
# The systems of the demo and their titles, in the order of its tables.
DEMO_TITLES = {
    "rtk": "RTK",
    "rtk-no-refinement": "RTK without refinement",
    "rtk-no-rules": "RTK without rules",
    "frame-wise": "frame-wise backbone",
    FRAME_CLASSIFIER: "classifier of single frames",
}
_SHOWN = 4  # videos in the report
_FORMATS = ("txt", "csv", "eaf", "vtt")
_INTRODUCTION = (
    "These toy kitchen videos are drawn: hands, tools and objects follow recipes with an action grammar. Different"
    " actions look alike in single pictures, some can only be recognised by what happened before, and first attempts"
    " may fail. RTK was trained on motion features of the training videos. The videos below are test videos, which it"
    " has not seen; their timelines were made from the video files alone. The classifier of single frames is a logistic"
    " regression on the same features: it shows how far one gets without context."
)


@dataclass(frozen=True)
class DemoResult:
    """What the demo made. scores: percent on the test videos, by system and measure. videos: those in the report."""

    scores: dict[str, dict[str, float]]
    report: Path
    bundle: Path
    timelines: Path
    videos: tuple[Path, ...]


def run_demo(
    out: Path,
    *,
    epochs: int | None = None,
    force: bool = False,
    videos: int = 32,
    test_videos: int = 8,
    command: str = "keyseg demo",
    say: Callable[[str], None] = lambda _: None,
    extraction: Callable[[int], AbstractContextManager[Notify]] = lambda _: nullcontext(lambda _: None),
    callbacks: Callable[[Fit], tuple[Callback, ...]] = lambda _: (),
) -> DemoResult:
    """Draw toy kitchen videos, train RTK on them, label test videos from their files, and write a report.

    Everything is below `out`, and what is complete there is kept, so an interrupted demo resumes. epochs: a shorter or
    longer training. force: train again. command: recorded in the report. say: called with each step. extraction: gives
    a context for a number of videos, whose value is called with each event of feature extraction. callbacks: of the
    training.

    >>> run_demo(Path("demo")).scores["rtk"]["f1@50"]  # doctest: +SKIP
    """
    recipe = shipped_recipe("toy-kitchen-rtk.yaml")
    if epochs is not None:
        if epochs < 1:
            raise ConfigError(f"epochs must be at least 1, got {epochs}")
        recipe = recipe.at_pace(epochs / recipe.optimiser.epochs)
    data, cache = out / "toy-kitchen", out / "cache"
    workers = min(2, os.cpu_count() or 1)
    say(f"drawing toy kitchen videos: {data / 'videos'}")
    write_toy_videos(data, videos=videos, test_videos=test_videos, workers=workers)
    say(f"extracting motion features: {data / 'features'}")
    _extract(data, cache, workers, extraction)
    run = start_run(out / "run", data, recipe, (1,), (0,), command, resume=not force, force=force)
    summary = run_all(run, callbacks)
    assert summary is not None  # one process
    fit = run.fits()[0]
    by_frame = classify_frames(fit.dataset, 1)
    scores = {**summary["last_epoch"], FRAME_CLASSIFIER: _scores(fit.dataset, by_frame)}
    scores = {system: scores[system] for system in DEMO_TITLES}
    shown = _predict(fit.dataset, load(fit.bundle), by_frame, data / "videos", cache, out / "timelines")
    _write_report(out / "report.html", run, summary["cost"]["split1/seed0"], scores, shown)
    paths = tuple(video.video for video in shown if video.video)
    return DemoResult(scores, out / "report.html", fit.bundle, out / "timelines", paths)


def _extract(
    data: Path, cache: Path, workers: int, extraction: Callable[[int], AbstractContextManager[Notify]]
) -> None:
    videos, work = find_videos([data / "videos"]), Work("motion", Fraction(FPS), data / "features", cache)
    with extraction(len(videos)) as notify:
        failed = extract_all(videos, work, workers=workers, notify=notify)
    if failed:
        raise DataError(f"{len(failed)} of {len(videos)} videos could not be read; delete {data} and run it again")


def _scores(dataset: Dataset, predicted: Mapping[str, Segmentation]) -> dict[str, float]:
    """Scores of the predicted videos in percent, by measure."""
    reference = {name: dataset.annotation(name) for name in predicted}
    report = evaluate(reference, predicted, background=tuple(sorted(dataset.labels.background_ids))).to_json()
    return {name: report[name] for name in SCORES}


def _predict(
    dataset: Dataset,
    predictor: Predictor,
    by_frame: Mapping[str, Segmentation],
    videos: Path,
    cache: Path,
    timelines: Path,
) -> list[VideoTimeline]:
    """Predict some test videos from their files alone, as `keyseg predict` does, and write their timelines."""
    shown = []
    for name in dataset.names(1, "test")[:_SHOWN]:
        path = videos / f"{name}.mp4"
        predicted = predict_video(predictor, path, cache=FeatureCache(cache)).prediction.segmentation
        for kind in _FORMATS:
            content = timeline_bytes(kind, name, predicted, predictor.labels, predictor.timebase)
            write_bytes(timelines / f"{name}{FORMATS[kind].suffix}", content)
        rows = (
            ("ground truth", dataset.annotation(name)),
            (DEMO_TITLES["rtk"], predicted),
            (DEMO_TITLES[FRAME_CLASSIFIER], by_frame[name]),
        )
        key_frames = read_key_frames(path, key_frame_times(predicted, dataset.timebase))
        shown.append(VideoTimeline(name, rows, path, tuple(key_frames)))
    return shown


def _write_report(
    page: Path,
    run: Run,
    cost: Mapping[str, Any],
    scores: Mapping[str, Mapping[str, float]],
    videos: Sequence[VideoTimeline],
) -> None:
    """Playing videos with their timelines, the scores, the learning curves, and the provenance."""
    dataset = run.fits()[0].dataset
    assert isinstance(run.recipe, RTKRecipe)
    marks = {"matching joins": float(run.recipe.matching.join_epoch)}
    write_report(
        page,
        title="keyseg demo: the toy kitchen",
        introduction=_INTRODUCTION,
        scores=[
            ScoreRow(DEMO_TITLES[system], row["f1@10"], row["f1@25"], row["f1@50"], row["edit"], row["acc"])
            for system, row in scores.items()
        ],
        videos=videos,
        labels=dataset.labels,
        timebase=dataset.timebase,
        figures={"Losses by epoch": plot_curves(loss_curves(run), ylabel="loss", marks=marks)},
        provenance={
            "command": run.command,
            "keyseg": str(cost["keyseg"]),
            "commit": run.commit,
            "seed": "0",
            "epochs": str(run.recipe.optimiser.epochs),
            "training": f"{cost['seconds']} s, {cost['threads']} thread(s)",
            "machine": str(cost["machine"]),
        },
        force=True,
    )
