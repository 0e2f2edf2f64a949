"""Draw what is given: timelines, the learning curves of a run, or how a video was segmented."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from keyseg import viz
from keyseg.data.splits import SUBSETS
from keyseg.formats import AS_IT_IS, AnnotationOptions, on_one_grid, read_with_rate
from keyseg.timeline import Annotation, ConfigError, DataError, Overlap, Segmentation, TimeBase
from keyseg.timeline.failures import Failures, noting

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.figure import Figure

    from keyseg.inference.decoders import Match
    from keyseg.inference.predictor import Predictor
    from keyseg.matching.alignment import Alignment
    from keyseg.training.fit import Fit

_DRAWN = Fraction(1000)  # frames per second of a drawing whose files have times only


def plot(
    inputs: Sequence[Path],
    *,
    out: Path,
    title: str = "",
    fps: Fraction | None = None,
    overlap: Overlap = "error",
    options: AnnotationOptions = AS_IT_IS,
    force: bool = False,
    report: Callable[[str], None] = lambda note: None,
    failures: Failures | None = None,
) -> Path:
    """Draw timelines, learning curves, or how a video was segmented, to a PNG, SVG or PDF file.

    Args:
        inputs: Timelines of one video in any format of keyseg convert, ground truth first: one bar each, in seconds, or
            in frames if all of them count frames and state no rate. Or a run folder, or the metrics.csv of one
            training: learning curves. Or a run folder and the name of a video of its data set, or a bundle and one .npy
            file: scores, keypoints, cuts, timelines, and the training annotations that the segments follow.
        out: File for the figure; its suffix, .png, .svg or .pdf, decides the format.
        title: Title of the figure.
        fps: Frames per second of timelines that do not state it. Default: that of the others.
        overlap: Where two labels of a timeline overlap: error reports both; first keeps the one that starts first; last
            lets the one that starts last interrupt it; score keeps the one with the higher score.
        force: Overwrite the file.
        report: Called with a note about what is left out of a timeline, or where it ends early.
        failures: Gets the timelines that cannot be read, while the others are drawn. Without it, the first one raises.
    """
    if not inputs:
        raise ConfigError("name what to draw; see: keyseg plot --help")
    first, others = inputs[0], inputs[1:]
    if not others and _is_metrics(first):
        figure = _metrics(first, title)
    elif first.is_dir():
        figure = _prediction(inputs, title) if others else _learning_curves(first, title)
    else:
        figure = _timelines(inputs, title, fps, overlap, options, report, failures)
    return viz.save_figure(figure, out, force=force)


def _timelines(
    files: Sequence[Path],
    title: str,
    fps: Fraction | None,
    overlap: Overlap,
    options: AnnotationOptions,
    report: Callable[[str], None],
    failures: Failures | None,
) -> Figure:
    """Bars on one grid of frames."""
    read: dict[Path, list[Annotation]] = {}
    counting: list[Path] = []
    for file in dict.fromkeys(files):
        if file.suffix == ".npy":
            raise ConfigError(f"{file}: features are drawn with the bundle that reads them: keyseg plot BUNDLE {file}")
        with noting(failures, file):
            try:
                read[file] = _one_video(file, fps, options, report)
            except ConfigError:
                if fps is not None:
                    raise
                counting.append(file)
    rates = [annotation.fps for timelines in read.values() for annotation in timelines if annotation.fps]
    if counting and read and not rates:
        raise ConfigError(f"{counting[0]}: it counts frames, and the others do not; give its frame rate with --fps")
    rate = max(rates, default=_DRAWN if read else Fraction(1))
    for file in counting:
        with noting(failures, file):
            read[file] = _one_video(file, rate, options, report)
    if failures:
        failures.raise_unless(read)
    named = []
    for name, file in zip(row_names(files), files, strict=True):
        named += [row_of(name, file, annotation) for annotation in read.get(file, ())]
    length = max(annotation.frame_spans(rate, overlap=overlap)[1] for _, annotation in named)
    for name, annotation in named:
        if annotation.duration_seconds is not None and annotation.duration_seconds * rate < length - 1:
            report(f"{name} ends before the others; the rest of its bar is background")
    rows, labels = on_one_grid([annotation for _, annotation in named], rate, overlap=overlap)
    timebase = None if len(counting) == len(read) else TimeBase(rate)
    return viz.plot_timelines(
        [(name, row) for (name, _), row in zip(named, rows, strict=True)], labels, timebase, title=title
    )


def _one_video(
    file: Path, fps: Fraction | None, options: AnnotationOptions, report: Callable[[str], None]
) -> list[Annotation]:
    """The timelines in a file, all of one video. Raises DataError."""
    read, _ = read_with_rate(file, fps, options=options, note=report)
    videos = {annotation.video for annotation in read}
    if len(videos) != 1:
        raise DataError(
            f"{file}: expected one video, got {len(videos)}; separate them with: keyseg convert {file} FOLDER"
        )
    return read


def row_names(files: Sequence[Path]) -> list[str]:
    """Names of files without their endings; where two are equal, with them; where these are equal, with folders."""
    for names in ([file.stem for file in files], [file.name for file in files]):
        if len(set(names)) == len(files):
            return names
    return [f"{file.resolve().parent.name}/{file.stem}" for file in files]


def row_of(name: str, file: Path, annotation: Annotation) -> tuple[str, Annotation]:
    """The name of a row, and its annotation, whose errors name the file."""
    return (f"{name}, {annotation.track}" if annotation.track else name), replace(annotation, video=str(file))


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
    from keyseg.inference.prediction import KeypointPrediction
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


def _is_metrics(file: Path) -> bool:
    """Whether a file is a table of a training's numbers by epoch, not a timeline."""
    if file.suffix.lower() != ".csv" or not file.is_file():
        return False
    with file.open(encoding="utf-8", errors="replace") as lines:
        return "epoch" in lines.readline().strip().split(",")


def _metrics(file: Path, title: str) -> Figure:
    curves = viz.read_metrics_csv(file)
    losses = {name.removeprefix("loss/"): curve for name, curve in curves.items() if name.startswith("loss")}
    return viz.plot_curves(losses or curves, ylabel="loss" if losses else "", title=title or str(file))
