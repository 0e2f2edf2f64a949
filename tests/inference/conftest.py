"""A tiny network with random weights, and all it needs to predict."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from keyseg.inference.decoders import KeypointDecoder
from keyseg.inference.decoding import ProposalConfig, Rules
from keyseg.inference.predictor import Predictor
from keyseg.inference.systems import SYSTEMS
from keyseg.models.backbone import BackboneConfig
from keyseg.models.refinement import RefinementConfig
from keyseg.models.rtk import RTK, RTKConfig
from keyseg.timeline import LabelMap, TimeBase

torch.set_num_threads(1)
DIMENSION = 11
NETWORK = RTKConfig(
    backbone=BackboneConfig(channels=8, encoder_layers=2, decoder_layers=2),
    refinement=RefinementConfig(channels=16, layers=1),
)


@pytest.fixture(scope="session")
def make_predictor() -> Callable[..., Predictor]:
    """Predictors of 11 channels and three classes; options as of Predictor, and sample_rate, seed and classes."""

    def make(
        *, sample_rate: int = 1, seed: int = 2, classes: int = 3, network: RTKConfig = NETWORK, **options: Any
    ) -> Predictor:
        torch.manual_seed(seed)
        labels = LabelMap(("background", "cut", "pour", "stir")[:classes], ("background",))
        model = RTK(network, DIMENSION, classes).eval()
        with torch.no_grad():  # heatmaps away from their start, so that keypoints are found
            for parameter in model.parameters():
                parameter += 0.3 * torch.randn(parameter.shape)
        rules = Rules(
            action_threshold=0.02, boundary_threshold=0.02, keep_threshold=0.1, frame_weight=1.0, context_weight=1.0
        )
        parts: dict[str, Any] = {"proposals": ProposalConfig(limit=50), "rules": rules, "refine": True}
        named = {"match", *parts} & set(options)
        decoder = KeypointDecoder(**parts | {name: options.pop(name) for name in named})
        timebase = TimeBase(Fraction(30000, 1001), sample_rate)
        return Predictor(system="rtk", model=model, labels=labels, timebase=timebase, decoder=decoder, **options)

    return make


SMALL: dict[str, dict[str, Any]] = {
    "ms-tcn++": {"channels": 8, "generator_layers": 2, "refinements": 1, "refinement_layers": 2},
    "bcn": {"channels": 8, "cascade_stages": 1, "layers": 2, "fusion_channels": 8},
    "asformer": {"channels": 8, "encoder_layers": 2, "decoder_layers": 2},
    "asformer-extra": {"channels": 8, "encoder_layers": 2, "decoder_layers": 2},
    "rtk": NETWORK.model_dump(),
}


@pytest.fixture(scope="session")
def make_small() -> Callable[[str], Predictor]:
    """A tiny predictor of any system, of 11 channels and three classes."""

    def make(name: str) -> Predictor:
        torch.manual_seed(0)
        system, labels = SYSTEMS[name], LabelMap(("background", "cut", "pour"), ("background",))
        network = system.network(system.config(**SMALL[name]), DIMENSION, len(labels)).eval()
        return Predictor(system=name, model=network, labels=labels, timebase=TimeBase(10), decoder=system.decoder())

    return make


@pytest.fixture
def features() -> np.ndarray:
    """47 steps of 11 channels, (T, D)."""
    return np.random.default_rng(3).normal(size=(47, DIMENSION)).astype(np.float32)


def same_prediction(one: Any, other: Any) -> bool:
    """Whether two predictions say the same to the last bit."""
    maps = ("frame_scores", "action_heatmap", "boundary_heatmap")
    return (
        one.frame_labels == other.frame_labels
        and one.timebase == other.timebase
        and one.labels == other.labels
        and all(np.array_equal(getattr(one, name), getattr(other, name)) for name in maps)
        and all(
            np.array_equal(a.time, b.time) and np.array_equal(a.confidence, b.confidence)
            for kind in ("proposals", "refined")
            for a, b in zip(getattr(one, kind), getattr(other, kind), strict=True)
        )
    )


@pytest.fixture
def agree() -> Callable[[Any, Any], bool]:
    return same_prediction
