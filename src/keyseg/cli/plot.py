"""keyseg plot: timelines, heatmaps with keypoints, learning curves, matchings."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from keyseg.timeline import ConfigError, LabelMap, Segmentation

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot(*inputs: Path, out: Path, title: str = "", force: bool = False) -> int:
    """Draw timelines, a network's heatmaps, learning curves or a matching to a PNG, SVG or PDF file.

    Parameters
    ----------
    inputs
        Label files or JSON timelines of one video, ground truth first: a bar each; in seconds if one of them is
        JSON, which knows the frame rate, else in frames. Or a bundle and one .npy file: heatmaps with keypoints. Or a
        run folder, or the metrics.csv of one training: learning curves. Or a run folder and the name of a video of its
        data set: the keypoint graph and its matching to the annotation's.
    out
        The figure's file; the suffix, .png, .svg or .pdf, decides its kind.
    title
        Title of the figure.
    force
        Overwrite the file.
    """
    from keyseg.viz import save_figure

    warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # the box in its place is seen
    if not inputs:
        raise ConfigError("name what to draw; see: keyseg plot --help")
    if len(inputs) == 1 and inputs[0].suffix == ".csv":
        figure = _metrics(inputs[0], title)
    elif inputs[0].is_dir() and len(inputs) == 1:
        figure = _curves(inputs[0], title)
    elif inputs[0].is_dir() and inputs[1].suffix == ".npy":
        figure = _heatmaps(inputs, title)
    elif inputs[0].is_dir():
        figure = _matching(inputs, title)
    else:
        figure = _timelines(inputs, title)
    print(save_figure(figure, out, force=force))
    return 0


def _timelines(files: Sequence[Path], title: str) -> Figure:
    from keyseg.formats import read_timeline
    from keyseg.viz import plot_timelines

    for file in files:
        if file.suffix == ".npy":
            raise ConfigError(f"{file}: features are drawn with the bundle that reads them: keyseg plot BUNDLE {file}")
    read = [read_timeline(file) for file in files]
    names = sorted({name for _, labels, _ in read for name in labels.names})
    background = sorted({name for _, labels, _ in read for name in labels.background})
    merged = LabelMap(tuple(names), tuple(background))
    rows = [
        (name, Segmentation(segmentation.boundaries, merged.encode(labels.decode(segmentation.labels))))
        for name, (segmentation, labels, _) in zip(_row_names(files), read, strict=True)
    ]
    timebase = next((timebase for _, _, timebase in read if timebase is not None), None)
    return plot_timelines(rows, merged, timebase, title=title)


def _row_names(files: Sequence[Path]) -> list[str]:
    """What tells the files apart: the file's name, or the folder's where the files are called alike."""
    if len({file.stem for file in files}) == len(files):
        return [file.stem for file in files]
    return [f"{file.resolve().parent.name}/{file.stem}" for file in files]


def _heatmaps(inputs: Sequence[Path], title: str) -> Figure:
    from keyseg.inference.bundle import load
    from keyseg.inference.predictor import KeypointPrediction
    from keyseg.viz import plot_heatmaps

    if len(inputs) != 2:
        raise ConfigError(f"heatmaps take a bundle and one .npy file of features, got {len(inputs)} inputs")
    predictor = load(inputs[0])
    found = predictor.predict(inputs[1])
    if not isinstance(found, KeypointPrediction):
        raise ConfigError(f"{inputs[0]} holds {predictor.variants[0]}, which has no heatmaps; name a bundle of rtk")
    return plot_heatmaps(
        found.action_heatmap,
        found.boundary_heatmap,
        *found.refined,
        predictor.labels,
        predictor.timebase,
        title=title or inputs[1].stem,
    )


def _curves(folder: Path, title: str) -> Figure:
    from keyseg.training.results import loss_curves
    from keyseg.training.run import read_run
    from keyseg.training.settings import RTKRecipe
    from keyseg.viz import plot_curves

    run = read_run(folder)
    marks = {"matching joins": run.recipe.matching.join_epoch} if isinstance(run.recipe, RTKRecipe) else {}
    return plot_curves(loss_curves(run), ylabel="loss", title=title or folder.name, marks=marks)


def _metrics(file: Path, title: str) -> Figure:
    from keyseg.viz import plot_curves, read_metrics_csv

    curves = read_metrics_csv(file)
    losses = {name.removeprefix("loss/"): curve for name, curve in curves.items() if name.startswith("loss")}
    return plot_curves(losses or curves, ylabel="loss" if losses else "", title=title or str(file))


def _matching(inputs: Sequence[Path], title: str) -> Figure:
    from keyseg.training.matching_view import match_video
    from keyseg.training.run import read_run
    from keyseg.training.settings import RTKRecipe
    from keyseg.viz import plot_matching

    if len(inputs) != 2:
        raise ConfigError(f"a matching takes a run folder and the name of one video, got {len(inputs)} inputs")
    run = read_run(inputs[0])
    view = match_video(run, str(inputs[1]))
    assert isinstance(run.recipe, RTKRecipe)  # match_video refuses others
    return plot_matching(
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
