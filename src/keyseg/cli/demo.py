"""keyseg demo: the whole way on a data set that is made on the spot."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keyseg.timeline import ConfigError

if TYPE_CHECKING:
    from keyseg.data.dataset import Dataset
    from keyseg.inference.predictor import Predictor
    from keyseg.training.run import Run

SHOWN = 4  # videos in the report
ORDER = ("rtk", "rtk-no-refinement", "rtk-no-rules", "frame-wise")
NAMES = {
    "rtk": "RTK",
    "rtk-no-refinement": "RTK without refinement",
    "rtk-no-rules": "RTK without rules",
    "frame-wise": "frame-wise backbone",
}
INTRODUCTION = (
    "The toy kitchen is a synthetic data set: recipes with an action grammar, actions that look alike and that only"
    " context tells apart, and failed first attempts. RTK was trained on its training videos; these are test videos,"
    " which it has not seen."
)


def demo(*, out: Path = Path("demo"), epochs: int | None = None, force: bool = False) -> int:
    """Make a toy kitchen, train RTK on it for about a minute, score unseen videos and write report.html.

    Parameters
    ----------
    out
        Folder for the data set, the run and the report.
    epochs
        Train shorter or longer.
    force
        Start anew in a folder that holds a demo. Without it a demo that was interrupted goes on.
    """
    from keyseg.cli.progress import TrainingProgress, quiet
    from keyseg.cli.train import command_line
    from keyseg.data.synthetic import write_toy_kitchen
    from keyseg.training.recipe import shipped_recipe
    from keyseg.training.results import run_all
    from keyseg.training.run import start_run

    quiet()
    started = time.perf_counter()
    data, folder, page = out / "toy-kitchen", out / "run", out / "report.html"
    if not (data / "splits" / "test.split1.bundle").exists():
        print(f"making a toy kitchen: {write_toy_kitchen(data)}", file=sys.stderr)
    recipe = shipped_recipe("toy-kitchen-rtk.yaml")
    if epochs is not None:
        if epochs < 1:
            raise ConfigError(f"--epochs takes a number >= 1, got {epochs}")
        recipe = recipe.at_pace(epochs / recipe.optimiser.epochs)
    command = command_line(["demo", "--out", str(out)])
    run = start_run(folder, data, recipe, (1,), (0,), command, resume=not force, force=force)
    summary = run_all(run, lambda fit: (TrainingProgress(fit),))
    assert summary is not None  # one process
    write_demo_report(page, run, summary)
    bundle = run.fits()[0].bundle
    _print_scores(summary["last_epoch"])
    some = next((data / "features").glob("*.npy"))
    print(f"\ndone in {time.perf_counter() - started:.0f} s")
    print(f"report:  {page}  <- open it in a browser")
    print(f"bundle:  {bundle}")
    keyseg = _as_called()
    print(f"next:    {keyseg} predict {bundle} {some} --out {out / 'predictions'} --format txt,csv,json")
    print(f"         {keyseg} plot {bundle} {some} --out {out / 'heatmaps.png'}")
    print(f"         {keyseg} check DATA; {keyseg} train DATA --out runs/mine   (your own data)")
    return 0


def write_demo_report(page: Path, run: Run, summary: dict[str, Any]) -> None:
    """Timelines of test videos, the scores, the learning curves, and where they come from."""
    from keyseg.inference.bundle import load_bundle
    from keyseg.training.results import loss_curves
    from keyseg.training.settings import RTKRecipe
    from keyseg.viz import ScoreRow, plot_curves, write_report

    fit = run.fits()[0]
    dataset, predictor = fit.dataset, load_bundle(fit.bundle)
    cost = summary["cost"]["split1/seed0"]
    rows = [
        ScoreRow(NAMES[v], s["f1@10"], s["f1@25"], s["f1@50"], s["edit"], s["acc"])
        for v in ORDER
        for s in [summary["last_epoch"][v]]
    ]
    assert isinstance(run.recipe, RTKRecipe)
    marks = {"matching joins": float(run.recipe.matching.join_epoch)}
    write_report(
        page,
        title="keyseg demo: the toy kitchen",
        introduction=INTRODUCTION,
        scores=rows,
        videos=_timelines(dataset, predictor),
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


def _timelines(dataset: Dataset, predictor: Predictor) -> list[Any]:
    from keyseg.training.results import predict_videos
    from keyseg.viz import VideoTimeline

    names = dataset.names(1, "test")[:SHOWN]
    predicted = predict_videos(predictor, dataset, 1, names)
    shown = ("rtk", "rtk-no-refinement", "frame-wise")
    return [
        VideoTimeline(
            name, (("ground truth", dataset.annotation(name)), *((NAMES[v], predicted[v][name]) for v in shown))
        )
        for name in names
    ]


def _as_called() -> str:
    """`keyseg` where a shell finds it, else the path that this process was started by."""
    return "keyseg" if shutil.which("keyseg") or not sys.argv[0].endswith("keyseg") else os.path.relpath(sys.argv[0])


def _print_scores(scores: dict[str, dict[str, float]]) -> None:
    print(f"\n{'unseen videos':<26}  F1@10  F1@25  F1@50   Edit    Acc")
    for variant in ORDER:
        row = scores[variant]
        cells = "".join(f"{row[name]:>7.1f}" for name in ("f1@10", "f1@25", "f1@50", "edit", "acc"))
        print(f"{NAMES[variant]:<26}{cells}")
