"""The trained folds of a run as one bundle: their networks are averaged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keyseg.data.folders import claimed
from keyseg.inference.bundle import load, read_config, save_bundle
from keyseg.inference.decoders import Match
from keyseg.inference.ensemble import ensemble_of
from keyseg.inference.predictor import Predictor
from keyseg.matching.alignment import MatchWeights
from keyseg.matching.lattice import TERMS
from keyseg.training.fit import annotations_in_steps
from keyseg.training.run import Run


def save_ensemble(run: Run) -> None:
    """Write RUN/ensemble/bundle if all folds are trained, and it does not average just these already."""
    fits, folder = run.fits(), run.ensemble_bundle
    members = ", ".join(fit.name for fit in fits)
    if not all(fit.is_finished for fit in fits):
        return
    with claimed(folder.parent) as mine:
        if not mine or (folder.exists() and read_config(folder).provenance.get("members") == members):
            return
        predictors, dataset = [load(fit.bundle) for fit in fits], fits[0].dataset
        videos = tuple(dict.fromkeys(name for fit in fits for name in dataset.names(fit.split, "train")))
        seen = run.start.videos_with(videos) if run.start else videos
        weights = common_weights(predictors)
        match = None
        if weights is not None:
            match = Match.to(annotations_in_steps(dataset, videos), len(dataset.labels), weights)
        provenance = run.provenance() | {"members": members}
        save_bundle(ensemble_of(predictors, match), folder, provenance, videos=seen, force=True)


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
