"""keyseg demo: the whole way on a data set that is made on the spot."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keyseg.timeline import ConfigError, DataError

if TYPE_CHECKING:
    from keyseg.data.dataset import Dataset
    from keyseg.inference.predictor import Prediction, Predictor
    from keyseg.timeline import Segmentation
    from keyseg.training.run import Run

SHOWN = 4  # videos in the report
ALONE = "frame-classifier"
ORDER = ("rtk", "rtk-no-refinement", "rtk-no-rules", "frame-wise", ALONE)
NAMES = {
    "rtk": "RTK",
    "rtk-no-refinement": "RTK without refinement",
    "rtk-no-rules": "RTK without rules",
    "frame-wise": "frame-wise backbone",
    ALONE: "classifier of single frames",
}
INTRODUCTION = (
    "Toy kitchen videos are drawn: hands, objects and tools follow recipes with an action grammar. Single pictures of"
    " actions look alike, some actions can only be told by what happened before, and first attempts fail. RTK was"
    " trained on motion features of its training videos. These are test videos, which it has not seen, and their"
    " timelines were made from the video files alone. The classifier of single frames is a logistic regression on the"
    " same features: what can be told without context."
)


def demo(*, out: Path = Path("demo"), epochs: int | None = None, force: bool = False) -> int:
    """Draw toy kitchen videos, train RTK on them for about a minute, label videos it has not seen, write report.html.

    The whole way that your own videos go: video files, features, training, timelines.

    Parameters
    ----------
    out
        Folder for the videos, the run, the timelines and the report.
    epochs
        Train shorter or longer.
    force
        Start anew in a folder that holds a demo. Without it a demo that was interrupted goes on.
    """
    from keyseg.cli.progress import TrainingProgress, quiet
    from keyseg.cli.train import command_line
    from keyseg.inference.bundle import load
    from keyseg.training.recipe import shipped_recipe
    from keyseg.training.results import run_all
    from keyseg.training.run import start_run

    quiet()
    started = time.perf_counter()
    data, folder, page = out / "toy-kitchen", out / "run", out / "report.html"
    recipe = shipped_recipe("toy-kitchen-rtk.yaml")
    if epochs is not None:
        if epochs < 1:
            raise ConfigError(f"--epochs takes a number >= 1, got {epochs}")
        recipe = recipe.at_pace(epochs / recipe.optimiser.epochs)
    make_data(data, out / "cache")
    command = command_line(["demo", "--out", str(out)])
    run = start_run(folder, data, recipe, (1,), (0,), command, resume=not force, force=force)
    summary = run_all(run, lambda fit: (TrainingProgress(fit),))
    assert summary is not None  # one process
    fit = run.fits()[0]
    alone = classify_alone(fit.dataset)
    scores = {**summary["last_epoch"], ALONE: scores_of(fit.dataset, alone)}
    films = predict_films(fit.dataset, load(fit.bundle), data / "videos", out)
    write_demo_report(page, run, summary["cost"]["split1/seed0"], scores, films, alone)
    _print_scores(scores)
    print(f"\ndone in {time.perf_counter() - started:.0f} s")
    print(f"report:    {page}  <- open it in a browser: the videos play along with their timelines")
    print(f"bundle:    {fit.bundle}")
    print(f"timelines: {out / 'timelines'}")
    keyseg, film = _as_called(), films[0].path
    print(f"next:      {keyseg} predict {fit.bundle} {film} --out {out / 'mine'} --format csv,eaf,vtt")
    print(f"           {keyseg} init DATA --videos VIDEOS --annotations ANNOTATIONS   (your own videos)")
    print(f"           {keyseg} train DATA --out runs/mine")
    return 0


@dataclass(frozen=True)
class Film:
    """A test video: its file and what was predicted from that file alone."""

    name: str
    path: Path
    prediction: Prediction


def make_data(data: Path, cache: Path) -> None:
    """Draw the videos and extract their features; what is there is kept."""
    from keyseg.cli.features import FeatureProgress
    from keyseg.toy.kitchen import FPS, write_toy_videos
    from keyseg.video.find_videos import find_videos
    from keyseg.video.jobs import Work, extract_all

    workers = min(2, os.cpu_count() or 1)
    print(f"drawing toy kitchen videos: {data / 'videos'}", file=sys.stderr)
    write_toy_videos(data, workers=workers)
    videos = find_videos([data / "videos"])
    print(f"extracting motion features: {data / 'features'}", file=sys.stderr)
    with FeatureProgress(len(videos), quiet=True) as shown:
        extract_all(videos, Work("motion", Fraction(FPS), data / "features", cache), workers=workers, notify=shown)
    if shown.failed:
        raise DataError(f"{shown.failed} of {len(videos)} videos could not be read; delete {data} and run it again")


def classify_alone(dataset: Dataset) -> dict[str, Segmentation]:
    """The test videos by a classifier that sees one row of features at a time."""
    from keyseg.training.frame_classifier import classify_frames

    return classify_frames(dataset, 1)


def scores_of(dataset: Dataset, predicted: Mapping[str, Segmentation]) -> dict[str, float]:
    """Scores of predicted videos in percent, by name."""
    from keyseg.metrics import evaluate
    from keyseg.training.tables import SCORES

    reference = {name: dataset.annotation(name) for name in predicted}
    report = evaluate(reference, predicted, background=tuple(sorted(dataset.labels.background_ids))).to_json()
    return {name: report[name] for name in SCORES}


def predict_films(dataset: Dataset, predictor: Predictor, videos: Path, out: Path) -> list[Film]:
    """Predict some test videos from their files, as `keyseg predict` does, and leave timelines."""
    from keyseg.formats import FORMATS, timeline_bytes
    from keyseg.inference.videos import predict_video
    from keyseg.timeline.files import write_bytes
    from keyseg.video.cache import FeatureCache

    found = []
    for name in dataset.names(1, "test")[:SHOWN]:
        path = videos / f"{name}.mp4"
        prediction = predict_video(predictor, path, cache=FeatureCache(out / "cache")).prediction
        for form in ("txt", "csv", "eaf", "vtt"):
            content = timeline_bytes(form, name, prediction.segmentation, predictor.labels, predictor.timebase)
            write_bytes(out / "timelines" / f"{name}{FORMATS[form].suffix}", content)
        found.append(Film(name, path, prediction))
    return found


def write_demo_report(
    page: Path,
    run: Run,
    cost: Mapping[str, Any],
    scores: Mapping[str, Mapping[str, float]],
    films: Sequence[Film],
    alone: Mapping[str, Segmentation],
) -> None:
    """Playing videos with their timelines, the scores, the learning curves, and where they come from."""
    from keyseg.training.results import loss_curves
    from keyseg.training.settings import RTKRecipe
    from keyseg.viz import ScoreRow, plot_curves, write_report

    dataset = run.fits()[0].dataset
    assert isinstance(run.recipe, RTKRecipe)
    marks = {"matching joins": float(run.recipe.matching.join_epoch)}
    write_report(
        page,
        title="keyseg demo: the toy kitchen",
        introduction=INTRODUCTION,
        scores=[
            ScoreRow(NAMES[system], row["f1@10"], row["f1@25"], row["f1@50"], row["edit"], row["acc"])
            for system in ORDER
            for row in [scores[system]]
        ],
        videos=[_video_timeline(film, dataset, alone[film.name]) for film in films],
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


def _video_timeline(film: Film, dataset: Dataset, alone: Segmentation) -> Any:
    from keyseg.viz import VideoTimeline, key_frame_times, read_key_frames

    truth, predicted = dataset.annotation(film.name), film.prediction.segmentation
    return VideoTimeline(
        film.name,
        (("ground truth", truth), (NAMES["rtk"], predicted), (NAMES[ALONE], alone)),
        film.path,
        tuple(read_key_frames(film.path, key_frame_times(predicted, dataset.timebase))),
    )


def _as_called() -> str:
    """`keyseg` where a shell finds it, else the path that this process was started by."""
    return "keyseg" if shutil.which("keyseg") or not sys.argv[0].endswith("keyseg") else os.path.relpath(sys.argv[0])


def _print_scores(scores: Mapping[str, Mapping[str, float]]) -> None:
    from keyseg.training.tables import SCORES

    print(f"\n{'unseen videos':<28}  F1@10  F1@25  F1@50   Edit    Acc")
    for system in ORDER:
        cells = "".join(f"{scores[system][name]:>7.1f}" for name in SCORES)
        print(f"{NAMES[system]:<28}{cells}")
    more = [scores["rtk"][name] - scores[ALONE][name] for name in ("f1@50", "edit", "acc")]
    print("RTK over the classifier of single frames: F1@50 {:+.1f}, Edit {:+.1f}, Acc {:+.1f}".format(*more))
