"""Draw what is given: timelines, heatmaps of a bundle, learning curves of a run, or a matching."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from keyseg import viz
from keyseg.formats import read_timeline
from keyseg.timeline import ConfigError, LabelMap, Segmentation

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot(inputs: Sequence[Path], *, out: Path, title: str = "", force: bool = False) -> Path:
    """Draw timelines, a network's heatmaps, learning curves or a matching to a PNG, SVG or PDF file.

    Args:
        inputs: Label files or JSON timelines of one video, ground truth first: one bar each, in seconds if one of them
            has a frame rate, else in frames. Or a bundle and one .npy file: heatmaps with keypoints. Or a run folder,
            or the metrics.csv of one training: learning curves. Or a run folder and the name of a video of its data
            set: the keypoint graph and its matching to the annotation's graph.
        out: File for the figure; its suffix, .png, .svg or .pdf, decides the format.
        title: Title of the figure.
        force: Overwrite the file.
    """
    if not inputs:
        raise ConfigError("name what to draw; see: keyseg plot --help")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # the figure shows a box instead
        return viz.save_figure(_figure(inputs, title), out, force=force)


def _figure(inputs: Sequence[Path], title: str) -> Figure:
    first, others = inputs[0], inputs[1:]
    if first.suffix == ".csv" and not others:
        return _metrics(first, title)
    if first.is_dir() and not others:
        return _learning_curves(first, title)
    if first.is_dir() and others[0].suffix == ".npy":
        return _heatmaps(inputs, title)
    return _matching(inputs, title) if first.is_dir() else _timelines(inputs, title)


def _timelines(files: Sequence[Path], title: str) -> Figure:
    for file in files:
        if file.suffix == ".npy":
            raise ConfigError(f"{file}: features are drawn with the bundle that reads them: keyseg plot BUNDLE {file}")
    timelines = [read_timeline(file) for file in files]
    names = sorted({name for _, labels, _ in timelines for name in labels.names})
    background = sorted({name for _, labels, _ in timelines for name in labels.background})
    merged = LabelMap(tuple(names), tuple(background))
    rows = [
        (name, Segmentation(segmentation.boundaries, merged.encode(labels.decode(segmentation.labels))))
        for name, (segmentation, labels, _) in zip(_row_names(files), timelines, strict=True)
    ]
    timebase = next((timebase for _, _, timebase in timelines if timebase is not None), None)
    return viz.plot_timelines(rows, merged, timebase, title=title)


def _row_names(files: Sequence[Path]) -> list[str]:
    """The names of the files, with their folders where two names are equal."""
    if len({file.stem for file in files}) == len(files):
        return [file.stem for file in files]
    return [f"{file.resolve().parent.name}/{file.stem}" for file in files]


def _heatmaps(inputs: Sequence[Path], title: str) -> Figure:
    from keyseg.inference.bundle import load
    from keyseg.inference.predictor import KeypointPrediction

    if len(inputs) != 2:
        raise ConfigError(f"heatmaps take a bundle and one .npy file of features, got {len(inputs)} inputs")
    predictor = load(inputs[0])
    prediction = predictor.predict(inputs[1])
    if not isinstance(prediction, KeypointPrediction):
        raise ConfigError(f"{inputs[0]} holds {predictor.variants[0]}, which has no heatmaps; name a bundle of rtk")
    return viz.plot_heatmaps(
        prediction.action_heatmap,
        prediction.boundary_heatmap,
        *prediction.refined,
        predictor.labels,
        predictor.timebase,
        title=title or inputs[1].stem,
    )


def _learning_curves(folder: Path, title: str) -> Figure:
    from keyseg.training.results import loss_curves
    from keyseg.training.run import read_run
    from keyseg.training.settings import RTKRecipe

    run = read_run(folder)
    join = run.recipe.matching.join_epoch if isinstance(run.recipe, RTKRecipe) else None
    marks = {} if join is None else {"matching joins": float(join)}
    return viz.plot_curves(loss_curves(run), ylabel="loss", title=title or folder.name, marks=marks)


def _metrics(file: Path, title: str) -> Figure:
    curves = viz.read_metrics_csv(file)
    losses = {name.removeprefix("loss/"): curve for name, curve in curves.items() if name.startswith("loss")}
    return viz.plot_curves(losses or curves, ylabel="loss" if losses else "", title=title or str(file))


def _matching(inputs: Sequence[Path], title: str) -> Figure:
    from keyseg.training.matching_view import match_video
    from keyseg.training.run import read_run
    from keyseg.training.settings import RTKRecipe

    if len(inputs) != 2:
        raise ConfigError(f"a matching takes a run folder and the name of one video, got {len(inputs)} inputs")
    run = read_run(inputs[0])
    view = match_video(run, str(inputs[1]))
    assert isinstance(run.recipe, RTKRecipe)  # match_video refuses others
    return viz.plot_matching(
        view.source_time,
        view.source_kind,
        view.source_confidence,
        view.target_time,
        view.target_kind,
        view.assignment,
        length=view.length,
        neighbours=run.recipe.network.refinement.neighbours,
        title=title or str(inputs[1]),
    )
