"""What each part of a finished RTK run contributes when videos are decoded, and oracles that bound it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from keyseg.inference.decoders import KeypointDecoder
from keyseg.inference.decoding import KeypointOutput, RefinementScores, decode
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
from keyseg.training.tables import score_table

Decode = Callable[[KeypointDecoder, KeypointOutput, Segmentation], Segmentation]


def _parts(*, heads: bool, memory: bool) -> Decode:
    """RTK with or without the scores of the refinement, and with or without matching to remembered annotations."""

    def segment(decoder: KeypointDecoder, output: KeypointOutput, truth: Segmentation) -> Segmentation:
        known = output if heads else replace(output, refinement=None)
        return decode(known, decoder.rules, refine=True, memory=decoder.annotations if memory else None).segmentation

    return segment


def _rules_alone(decoder: KeypointDecoder, output: KeypointOutput, truth: Segmentation) -> Segmentation:
    return decode(output, decoder.plain_rules, refine=False).segmentation


def _jumping(probability: float) -> Decode:
    """RTK with another probability of leaving the order."""

    def segment(decoder: KeypointDecoder, output: KeypointOutput, truth: Segmentation) -> Segmentation:
        memory = decoder.rules.memory.model_copy(update={"jump": probability})
        rules = decoder.rules.model_copy(update={"memory": memory})
        return decode(output, rules, refine=True, memory=decoder.annotations).segmentation

    return segment


def _argmax(which: str) -> Decode:
    return lambda decoder, output, truth: Segmentation.from_frames(getattr(output, which).argmax(0))


def _true_classes(decoder: KeypointDecoder, output: KeypointOutput, truth: Segmentation) -> Segmentation:
    """The predicted segments, each with its most frequent annotated class."""
    found = decode(output, decoder.rules, refine=True, memory=decoder.annotations).segmentation
    frames = truth.to_frames()
    bounds = found.boundaries
    labels = [np.bincount(frames[a:b]).argmax() for a, b in pairwise(bounds)]
    return Segmentation(bounds, np.array(labels)).merged()


def _true_boundaries(decoder: KeypointDecoder, output: KeypointOutput, truth: Segmentation) -> Segmentation:
    """The annotated boundaries, with the predicted classes between them."""
    interior = truth.boundaries[1:-1].astype(np.float64)
    known = replace(output, boundaries=BoundaryKeypoints(interior, np.ones(len(interior))), refinement=None)
    return decode(known, decoder.rules, refine=True, memory=decoder.annotations).segmentation


def _true_keep(decoder: KeypointDecoder, output: KeypointOutput, truth: Segmentation) -> Segmentation:
    """Exactly the proposals that agree with the annotation, at the thresholds of the rules."""
    actions, boundaries = output.actions, output.boundaries
    keep_action = segment_labels(actions, truth) == actions.label
    keep_boundary = boundary_distances(boundaries, truth)[1]
    classes = np.full((len(actions), output.frames.shape[0]), 1 / output.frames.shape[0])
    perfect = RefinementScores(keep_action.astype(float), keep_boundary.astype(float), classes, boundaries.time)
    rules = decoder.rules.model_copy(update={"keep_threshold": 0.5, "context_weight": 0.0})
    return decode(replace(output, refinement=perfect), rules, refine=True, memory=decoder.annotations).segmentation


ABLATIONS: Mapping[str, Decode] = {
    "RTK": _parts(heads=True, memory=True),
    "matched to remembered annotations, without the learnt heads": _parts(heads=False, memory=True),
    "learnt heads, without matching to remembered annotations": _parts(heads=True, memory=False),
    "neither: rules alone": _rules_alone,
    "matched with the order kept throughout (jump 0)": _jumping(0.0),
    "matched without order (jump 1)": _jumping(1.0),
    "no rules: argmax of the action heatmaps": _argmax("action"),
    "argmax of the frame classifier": _argmax("frames"),
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
    costs = [json.loads((fit.folder / "cost.json").read_text(encoding="utf-8")) for fit in run.fits()]
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
    rows, splits, seeds = result["rows"], result["splits"], result["seeds"]
    return "\n".join(
        [
            f"# RTK on {result['data']}, part by part",
            "",
            f"Mean of split(s) {', '.join(map(str, splits))}, seed(s) {', '.join(map(str, seeds))}; last epoch,"
            " protocol ms-tcn, in feature steps. All rows use the same networks and differ in the decoding.",
            "",
            *score_table({name: rows[name] for name in ABLATIONS}),
            "",
            "What bounds it: RTK given one thing from the annotation of the test video. These are not results.",
            "",
            *score_table({name: rows[name] for name in ORACLES}),
            "",
            *(f"- {key}: {value}" for key, value in result["provenance"].items()),
            "",
        ]
    )
