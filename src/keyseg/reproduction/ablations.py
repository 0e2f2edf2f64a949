"""What each part of a finished RTK run contributes when videos are decoded, and oracles that bound it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from keyseg.inference.decoders import KeypointDecoder, Match, RememberedAnnotation
from keyseg.inference.decoding import KeypointOutput, NetworkOutput, RefinementScores, lattice_of, match
from keyseg.inference.predictor import Predictor
from keyseg.keypoints import BoundaryKeypoints
from keyseg.matching.alignment import MOVES, align
from keyseg.matching.lattice import Lattice
from keyseg.matching.validity import boundary_distances, segment_labels
from keyseg.metrics import Report, evaluate_labels
from keyseg.timeline import ConfigError, Segmentation
from keyseg.timeline.files import write_json, write_text
from keyseg.training.fit import Fit
from keyseg.training.results import average_over_seeds
from keyseg.training.run import Run, source_commit
from keyseg.training.scoring import finished_predictor
from keyseg.training.settings import RTKRecipe
from keyseg.training.tables import markdown, mean_of, score_table

Decode = Callable[[KeypointDecoder, KeypointOutput, Segmentation], Segmentation]
"""From the output for a video to segments in steps, given the annotation of the video, which only oracles use."""


def _part(part: str | None) -> Decode:
    """RTK (None), or a part of it that is scored after every training."""
    return lambda decoder, output, _: decoder.segments(output, part).segmentation


def _matched(decode: Callable[[Match, KeypointOutput, Segmentation], Segmentation]) -> Decode:
    """A change to the match; RTK where inner folds have switched the match off."""

    def decoded(decoder: KeypointDecoder, output: KeypointOutput, truth: Segmentation) -> Segmentation:
        if decoder.match is None:
            return decoder.segments(output).segmentation
        return decode(decoder.match, output, truth)

    return decoded


def _weighed(**weights: Any) -> Decode:
    """The match with some weights changed."""
    return _matched(lambda to, output, _: match(output, to.graph, to.weights.changed(**weights)).segmentation)


def _frames_alone(to: Match, output: KeypointOutput, _: Segmentation) -> Segmentation:
    """The match of the frame classifier's scores, as of a system without keypoints."""
    return match(NetworkOutput(output.frames, output.stages), to.graph, to.weights).segmentation


def _true_classes(decoder: KeypointDecoder, output: KeypointOutput, truth: Segmentation) -> Segmentation:
    """The predicted segments, each with its most frequent annotated class."""
    bounds = decoder.segments(output).segmentation.boundaries
    frames = truth.to_frames()
    labels = [np.bincount(frames[a:b]).argmax() for a, b in pairwise(bounds)]
    return Segmentation(bounds, np.array(labels))


def _true_boundaries(decoder: KeypointDecoder, output: KeypointOutput, truth: Segmentation) -> Segmentation:
    """The annotated boundaries as the only possible ones, with the predicted classes between them."""
    interior = truth.boundaries[1:-1].astype(np.float64)
    known = replace(output, boundaries=BoundaryKeypoints(interior, np.ones(len(interior))), refinement=None)
    if decoder.match is None:
        return decoder.segments(known).segmentation
    every = lattice_of(known, decoder.match.graph)
    true = np.isin(every.times, truth.boundaries)
    lattice = Lattice(every.graph, every.times[true], np.ones(true.sum()), every.frames[true], every.actions[true])
    return align(lattice, decoder.match.weights).segmentation


def _true_keep(decoder: KeypointDecoder, output: KeypointOutput, truth: Segmentation) -> Segmentation:
    """Heads that keep exactly the proposals that agree with the annotation."""
    actions, boundaries = output.actions, output.boundaries
    keep_action = segment_labels(actions, truth) == actions.label
    keep_boundary = boundary_distances(boundaries, truth)[1]
    classes = np.full((len(actions), len(output.frames)), 1 / len(output.frames))
    perfect = RefinementScores(keep_action.astype(float), keep_boundary.astype(float), classes, boundaries.time)
    sure = decoder.changed(rules=decoder.rules.changed(keep_threshold=0.5))
    return sure.segments(replace(output, refinement=perfect)).segmentation


def _own_annotation(to: Match, output: KeypointOutput, truth: Segmentation) -> Segmentation:
    """The match to the annotations of the training videos and to that of the video itself."""
    own = RememberedAnnotation(labels=truth.labels.tolist(), lengths=np.diff(truth.boundaries).tolist())
    known = Match(weights=to.weights, classes=to.classes, annotations=(*to.annotations, own))
    return match(output, known.graph, known.weights).segmentation


_MATCH: Mapping[str, Decode] = {
    "matched without class probabilities": _weighed(frames=0.0, mean=0.0),
    "matched without action keypoints": _weighed(action=0.0, rivals=0.0),
    "matched without durations": _weighed(duration=0.0),
    "matched without confidence and cost of cuts": _weighed(boundary=0.0, cut=0.0),
    "matched without order": _weighed(moves=(0.0,) * len(MOVES), switch=0.0, jump=1.0, opening=0.0, closing=0.0),
    "matched to one annotation throughout": _weighed(switch=0.0, jump=0.0),
    "matched by the frame classifier alone": _matched(_frames_alone),
}
_MATCH_AND_HEADS: Mapping[str, Decode] = {
    "without the learnt heads": lambda decoder, output, _: (
        decoder.segments(replace(output, refinement=None)).segmentation
    ),
    "learnt heads without the match": lambda decoder, output, _: decoder.unmatched(output, None).segmentation,
}


def ablations(*, matched: bool, refined: bool) -> dict[str, Decode]:
    """RTK, RTK with one thing changed, and its parts, by name.

    matched: whether any training of the run matches; refined: whether there are learnt heads.
    """
    return {
        "rtk": _part(None),
        **(_MATCH if matched else {}),
        **(_MATCH_AND_HEADS if matched and refined else {}),
        **{part: _part(part) for part in KeypointDecoder.PARTS},
    }


def oracles(*, matched: bool, refined: bool) -> dict[str, Decode]:
    """RTK given one thing from the annotation of the test video, by name."""
    return {
        "segments of RTK with true classes": _true_classes,
        "true boundaries with RTK's classes": _true_boundaries,
        **({"matched to the video's own annotation as well": _matched(_own_annotation)} if matched else {}),
        **({"true keep decisions": _true_keep} if refined else {}),
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
    predictors = [(fit, finished_predictor(fit)) for fit in run.fits()]
    matched = sum(predictor.decoder.match is not None for _, predictor in predictors)
    kinds = {"matched": matched > 0, "refined": run.recipe.refines}
    rows, bounds = ablations(**kinds), oracles(**kinds)
    scores = _scores(predictors, {**rows, **bounds})
    result = {
        "data": run.data.name,
        "splits": list(run.splits),
        "seeds": list(run.seeds),
        "trainings": len(predictors),
        "trainings that match": matched,
        "provenance": origin(run),
        "rows": {name: scores[name] for name in rows},
        "oracles": {name: scores[name] for name in bounds},
    }
    write_json(folder / "ablations.json", result)
    write_text(folder / "ablations.md", _as_markdown(result))
    return result


def _scores(
    predictors: Sequence[tuple[Fit, Predictor]], decodings: Mapping[str, Decode]
) -> dict[str, dict[str, float]]:
    """Scores by decoding, averaged over the trainings."""
    reports = [(fit.seed, score_decodings(fit, predictor, decodings)) for fit, predictor in predictors]
    return {name: average_over_seeds([(seed, by[name].to_json()) for seed, by in reports]) for name in decodings}


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
        reports[name] = evaluate_labels(truth, found, background=background)
    return reports


def _as_markdown(result: Mapping[str, Any]) -> str:
    """Both tables, and where they come from."""
    return markdown(
        f"# RTK on {result['data']}, part by part",
        f"{mean_of(result)}; last epoch, protocol ms-tcn, in feature steps. All rows use the same networks and differ"
        f" in the decoding. {result['trainings that match']} of {result['trainings']} training(s) match, as their inner"
        " folds chose; any others decode as RTK in all rows of the match. RTK without refinement: the rules alone.",
        score_table(result["rows"]),
        "What bounds it: RTK given one thing from the annotation of the test video. These are not results.",
        score_table(result["oracles"]),
        [f"- {key}: {value}" for key, value in result["provenance"].items()],
    )
