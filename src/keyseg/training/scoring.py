"""A finished training on the test videos of its split: predictions, scores and reliability."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from keyseg.formats.frame_labels import write_frame_labels
from keyseg.inference.bundle import load
from keyseg.inference.prediction import Prediction
from keyseg.inference.predictor import Predictor
from keyseg.metrics import Report, evaluate_labels, mean_reports
from keyseg.timeline import DataError, Segmentation
from keyseg.timeline.files import write_json
from keyseg.training.calibration import Judged
from keyseg.training.fit import Fit
from keyseg.training.run import Run


def predict_videos(
    predictor: Predictor,
    fit: Fit,
    names: Iterable[str],
    variants: Iterable[str] | None = None,
    each: Callable[[str, Segmentation, Prediction], None] = lambda variant, reference, prediction: None,
) -> tuple[dict[str, Segmentation], dict[str, dict[str, Segmentation]]]:
    """Annotations by video, and predictions by variant (None: all) and video, both at the annotation rate.

    each: called with the variant, the annotation and the whole prediction of each.
    """
    reference: dict[str, Segmentation] = {}
    predicted: dict[str, dict[str, Segmentation]] = {variant: {} for variant in variants or predictor.variants}
    for name in names:
        sample = fit.dataset.load(name, fit.split)
        reference[name] = sample.segmentation
        output = predictor.run(sample.features)
        for variant, videos in predicted.items():
            prediction = predictor.decode(output, frames=sample.segmentation.length, variant=variant)
            videos[name] = prediction.segmentation
            each(variant, sample.segmentation, prediction)
    return reference, predicted


def score_fit(fit: Fit, predictor: Predictor) -> None:
    """Score a trained bundle on the test videos of its split, and keep the predictions beside it."""
    judged = Judged()

    def judge(variant: str, reference: Segmentation, prediction: Prediction) -> None:
        if variant == predictor.system:
            judged.add(reference, prediction)

    reference, predicted = predict_videos(predictor, fit, fit.dataset.names(fit.split, "test"), each=judge)
    for name, segmentation in predicted[predictor.variants[0]].items():
        path = fit.folder / "predictions" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_frame_labels(path, fit.dataset.labels.decode(segmentation.to_frames()))
    background = tuple(sorted(fit.dataset.labels.background_ids))
    reports = {v: evaluate_labels(reference, videos, background=background) for v, videos in predicted.items()}
    write_json(fit.reliability, judged.summary())
    write_json(fit.scores, {variant: report.to_json() for variant, report in reports.items()})


def evaluate_run(run: Run, protocol: str = "ms-tcn") -> tuple[Report, dict[str, Report]]:
    """Score the full system again from its bundles: the mean over splits and seeds, and each by `split1/seed0`.

    Raises DataError if a training is not finished, or if there are no splits.
    """
    if not run.splits:
        raise DataError(f"{run.folder}: trained on all videos, so that none is left to score; train with --split all")
    reports = {}
    for fit in run.fits():
        system, labels = run.recipe.model, fit.dataset.labels
        names = fit.dataset.names(fit.split, "test")
        reference, predicted = predict_videos(finished_predictor(fit), fit, names, (system,))
        by_name = (  # since some protocols exclude classes by name
            {name: labels.decode(segmentation.to_frames()) for name, segmentation in videos.items()}
            for videos in (reference, predicted[system])
        )
        reports[fit.name] = evaluate_labels(*by_name, background=labels.background, protocol=protocol)
    return mean_reports(list(reports.values())), reports


def finished_predictor(fit: Fit) -> Predictor:
    """Predictor of a finished training. Raises DataError if it is not finished."""
    if not fit.bundle.exists():
        raise DataError(f"{fit.folder}: this training is not finished; continue with keyseg train ... --resume")
    return load(fit.bundle)
