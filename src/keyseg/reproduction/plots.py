"""Draw what is given: timelines, the learning curves of a run, or how a video was segmented."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from keyseg import viz
from keyseg.data.splits import SUBSETS
from keyseg.formats import read_timeline
from keyseg.timeline import ConfigError, DataError, LabelMap, Segmentation

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.figure import Figure

    from keyseg.inference.decoders import Match
    from keyseg.inference.predictor import Predictor
    from keyseg.matching.alignment import Alignment
    from keyseg.training.fit import Fit


def plot(inputs: Sequence[Path], *, out: Path, title: str = "", force: bool = False) -> Path:
    """Draw timelines, learning curves, or how a video was segmented, to a PNG, SVG or PDF file.

    Args:
        inputs: Label files or JSON timelines of one video, ground truth first: one bar each, in seconds if one of them
            has a frame rate, else in frames. Or a run folder, or the metrics.csv of one training: learning curves. Or
            a run folder and the name of a video of its data set, or a bundle and one .npy file: scores, keypoints,
            cuts, timelines, and the training annotations that the segments follow.
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
    return _prediction(inputs, title) if first.is_dir() else _timelines(inputs, title)


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


def _prediction(inputs: Sequence[Path], title: str) -> Figure:
    """The figure of a video of a run's data set, or of a feature file and a bundle."""
    from keyseg.inference.bundle import load

    if len(inputs) != 2:
        raise ConfigError(f"a bundle or run is drawn with one video, got {len(inputs) - 1} of them")
    place, video = inputs
    if video.suffix == ".npy":
        predictor = load(place)
        steps, frames = predictor.read(video)
        return _draw_prediction(predictor, steps, frames, title=title or video.stem)
    fit = _finished(place, str(video))
    sample = fit.dataset.load(str(video), fit.split)
    return _draw_prediction(
        load(fit.bundle),
        sample.features,
        sample.segmentation.length,
        annotation=sample.segmentation,
        names=fit.dataset.names(fit.split, "train"),
        title=title or str(video),
    )


def _finished(folder: Path, video: str) -> Fit:
    """The finished training of a run that tests on a video, or else one that trained on it."""
    from keyseg.training.run import read_run

    finished = [fit for fit in read_run(folder).fits() if fit.bundle.exists()]
    for subset in SUBSETS[::-1]:
        for fit in finished:
            if video in fit.dataset.names(fit.split, subset):
                return fit
    raise DataError(f"{folder}: no finished training of this run has a video {video!r}; name a video of its data set")


def _draw_prediction(
    predictor: Predictor,
    steps: npt.NDArray[np.floating],
    frames: int,
    *,
    annotation: Segmentation | None = None,
    names: Sequence[str] = (),
    title: str,
) -> Figure:
    """steps: (T, D) features. names: of the training videos."""
    from keyseg.inference.decoding import KeypointOutput, lattice_of
    from keyseg.inference.predictor import KeypointPrediction
    from keyseg.matching.lattice import score_changes

    output, match = predictor.run(steps), predictor.decoder.match
    keypoints = output if isinstance(output, KeypointOutput) else None
    unmatched = replace(predictor, decoder=predictor.decoder.changed(match=None))
    prediction = predictor.decode(output, frames=frames)
    frame_wise = predictor.timebase.steps_to_frames(output.frames.argmax(0), frames)
    rows = [] if annotation is None else [("annotation", annotation)]
    rows.append(("frame-wise", Segmentation.from_frames(frame_wise)))
    if keypoints:
        rows.append(("without the match", unmatched.decode(output, frames=frames).segmentation))
    if match:
        rows.append(("with the match", prediction.segmentation))
    cuts = lattice_of(output, match.graph).times[1:-1] if match else keypoints.boundaries.time if keypoints else ()
    boundary = keypoints.boundary if keypoints else score_changes(output.frames) if match else None
    return viz.plot_prediction(
        keypoints.action if keypoints else output.frames,
        rows,
        predictor.labels,
        predictor.timebase,
        boundary=boundary,
        cuts=cuts,
        proposed=keypoints.actions if keypoints else None,
        chosen=prediction.refined[0] if isinstance(prediction, KeypointPrediction) else None,
        followed=_followed(prediction.alignment, match, names) if match and prediction.alignment else None,
        title=title,
    )


def _followed(alignment: Alignment, match: Match, names: Sequence[str]) -> viz.Followed:
    """What the segments follow, with how each was reached. names: of the training videos."""
    from keyseg.matching.alignment import MOVES

    annotation, position = alignment.annotation, alignment.position
    arrival: list[viz.Arrival] = ["move"] * len(annotation)
    for i in range(1, len(annotation)):
        here, place = annotation[i], position[i]
        before = match.annotations[here].labels[place - 1] if here >= 0 and place > 0 else None
        if here < 0 or here != annotation[i - 1] or place - position[i - 1] not in MOVES:
            arrival[i] = "switch" if before == alignment.labels[i - 1] else "jump"
    known = names if len(names) == len(match.annotations) else ()
    return viz.Followed(alignment.cuts, annotation, position, arrival, known)


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
