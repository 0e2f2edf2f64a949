"""Networks of several trainings as one predictor: what they say of a video is averaged, then decoded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from keyseg.inference.decoders import Decoder, KeypointDecoder, Match
from keyseg.inference.decoding import Rules
from keyseg.inference.predictor import Predictor
from keyseg.timeline import BundleError

_SHARED = ("system", "input_dim", "labels", "timebase", "orientation", "presampled", "origin")


def ensemble_of(predictors: Sequence[Predictor], match: Match | None = None, rules: Rules | None = None) -> Predictor:
    """One predictor of the networks of several, which are averaged.

    match: what its videos are matched to, in place of what each predictor has. rules: those of Algorithm 1, for systems
    with keypoints, in place of what each has; None where they have the same. The confidence of its segments is not
    calibrated, since each calibration was learnt for the probabilities of a single network. Raises BundleError if there
    are fewer than two, or if they differ in classes, features, time base, or in how they decode.

    >>> from keyseg.inference.systems import SYSTEMS
    >>> from keyseg.timeline import LabelMap, TimeBase
    >>> system, common = SYSTEMS["ms-tcn++"], {"labels": LabelMap(("background", "cut")), "timebase": TimeBase(10)}
    >>> networks = [system.network(system.config(channels=8), input_dim=16, classes=2) for _ in range(3)]
    >>> parts = [Predictor(system=system.name, model=n, decoder=system.decoder(), **common) for n in networks]
    >>> len(ensemble_of(parts).networks)
    3
    """
    if len(predictors) < 2:
        raise BundleError(f"an ensemble has at least two networks, got {len(predictors)}")
    first, decoders = predictors[0], [_decoder(predictor, match, rules) for predictor in predictors]
    for other, decoder in zip(predictors[1:], decoders[1:], strict=True):
        differing = [name for name in _SHARED if getattr(first, name) != getattr(other, name)]
        differing += ["network"] if first.model.config != other.model.config else []
        differing += ["decoder"] if decoder != decoders[0] else []
        if differing:
            raise BundleError(f"networks that differ in {', '.join(differing)} cannot be averaged; train them alike")
    networks = [network for predictor in predictors for network in predictor.networks]
    return replace(first, model=networks[0], others=tuple(networks[1:]), decoder=decoders[0], calibration=None)


def _decoder(predictor: Predictor, match: Match | None, rules: Rules | None) -> Decoder:
    decoder = predictor.decoder.changed(match=match)
    return decoder.changed(rules=rules) if rules and isinstance(decoder, KeypointDecoder) else decoder
