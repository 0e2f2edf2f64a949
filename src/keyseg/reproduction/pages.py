"""Pages to look at results: timelines beside their video, a prediction, the test videos of a run."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keyseg.data.input_names import is_track_file
from keyseg.data.splits import Split
from keyseg.data.video_files import find_video_file
from keyseg.formats import AS_IT_IS, AnnotationOptions, on_one_grid, read_with_rate
from keyseg.formats.frame_labels import read_frame_labels
from keyseg.formats.text import path_parts, video_name
from keyseg.reproduction.plots import row_names, row_of
from keyseg.timeline import (
    Annotation,
    ConfigError,
    DataError,
    KeysegError,
    LabelMap,
    Overlap,
    Segmentation,
    TimeBase,
)
from keyseg.timeline.failures import Failures, noting
from keyseg.timeline.version import __version__
from keyseg.video.protocol import VideoInfo
from keyseg.video.reading import probe, read_key_frames
from keyseg.viz import VideoTimeline, key_frame_times, plot_curves, write_report
from keyseg.viz.figures import refuse_existing
from keyseg.viz.page_player import too_short, unplayable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from keyseg.inference.prediction import Prediction
    from keyseg.training.fit import Fit
    from keyseg.training.run import Run

RUN_PAGE = "report.html"
_MOST_VIDEOS = 8  # of a run: each takes about a second and a quarter of a megabyte
_KEY_FRAMES = 12  # of each of them
_LINKED = "The page plays the video from its own file, so move the two together."


def write_video_page(
    timelines: Sequence[Path],
    *,
    video: Path,
    ref: Path | None = None,
    out: Path | None = None,
    title: str = "",
    fps: Fraction | None = None,
    overlap: Overlap = "error",
    background: Collection[str] | None = None,
    options: AnnotationOptions = AS_IT_IS,
    force: bool = False,
    report: Callable[[str], None] = lambda note: None,
    failures: Failures | None = None,
) -> Path:
    """Write a page, VIDEO.html, that plays a video beside timelines of it, to look at predictions and annotations.

    There is one row per timeline. The page plays the video from its own file, so move the two together.

    Args:
        timelines: Files in any format that keyseg convert reads. Of a file with several videos, the one of this name.
        video: The video file.
        ref: A timeline that the others are scored against, in any format; it becomes the first row.
        out: The page. Default: named after the video, in the current folder.
        title: Title of the page. Default: the name of the video.
        fps: Frames per second of timelines that do not state it. Default: that of the video.
        overlap: Where two labels of a timeline overlap: error reports both; first keeps the one that starts first; last
            lets the one that starts last interrupt it; score keeps the one with the higher score.
        background: Names of classes that are not actions; gaps between actions get the first one. none for no such
            class. Default: the class 'background'.
        force: Overwrite the page.
        report: Called with a note about what is left out, or may be wrong.
        failures: Gets the timelines that cannot be read, while the others are shown; of the reference, it raises.
            Without it, the first one raises.
    """
    page = out or Path(f"{video.stem}.html")
    if page.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"{page}: a page is saved as .html, got suffix {page.suffix!r}")
    refuse_existing(page, force)
    files = [*([ref] if ref else []), *timelines]
    if not files:
        raise ConfigError("name at least one timeline to look at; see: keyseg report --help")
    info = probe(video)
    named: list[tuple[str, Annotation]] = []
    for name, file in zip(row_names(files), files, strict=True):
        with noting(None if file == ref else failures, file):
            annotations, needed = read_with_rate(
                file, fps or info.fps, background=background, options=options, note=report
            )
            kind = " (reference)" if ref and not named else ""
            for annotation in _of_video(file, annotations, video, report):
                if needed and fps is None:
                    _check_rate(file, annotation, info, report)
                named.append(row_of(f"{name}{kind}", file, annotation))
    if failures:
        failures.raise_unless(named)
    rate = max((a.fps for _, a in named if a.fps is not None), default=fps or info.fps)
    if rate is None:
        raise ConfigError(f"{video}: its frame rate is unknown, and so is that of the timelines; give --fps")
    seconds = info.declared_seconds or Fraction(0)
    for name, annotation in named:
        if annotation.duration_seconds is not None and annotation.duration_seconds < seconds - 1:
            report(
                f"{name} ends at {float(annotation.duration_seconds):.2f} s and the video at {float(seconds):.2f} s;"
                " the rest of its row is background"
            )
    rows, labels = on_one_grid(
        [a for _, a in named], rate, frames=int(seconds * rate + Fraction(1, 2)), overlap=overlap
    )
    timebase = TimeBase(rate)
    for problem in (unplayable(info), too_short(info, timebase.start_seconds(rows[0].length))):
        if problem:
            report(f"{video}: {problem}")
    shown = VideoTimeline(video.name, tuple(zip((name for name, _ in named), rows, strict=True)), video)
    shown = _with_key_frames(shown, timebase)
    return write_report(
        page,
        title=title or video.name,
        introduction=f"{'The first row is the reference. ' if ref else ''}{_LINKED}",
        scores=_against_first(shown, labels) if ref else {},
        videos=[shown],
        labels=labels,
        timebase=timebase,
        linked=True,
        provenance={"timelines": ", ".join(file.name for file in files), "video": video.name, "keyseg": __version__},
        force=force,
    )


def _of_video(
    file: Path, annotations: Sequence[Annotation], video: Path, report: Callable[[str], None]
) -> list[Annotation]:
    """The timelines of a file that belong to a video: those of its only video, or of the video of this name and, where
    several have it, in the same folder."""
    names = list(dict.fromkeys(annotation.video for annotation in annotations))
    if not names:
        raise DataError(f"{file}: no timeline in it")
    fits = [name for name in names if _key(name) in (_key(video.name), _key(video.stem))]
    called = f"called {video.stem}"
    if len(fits) > 1:
        called = f"in the folder of {video}"
        fits = [name for name in fits if _is_below(video, path_parts(name)[:-1])]
    if len(names) > 1 and len(fits) != 1:
        listed = ", ".join(names[:10]) + (" ..." if len(names) > 10 else "")
        raise DataError(f"{file}: several videos, and none of them is {called}: {listed}")
    if not fits and _key(names[0]) not in (_key(file.name), _key(file.stem)):
        report(f"{file}: its timeline is of {names[0]}, shown with {video.name}")
    wanted = fits[0] if fits else names[0]
    return [annotation for annotation in annotations if annotation.video == wanted]


def _is_below(video: Path, folders: Sequence[str]) -> bool:
    """Whether a video is in these folders, the last of them directly above it."""
    above = [unicodedata.normalize("NFC", part) for part in video.resolve().parent.parts]
    return above[len(above) - len(folders) :] == list(folders)


def _key(name: str) -> str:
    """A video's name in the form that is compared."""
    return unicodedata.normalize("NFC", video_name(name))


def _check_rate(file: Path, annotation: Annotation, info: VideoInfo, report: Callable[[str], None]) -> None:
    """Raise ConfigError if a timeline that counts frames does not last as long as the video at the video's rate.

    Where it does not say how long it is, a note says the rate.
    """
    rate, seconds, video = annotation.fps or Fraction(1), annotation.duration_seconds, info.declared_seconds
    if seconds is None or video is None:
        report(f"{file}: read at the video's rate, {float(rate):g} frames per second; --fps sets another")
    elif abs(seconds - video) > 1:
        raise ConfigError(
            f"{file}: {int(seconds * rate)} frames at the video's rate, {float(rate):g} per second, last"
            f" {float(seconds):.2f} s, and the video {float(video):.2f} s; give the rate of its frames with --fps"
        )


def _with_key_frames(video: VideoTimeline, timebase: TimeBase, most: int = 24) -> VideoTimeline:
    """The same with pictures from the middle of the segments of the first row. Raises DataError."""
    assert video.video is not None
    times = key_frame_times(video.rows[0][1], timebase, most=most)
    try:
        frames = read_key_frames(video.video, times)
    except DataError:  # the sound may go on after the last picture
        end = probe(video.video).declared_seconds
        if end is None or not times or times[-1] < end:
            raise
        frames = read_key_frames(video.video, [time for time in times if time < end])
    return replace(video, key_frames=tuple(frames))


def _against_first(video: VideoTimeline, labels: LabelMap) -> dict[str, dict[str, float]]:
    """Scores of the rows against the first, by name."""
    from keyseg.metrics import evaluate_labels

    (_, truth), *others = video.rows
    background = tuple(sorted(labels.background_ids))
    return {name: evaluate_labels({"": truth}, {"": row}, background=background).to_json() for name, row in others}


def write_prediction_page(page: Path, source: Path, prediction: Prediction) -> None:
    """Write a page with a prediction: beside its video, or alone if `source` is a file of features or tracks.

    Overwrites the page. Raises DataError on a video that cannot be read.
    """
    shown = VideoTimeline(source.name, (("prediction", prediction.segmentation),))
    is_video = source.suffix.lower() != ".npy" and not is_track_file(source)
    if is_video:
        shown = _with_key_frames(replace(shown, video=source), prediction.timebase)
    write_report(
        page,
        title=source.stem,
        introduction=_LINKED if is_video else "",
        scores={},
        videos=[shown],
        labels=prediction.labels,
        timebase=prediction.timebase,
        linked=True,
        provenance={"prediction of": source.name, "keyseg": __version__},
        force=True,
    )


def write_run_page(run: Run, summary: Mapping[str, Any], *, report: Callable[[str], None] = lambda note: None) -> Path:
    """Write RUN/report.html: scores, test videos with annotation and predictions, pictures of the errors, losses.
    Overwrites an earlier one.

    summary: as `summarise` returns it. report: called with a note about each video file that cannot be shown. Reads the
    predictions that the training left, and shows at most 8 videos, of all splits alike.
    """
    from keyseg.inference.systems import variant_title
    from keyseg.training.results import loss_curves
    from keyseg.training.tables import kept_lines

    finished = [fit for fit in run.fits() if fit.scores.exists()]
    tests = {fit.split: fit.dataset.names(fit.split, "test") for fit in finished}
    names = list(dict.fromkeys(name for turn in zip_longest(*tests.values()) for name in turn if name is not None))
    dataset = run.open_dataset()
    videos = [_tested(name, finished, tests, report) for name in names[:_MOST_VIDEOS]]
    more = f" {len(videos)} of {len(names)} test videos are shown." if len(videos) < len(names) else ""
    linked = any(video.video for video in videos)
    seen = "Videos that the training has not seen." if videos else " ".join(kept_lines(summary))
    return write_report(
        run.folder / RUN_PAGE,
        title=f"{variant_title(run.recipe.model)} on {run.data.name}",
        introduction=f"{seen}{more}{f' {_LINKED}' if linked else ''}",
        scores={variant_title(variant): scores for variant, scores in summary["last_epoch"].items() if scores},
        videos=videos,
        labels=dataset.labels,
        timebase=dataset.timebase,
        linked=True,
        figures={**_of_errors(finished, summary), "Losses by epoch": plot_curves(loss_curves(run), ylabel="loss")},
        provenance={"command": run.command, "keyseg": run.keyseg, "commit": run.commit},
        force=True,
    )


def _of_errors(finished: Sequence[Fit], summary: Mapping[str, Any]) -> dict[str, Figure]:
    """Pictures of the errors on the test videos by caption; none without a finished training of a split."""
    from keyseg.training.analysis import analyse_fits
    from keyseg.training.results import reliability_figure
    from keyseg.viz.error_pictures import CAPTIONS, PICTURES

    if not finished:
        return {}
    analysis = analyse_fits(finished)
    figures = {CAPTIONS[name]: plot(analysis) for name, plot in PICTURES.items()}
    if summary["confidence"]["pooled"]["segments"]:
        figures["Confidence of segments, and how many of them are right"] = reliability_figure(summary)
    return figures


def _tested(
    name: str, fits: Sequence[Fit], tests: Mapping[Split, Collection[str]], report: Callable[[str], None]
) -> VideoTimeline:
    """A test video with its annotation, a row for each training that was tested on it, and the video if it is known."""
    testing = [fit for fit in fits if name in tests[fit.split]]
    dataset, split = testing[0].dataset, testing[0].split
    frames = {"ground truth": dataset.annotation(name).to_frames()}
    for fit in testing:
        labels = read_frame_labels(fit.folder / "predictions" / f"{name}.txt")
        which = f", {fit.name}" if len(testing) > 1 else ""
        frames[f"prediction{which}"] = dataset.labels.encode(labels)
    length = min(map(len, frames.values()))  # the option data.lengths may have cut the annotation
    shown = VideoTimeline(name, tuple((row, Segmentation.from_frames(ids[:length])) for row, ids in frames.items()))
    try:
        file = find_video_file(dataset.root, name, dataset.feature_path(split) / f"{name}.npy")
        if file is None:
            return shown
        return _with_key_frames(replace(shown, video=file), dataset.timebase, _KEY_FRAMES)
    except KeysegError as error:
        report(f"{RUN_PAGE} shows {name} without its video: {error}")
        return shown
