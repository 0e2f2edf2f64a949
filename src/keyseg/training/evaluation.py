"""Scores of whatever there is to score: labels in memory, files of any format, or a run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from keyseg.formats import AS_IT_IS, AnnotationOptions
from keyseg.formats.read_write import Predicted
from keyseg.metrics import Comparison, Report, compare_labels, evaluate_labels
from keyseg.metrics.frame_labels import FrameLabels
from keyseg.metrics.label_folders import compare_folders, evaluate_folders
from keyseg.timeline import Annotation, ConfigError, Overlap
from keyseg.timeline.rates import parse_rate

if TYPE_CHECKING:
    from keyseg.training.run import Run

Timelines: TypeAlias = Path | str | Mapping[str, FrameLabels] | Mapping[str, Annotation] | Mapping[str, Predicted]
"""A file or folder in any format, or one timeline per video: labels, an annotation or a prediction."""


def evaluate(
    ref: Timelines | Run,
    pred: Timelines | None = None,
    *,
    background: Collection[str | int] | None = None,
    protocol: str = "ms-tcn",
    fps: Fraction | float | str | None = None,
    overlap: Overlap = "error",
    options: AnnotationOptions = AS_IT_IS,
    bootstrap: int = 0,
    seed: int = 0,
    report: Callable[[str], None] = lambda note: None,
) -> Report:
    """Score predictions against annotations, or the bundles of a run on their test videos.

    Scores are in percent: frame accuracy, segmental edit score, and segmental F1 at an overlap (IoU) of 10, 25 and
    50 %. Every one is defined: if there is nothing to score it is 100; if only one side has segments, edit and F1 are
    0.

    ref, pred: annotations and predictions by the name of their video: a Segmentation, one class name or id per frame,
    an Annotation or a Prediction; or the file or folder that holds them, in any format of `keyseg convert`. Labels per
    frame go with labels per frame. Videos that have annotations but no prediction are an error among labels in memory;
    otherwise `report` is called with their number. ref alone: a run or its folder, whose test videos are scored as it
    has read them; the only other argument that it takes is `protocol`.

    background: classes that edit score and F1 leave out, () for none. Default: the class 'background', and what the
    files name. protocol: ms-tcn, ms-tcn2-eval, bcn or tcn. fps: frames per second of timelines that do not state it.
    overlap: which of two labels counts where they overlap, as in `keyseg eval`. options: what to do where a file leaves
    a choice. bootstrap: number of resamplings of the videos for 95 % intervals, drawn with `seed`.

    Raises DataError naming videos that are missing or do not fit and files that cannot be read, ConfigError on a wrong
    option and where `fps` must be given.

    >>> import keyseg
    >>> report = keyseg.evaluate({"tea": ["take"] * 4 + ["pour"] * 6}, {"tea": ["take"] * 5 + ["pour"] * 5})
    >>> report
    Report(F1@10/25/50 100.0/100.0/100.0, Edit 100.0, Acc 90.0; 1 video, 10 frames, protocol ms-tcn)
    >>> report.f1[0.5]
    100.0
    """
    if pred is None:
        _refuse_background(background)
        if fps is not None or bootstrap:
            raise ConfigError("fps and bootstrap go with predictions; a run has its own frame rate, and no intervals")
        return _of_run(ref, protocol)
    sides = [_checked(side) for side in (ref, pred)]
    common: dict[str, Any] = {"protocol": protocol, "bootstrap": bootstrap, "seed": seed}
    if _all_hold_labels(sides):
        return evaluate_labels(*sides, background=("background",) if background is None else background, **common)
    reading = _reading(background, fps, overlap, options, report)
    return evaluate_folders(sides[0], sides[1], **reading, **common)


def compare(
    a: Timelines | Run,
    b: Timelines | Run,
    *,
    ref: Timelines | None = None,
    background: Collection[str | int] | None = None,
    protocol: str = "ms-tcn",
    fps: Fraction | float | str | None = None,
    overlap: Overlap = "error",
    options: AnnotationOptions = AS_IT_IS,
    report: Callable[[str], None] = lambda note: None,
) -> Comparison:
    """The difference b - a of two systems' scores, with a 95 % interval by a paired bootstrap over the videos.

    a, b: two runs or their folders, which are compared by the predictions that their trainings left; or, with `ref`,
    predictions as `evaluate` takes them. The other arguments and errors are those of `evaluate`; also DataError if the
    two do not have the same videos. 10,000 sets of videos are drawn, and both are scored on each (docs/protocols.md).

    >>> import keyseg
    >>> truth = {"tea": ["take"] * 4 + ["pour"] * 6, "milk": ["pour"] * 5}
    >>> a = {"tea": ["take"] * 10, "milk": ["pour"] * 5}
    >>> keyseg.compare(a, truth, ref=truth).difference["acc"]
    40.0
    """
    if ref is None:
        from keyseg.training.analysis import compare_runs

        _refuse_background(background)
        return compare_runs(_run_of(a), _run_of(b), protocol)
    sides = [_checked(side) for side in (ref, a, b)]
    if _all_hold_labels(sides):
        idle = ("background",) if background is None else background
        return compare_labels(*sides, background=idle, protocol=protocol)
    return compare_folders(*sides, protocol=protocol, **_reading(background, fps, overlap, options, report))


def _refuse_background(background: Collection[str | int] | None) -> None:
    if background is not None:
        raise ConfigError("--background goes with --ref; a run has its own background classes")


def _reading(
    background: Collection[str | int] | None,
    fps: Fraction | float | str | None,
    overlap: Overlap,
    options: AnnotationOptions,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """How timelines are read, with checked values."""
    named = (background,) if isinstance(background, str) else background
    return {
        "background": None if named is None else tuple(map(str, named)),
        "fps": None if fps is None else parse_rate(fps),
        "overlap": overlap,
        "options": options,
        "report": report,
    }


def _checked(side: object) -> Any:
    """A path, or a mapping whose predictions are annotations. Raises ConfigError on anything else."""
    if isinstance(side, str | Path):
        return Path(side)
    if not isinstance(side, Mapping):
        raise ConfigError(
            "expected a file, a folder, or a mapping from videos to their labels, annotations or predictions;"
            f" got {type(side).__name__}"
        )
    return {name: one.annotation if hasattr(one, "annotation") else one for name, one in side.items()}


def _all_hold_labels(sides: Sequence[Path | Mapping[str, Any]]) -> bool:
    """Whether all are labels per frame, or none is. Raises ConfigError on a mixture."""
    labels = [
        not isinstance(side, Path) and not any(isinstance(one, Annotation) for one in side.values()) for side in sides
    ]
    if any(labels) and not all(labels):
        raise ConfigError("labels per frame are scored against labels per frame; give all sides in this way")
    return all(labels)


def _of_run(run: object, protocol: str) -> Report:
    """The mean over the trainings of a run, with the report of each, or the report of its only one."""
    from keyseg.training.scoring import evaluate_run

    mean, trainings = evaluate_run(_run_of(run), protocol)
    return next(iter(trainings.values())) if len(trainings) == 1 else replace(mean, trainings=trainings)


def _run_of(run: object) -> Run:
    from keyseg.training.run import Run, read_run

    if not isinstance(run, Run | str | Path):
        raise ConfigError(f"expected a run or its folder, or predictions and ref; got one {type(run).__name__}")
    return run if isinstance(run, Run) else read_run(Path(run))
