"""Networks of several trainings as one predictor: what they say of a video is averaged, then decoded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from keyseg.inference.confidence import Calibration
from keyseg.inference.decoders import Match
from keyseg.inference.predictor import Predictor
from keyseg.timeline import BundleError

_SHARED = ("system", "input_dim", "labels", "timebase", "orientation", "presampled", "origin")


def ensemble_of(
    predictors: Sequence[Predictor], match: Match | None = None, calibration: Calibration | None = None
) -> Predictor:
    """One predictor of the networks of several, which are averaged.

    match, calibration: what its videos are matched to, and how the confidence of its segments is calibrated, in place
    of what each predictor has. Raises BundleError if there are fewer
    than two, or if they differ in classes, features, time base, or in how they decode.

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
    first = predictors[0]
    for other in predictors[1:]:
        differing = [name for name in _SHARED if getattr(first, name) != getattr(other, name)]
        differing += ["network"] if first.model.config != other.model.config else []
        differing += ["decoder"] if first.decoder.changed(match=None) != other.decoder.changed(match=None) else []
        if differing:
            raise BundleError(f"networks that differ in {', '.join(differing)} cannot be averaged; train them alike")
    networks = [network for predictor in predictors for network in predictor.networks]
    decoder = first.decoder.changed(match=match)
    return replace(first, model=networks[0], others=tuple(networks[1:]), decoder=decoder, calibration=calibration)
