"""What each part of a finished RTK run contributes when videos are decoded, and oracles that bound it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from keyseg.inference.decoders import KeypointDecoder
from keyseg.inference.decoding import KeypointOutput, RefinementScores, Rules, decode
from keyseg.inference.predictor import Predictor
from keyseg.keypoints import BoundaryKeypoints
from keyseg.matching.validity import boundary_distances, segment_labels
from keyseg.metrics import Report, evaluate
from keyseg.timeline import ConfigError, Segmentation
from keyseg.timeline.files import write_json, write_text
from keyseg.training.fit import Fit
from keyseg.training.results import average_over_seeds, finished_predictor
from keyseg.training.run import Run, source_commit
from keyseg.training.settings import RTKRecipe
from keyseg.training.tables import markdown, mean_of, score_table

Decode = Callable[[KeypointDecoder, KeypointOutput, Segmentation], Segmentation]


def _refined(
    decoder: KeypointDecoder, output: KeypointOutput, rules: Rules | None = None, *, memory: bool = True
) -> Segmentation:
    """RTK, with other rules or without matching to remembered annotations."""
    annotations = decoder.annotations if memory else None
    return decode(output, rules or decoder.rules, refine=True, memory=annotations).segmentation


def _jumping(decoder: KeypointDecoder, output: KeypointOutput, probability: float) -> Segmentation:
    """RTK with another probability of leaving the order."""
    memory = decoder.rules.memory.changed(jump=probability)
    return _refined(decoder, output, decoder.rules.changed(memory=memory))


def _true_classes(decoder: KeypointDecoder, output: KeypointOutput, truth: Segmentation) -> Segmentation:
    """The predicted segments, each with its most frequent annotated class."""
    bounds = _refined(decoder, output).boundaries
    frames = truth.to_frames()
    labels = [np.bincount(frames[a:b]).argmax() for a, b in pairwise(bounds)]
    return Segmentation(bounds, np.array(labels)).merged()


def _true_boundaries(decoder: KeypointDecoder, output: KeypointOutput, truth: Segmentation) -> Segmentation:
    """The annotated boundaries, with the predicted classes between them."""
    interior = truth.boundaries[1:-1].astype(np.float64)
    known = replace(output, boundaries=BoundaryKeypoints(interior, np.ones(len(interior))), refinement=None)
    return _refined(decoder, known)


def _true_keep(decoder: KeypointDecoder, output: KeypointOutput, truth: Segmentation) -> Segmentation:
    """Exactly the proposals that agree with the annotation, at the thresholds of the rules."""
    actions, boundaries = output.actions, output.boundaries
    keep_action = segment_labels(actions, truth) == actions.label
    keep_boundary = boundary_distances(boundaries, truth)[1]
    classes = np.full((len(actions), output.frames.shape[0]), 1 / output.frames.shape[0])
    perfect = RefinementScores(keep_action.astype(float), keep_boundary.astype(float), classes, boundaries.time)
    rules = decoder.rules.changed(keep_threshold=0.5, context_weight=0.0)
    return _refined(decoder, replace(output, refinement=perfect), rules)


ABLATIONS: Mapping[str, Decode] = {
    "RTK": lambda decoder, output, _: _refined(decoder, output),
    "matched to remembered annotations, without the learnt heads": lambda decoder, output, _: _refined(
        decoder, replace(output, refinement=None)
    ),
    "learnt heads, without matching to remembered annotations": lambda decoder, output, _: _refined(
        decoder, output, memory=False
    ),
    "neither: rules alone": lambda decoder, output, _: decoder.segments(output, "rtk-no-refinement").segmentation,
    "matched with the order kept throughout (jump 0)": lambda decoder, output, _: _jumping(decoder, output, 0.0),
    "matched without order (jump 1)": lambda decoder, output, _: _jumping(decoder, output, 1.0),
    "no rules: argmax of the action heatmaps": lambda decoder, output, _: (
        decoder.segments(output, "rtk-no-rules").segmentation
    ),
    "argmax of the frame classifier": lambda decoder, output, _: decoder.segments(output, "frame-wise").segmentation,
}
ORACLES: Mapping[str, Decode] = {
    "segments of RTK with true classes": _true_classes,
    "true boundaries with RTK's classes": _true_boundaries,
    "true keep decisions": _true_keep,
}


def ablate(run: Run, folder: Path) -> dict[str, Any]:
    """Decode the test videos of every training of a run, leaving out one part at a time, and with oracles.

    Writes ablations.json and ablations.md to `folder`. Scores are taken in feature steps, so above a sample rate of 1
    they differ slightly from those at the annotation rate. Raises ConfigError on another system, DataError on
    unfinished trainings.
    """
    if not isinstance(run.recipe, RTKRecipe):
        raise ConfigError(
            f"{run.folder}: only a run of rtk can be taken apart, and this is a run of {run.recipe.model}"
        )
    rows: dict[str, list[tuple[int, Mapping[str, Any]]]] = {name: [] for name in (*ABLATIONS, *ORACLES)}
    for fit in run.fits():
        for name, report in score_decodings(fit, finished_predictor(fit), {**ABLATIONS, **ORACLES}).items():
            rows[name].append((fit.seed, report.to_json()))
    result = {
        "data": run.data.name,
        "splits": list(run.splits),
        "seeds": list(run.seeds),
        "provenance": origin(run),
        "rows": {name: average_over_seeds(reports) for name, reports in rows.items()},
    }
    write_json(folder / "ablations.json", result)
    write_text(folder / "ablations.md", _as_markdown(result))
    return result


def origin(run: Run) -> dict[str, str]:
    """Where the networks of a run come from, and what decodes them now."""
    costs = [fit.cost() for fit in run.fits()]
    return {
        "trained by": f"`{run.command}`, commit {', '.join(sorted({cost['commit'] for cost in costs}))}",
        "features": run.provenance()["features"],
        "decoded at commit": source_commit(),
        "machine": ", ".join(sorted({cost["machine"] for cost in costs})),
    }


def score_decodings(fit: Fit, predictor: Predictor, decodings: Mapping[str, Decode]) -> dict[str, Report]:
    """Scores of the test videos of one training of RTK in feature steps, decoded in several ways."""
    decoder = predictor.decoder
    assert isinstance(decoder, KeypointDecoder)
    samples = [fit.dataset.load(name, fit.split) for name in fit.dataset.names(fit.split, "test")]
    truth = {sample.name: Segmentation.from_frames(sample.labels) for sample in samples}
    outputs = {sample.name: predictor.run_keypoints(sample.features) for sample in samples}
    background = tuple(sorted(fit.dataset.labels.background_ids))
    reports = {}
    for name, segment in decodings.items():
        found = {video: segment(decoder, output, truth[video]) for video, output in outputs.items()}
        reports[name] = evaluate(truth, found, background=background)
    return reports


def _as_markdown(result: Mapping[str, Any]) -> str:
    """Both tables, and where they come from."""
    rows = result["rows"]
    return markdown(
        f"# RTK on {result['data']}, part by part",
        f"{mean_of(result)}; last epoch, protocol ms-tcn, in feature steps. All rows use the same networks and differ"
        " in the decoding.",
        score_table({name: rows[name] for name in ABLATIONS}),
        "What bounds it: RTK given one thing from the annotation of the test video. These are not results.",
        score_table({name: rows[name] for name in ORACLES}),
        [f"- {key}: {value}" for key, value in result["provenance"].items()],
    )
