"""The demo: from drawn videos to trained RTK, timelines of unseen videos and a report that plays them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch

from keyseg.data.dataset import Dataset
from keyseg.formats import FORMATS
from keyseg.inference.bundle import load
from keyseg.inference.predictor import Predictor
from keyseg.inference.systems import variant_title
from keyseg.metrics import evaluate_labels
from keyseg.timeline import ConfigError, DataError, Segmentation
from keyseg.timeline.files import refuse_file
from keyseg.toy.kitchen import FPS, write_toy_videos
from keyseg.training.fit import FitCallbacks
from keyseg.training.frame_classifier import classify_frames
from keyseg.training.jobs import no_callbacks
from keyseg.training.recipe import shipped_recipe
from keyseg.training.results import loss_curves
from keyseg.training.run import Run, start_run
from keyseg.training.running import run_all
from keyseg.training.tables import SCORES
from keyseg.video.engines import Engine, Notify
from keyseg.video.find_videos import find_videos
from keyseg.video.jobs import Work, extract_all
from keyseg.video.reading import read_key_frames
from keyseg.viz import VideoTimeline, key_frame_times, plot_curves, write_report

FRAME_CLASSIFIER = "classifier of single frames"
_SHOWN = 4  # videos in the report
_FORMATS = ("txt", "csv", "eaf", "vtt")
_INTRODUCTION = (
    "These toy kitchen videos are drawn: hands, tools and objects follow recipes with an action grammar. Different"
    " actions look alike in single pictures, some can only be recognised by what happened before, and first attempts"
    " may fail. RTK was trained on motion features of the training videos, without the inner folds on which keyseg"
    " train learns to match and to calibrate confidence. The videos below are test videos, which it has not seen; their"
    " timelines were made from the video files alone. The classifier of single frames is a logistic regression on the"
    " same features: it shows how far one gets without context."
)


@dataclass(frozen=True)
class DemoResult:
    """What the demo made. scores: percent on the test videos, by title and measure. videos: those in the report."""

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
    callbacks: FitCallbacks = no_callbacks,
) -> DemoResult:
    """Draw toy kitchen videos, train RTK on them, label test videos from their files, and write a report.

    Everything is below `out`, and what is complete there is kept, so an interrupted demo resumes. epochs: a shorter or
    longer training. force: train again. command: recorded in the report. say: called with each step. extraction: gives
    a context for a number of videos, whose value is called with each event of feature extraction. callbacks: of the
    training.

    >>> run_demo(Path("demo")).scores["RTK"]["f1@50"]  # doctest: +SKIP
    """
    recipe = shipped_recipe("toy-kitchen-rtk.yaml")
    if epochs is not None:
        if epochs < 1:
            raise ConfigError(f"epochs must be at least 1, got {epochs}")
        recipe = recipe.at_pace(epochs / recipe.optimiser.epochs)
    refuse_file(out, "demo")
    data, workers = out / "toy-kitchen", min(2, os.cpu_count() or 1)
    say(f"drawing toy kitchen videos: {data / 'videos'}")
    write_toy_videos(data, videos=videos, test_videos=test_videos, workers=workers)
    say(f"extracting motion features: {data / 'features'}")
    _extract(out, workers, extraction)
    run = start_run(out / "run", data, recipe, (1,), (0,), command, resume=not force, force=force)
    with _one_thread():
        summary = run_all(run, callbacks)
    assert summary is not None  # one process
    fit = run.fits()[0]
    by_frame = classify_frames(fit.dataset, 1)
    # Without the words in brackets, which would make the tables too wide, and what a refinement would change.
    last = {system: row for system, row in summary["last_epoch"].items() if system != "rtk-no-refinement"}
    scores = {variant_title(system).split(" (")[0]: row for system, row in last.items()}
    reference = {name: fit.dataset.annotation(name) for name in by_frame}
    report = evaluate_labels(reference, by_frame, background=tuple(sorted(fit.dataset.labels.background_ids)))
    scores[FRAME_CLASSIFIER] = {measure: report.to_json()[measure] for measure in SCORES}
    shown = _predict(out, fit.dataset, load(fit.bundle), by_frame)
    _write_report(out / "report.html", run, fit.dataset, summary["cost"]["split1/seed0"], scores, shown)
    paths = tuple(video.video for video in shown if video.video)
    return DemoResult(scores, out / "report.html", fit.bundle, out / "timelines", paths)


@contextmanager
def _one_thread() -> Iterator[None]:
    """One is the fastest for a network and videos as small as these."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _extract(out: Path, workers: int, extraction: Callable[[int], AbstractContextManager[Notify]]) -> None:
    data = out / "toy-kitchen"
    videos, work = find_videos([data / "videos"]), Work("motion", Fraction(FPS), data / "features", out / "cache")
    with extraction(len(videos)) as notify:
        failed = extract_all(videos, work, engine=Engine(workers=workers), notify=notify)
    if failed:
        raise DataError(f"{len(failed)} of {len(videos)} videos could not be read; delete {data} and run it again")


def _predict(
    out: Path, dataset: Dataset, predictor: Predictor, by_frame: Mapping[str, Segmentation]
) -> list[VideoTimeline]:
    """Predict some test videos from their files alone, as `keyseg predict` does, and write their timelines."""
    shown, folder = [], out / "timelines"
    for name in dataset.names(1, "test")[:_SHOWN]:
        path = out / "toy-kitchen" / "videos" / f"{name}.mp4"
        predicted = predictor.predict(path, cache=out / "cache")
        for kind in _FORMATS:
            predicted.save(folder / f"{name}{FORMATS[kind].suffix}", format=kind, force=True)
        rows = (
            ("ground truth", dataset.annotation(name)),
            ("RTK", predicted.segmentation),
            (FRAME_CLASSIFIER, by_frame[name]),
        )
        key_frames = read_key_frames(path, key_frame_times(rows[0][1], dataset.timebase))
        shown.append(VideoTimeline(name, rows, path, tuple(key_frames)))
    return shown


def _write_report(
    page: Path,
    run: Run,
    dataset: Dataset,
    cost: Mapping[str, Any],
    scores: Mapping[str, Mapping[str, float]],
    videos: Sequence[VideoTimeline],
) -> None:
    """Playing videos with their timelines, the scores, the learning curves, and the provenance."""
    write_report(
        page,
        title="keyseg demo: the toy kitchen",
        introduction=_INTRODUCTION,
        scores=scores,
        videos=videos,
        labels=dataset.labels,
        timebase=dataset.timebase,
        figures={"Losses by epoch": plot_curves(loss_curves(run), ylabel="loss")},
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
