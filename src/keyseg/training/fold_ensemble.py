"""The trained folds of a run as one bundle: their networks are averaged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keyseg.data.folders import claimed
from keyseg.inference.bundle import CARD, WEIGHTS, load, read_config, save_bundle
from keyseg.inference.decoders import KeypointDecoder, Match
from keyseg.inference.decoding import Rules
from keyseg.inference.ensemble import ensemble_of
from keyseg.inference.predictor import Predictor
from keyseg.matching.alignment import MatchWeights
from keyseg.matching.lattice import TERMS
from keyseg.timeline.files import file_sha256, read_text
from keyseg.training.fit import annotations_in_steps
from keyseg.training.run import Run
from keyseg.training.warm_start import seen_in

_DIGITS = 8  # of the SHA-256 of the weights of a fold: enough to see that it was trained again


def save_ensemble(run: Run) -> None:
    """Write RUN/ensemble/bundle if all folds are trained, and it does not average just these already."""
    fits, folder = run.fits(), run.ensemble_bundle
    if not all(fit.is_finished for fit in fits):
        return
    members = ", ".join(f"{fit.name} {file_sha256(fit.bundle / WEIGHTS)[:_DIGITS]}" for fit in fits)
    with claimed(folder.parent) as mine:
        if not mine or (folder.exists() and read_config(folder).provenance.get("members") == members):
            return
        predictors, dataset = [load(fit.bundle) for fit in fits], fits[0].dataset
        videos = tuple(dict.fromkeys(name for fit in fits for name in dataset.names(fit.split, "train")))
        weights = common_weights(predictors)
        match = None
        if weights is not None:
            match = Match.to(annotations_in_steps(dataset, videos), len(dataset.labels), weights)
        provenance, seen = run.provenance() | {"members": members}, seen_in(dataset, videos, run.start)
        card = read_text(folder / CARD, "a model card") if (folder / CARD).is_file() else None  # with what was added
        averaged = ensemble_of(predictors, match, common_rules(predictors))
        save_bundle(averaged, folder, provenance, seen=seen, card=card, force=True)


def common_rules(predictors: Sequence[Predictor]) -> Rules | None:
    """The rules of an ensemble, the median of each number over its networks; None without keypoints.

    Inner folds learn rules for each split, so these may differ.
    """
    every = [predictor.decoder.rules for predictor in predictors if isinstance(predictor.decoder, KeypointDecoder)]
    if not every:
        return None
    medians = {name: float(np.median([getattr(rules, name) for rules in every])) for name in Rules.model_fields}
    return Rules.model_validate(medians)


def common_weights(predictors: Sequence[Predictor]) -> MatchWeights | None:
    """What an ensemble's match weighs: the mean over the networks that match; None unless most of them do.

    The mean of terms that learning multiplies is the geometric one.
    """
    learnt = [predictor.decoder.match.weights for predictor in predictors if predictor.decoder.match is not None]
    if 2 * len(learnt) <= len(predictors):
        return None
    values = {name: np.array([getattr(weights, name) for weights in learnt]) for name in MatchWeights.model_fields}
    factors = set(TERMS) - {"cut"}
    means = {n: v.prod(0) ** (1 / len(v)) if n in factors else v.mean(0) for n, v in values.items()}
    return MatchWeights.model_validate({name: mean.tolist() for name, mean in means.items()})
