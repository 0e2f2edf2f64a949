"""What finished trainings predicted on their test videos, read from the files that they left: no network runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keyseg.formats.frame_labels import read_frame_labels
from keyseg.metrics.analysis import Analysis, analyse
from keyseg.metrics.paired import Comparison, SplitPredictions, compare_trainings
from keyseg.timeline import DataError
from keyseg.training.fit import Fit
from keyseg.training.run import Run

ANALYSIS = "analysis"
"""Folder of a run with pictures of its errors and the counts that they are drawn from."""


def kept_predictions(fit: Fit) -> SplitPredictions:
    """Annotations and predictions of the test videos of a finished training, as names.

    Annotations end where the predictions do, since the option `data.lengths` may have cut them. Raises DataError if the
    training is not finished, or if a file is missing.
    """
    if not fit.scores.exists():
        raise DataError(f"{fit.folder}: this training is not finished; continue with keyseg train ... --resume")
    names = fit.dataset.names(fit.split, "test")
    predicted = {name: read_frame_labels(fit.folder / "predictions" / f"{name}.txt") for name in names}
    annotated = {
        name: fit.dataset.labels.decode(fit.dataset.annotation(name).to_frames())[: len(labels)]
        for name, labels in predicted.items()
    }
    assert fit.split is not None  # the final model has no scores, so it does not come here
    return SplitPredictions(fit.split, annotated, predicted)


def analyse_fits(fits: Sequence[Fit], protocol: str = "ms-tcn") -> Analysis:
    """Analysis of the test videos of finished trainings together; a video counts once per training tested on it."""
    tested = {fit.name: kept_predictions(fit) for fit in fits}
    reference, prediction = (
        {f"{name}/{video}": labels for name, one in tested.items() for video, labels in getattr(one, side).items()}
        for side in ("reference", "prediction")
    )
    dataset = fits[0].dataset
    background = dataset.labels.background
    return analyse(reference, prediction, background=background, protocol=protocol, fps=dataset.timebase.fps)


def compare_runs(a: Run, b: Run, protocol: str = "ms-tcn") -> Comparison:
    """Paired bootstrap of two runs over the videos that both were tested on; see `compare_trainings`.

    Raises DataError if they differ in splits, test videos, annotations or background classes, have no split, or are not
    finished.
    """
    for run in (a, b):
        if not run.fits():
            raise DataError(f"{run.folder} has no split, so no video was tested; train with --split to compare")
    first, second = (run.open_dataset().labels.background for run in (a, b))
    if set(first) != set(second):
        names = (", ".join(sorted(one)) or "none" for one in (first, second))
        raise DataError("A and B must leave out the same background classes, got {} in A and {} in B".format(*names))
    tested_a, tested_b = ([kept_predictions(fit) for fit in run.fits()] for run in (a, b))
    return compare_trainings(tested_a, tested_b, first, protocol)


def analysis_summary(run: Run, fits: Sequence[Fit]) -> dict[str, Any]:
    """What results.json says of the errors of a run's finished trainings.

    Once all are finished, the pictures and counts are written to the run's folder `analysis`.
    """
    if not fits:
        return {}
    from keyseg.viz.error_pictures import write_analysis

    found = analyse_fits(fits)
    files = write_analysis(found, run.folder / ANALYSIS) if len(fits) == len(run.fits()) else []
    return {
        "trainings": len(fits),
        "background": list(found.background),
        "unit": found.unit,
        "per_class": found.per_class(),
        "pictures": [f"{ANALYSIS}/{path.name}" for path in files if path.suffix == ".png"],
    }
