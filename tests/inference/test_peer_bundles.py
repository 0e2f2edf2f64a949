"""Bundles of MS-TCN++, ASFormer, ASFormer + extra and BCN, RTK's of the program before, and what only RTK can do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from keyseg.inference.bundle import load, read_config, save_bundle
from keyseg.inference.decoders import FrameDecoder, Match
from keyseg.inference.decoding import NetworkOutput
from keyseg.inference.prediction import KeypointPrediction, Prediction
from keyseg.inference.predictor import Predictor
from keyseg.inference.systems import SYSTEMS
from keyseg.matching.alignment import MatchWeights
from keyseg.timeline import BundleError, ConfigError, LabelMap, Segmentation, TimeBase

DIMENSION = 11
ASFORMER = {"channels": 8, "encoder_layers": 2, "decoder_layers": 2, "decoders": 1}
NETWORKS: dict[str, dict[str, Any]] = {
    "ms-tcn++": {"channels": 8, "generator_layers": 3, "refinements": 1, "refinement_layers": 2},
    "asformer": ASFORMER,
    "asformer-extra": ASFORMER,
    "bcn": {
        "channels": 8,
        "cascade_stages": 2,
        "layers": 2,
        "fusion_channels": 8,
        "barrier": {"channels": 8, "dilations": (1, 2)},
        "output_pooling": {"width": 9, "alpha": 0.5},
        "smoothing": {"width": 3, "alpha": 2.0},
    },
}
PEERS = tuple(NETWORKS)


def make_peer(
    system: str, *, sample_rate: int = 1, seed: int = 6, match: Match | None = None, **options: Any
) -> Predictor:
    """Predictor of 11 channels and four classes, whose weights are large enough to tell steps apart."""
    torch.manual_seed(seed)
    labels = LabelMap(("background", "cut", "pour", "stir"), ("background",))
    sizes = SYSTEMS[system].config.model_validate(NETWORKS[system])
    network = SYSTEMS[system].network(sizes, DIMENSION, len(labels)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.3 * torch.randn(parameter.shape)
    timebase = TimeBase(Fraction(30000, 1001), sample_rate)
    decoder = FrameDecoder(match=match)
    return Predictor(system=system, model=network, labels=labels, timebase=timebase, decoder=decoder, **options)


@pytest.fixture
def features() -> np.ndarray:
    """47 steps of 11 channels, (T, D), in six parts that look different."""
    rng = np.random.default_rng(3)
    parts = np.repeat(3 * rng.normal(size=(6, DIMENSION)), (9, 8, 7, 10, 6, 7), axis=0)
    return np.float32(parts + 0.3 * rng.normal(size=parts.shape))


def same(one: Prediction, other: Prediction) -> bool:
    return (
        one.segmentation == other.segmentation
        and one.labels == other.labels
        and one.timebase == other.timebase
        and np.array_equal(one.frame_scores, other.frame_scores)
        and np.array_equal(one.stages, other.stages)
    )


@pytest.mark.parametrize(
    "options", [{}, {"sample_rate": 3, "presampled": True}, {"orientation": "TD", "sample_rate": 2}], ids=str
)
@pytest.mark.parametrize("system", PEERS)
def test_a_loaded_bundle_predicts_the_same(
    system: str, options: dict[str, Any], features: np.ndarray, tmp_path: Path
) -> None:
    predictor = make_peer(system, **options)
    loaded = load(save_bundle(predictor, tmp_path / "bundle", {"command": "keyseg train"}))
    assert same(loaded.predict(features), predictor.predict(features))
    assert len(loaded.predict(features).segmentation) > 1
    for name in ("labels", "timebase", "input_dim", "decoder", "orientation", "presampled", "variants"):
        assert getattr(loaded, name) == getattr(predictor, name), name
    assert loaded.model.config == predictor.model.config
    assert type(loaded.model.config) is SYSTEMS[system].config
    assert not loaded.model.training
    assert not same(make_peer(system, **options, seed=1).predict(features), predictor.predict(features))


@pytest.mark.parametrize("system", PEERS)
def test_the_config_names_the_system_and_has_nothing_of_rtk(system: str, tmp_path: Path) -> None:
    folder = save_bundle(make_peer(system), tmp_path / "bundle", {})
    config = json.loads((folder / "config.json").read_text())
    assert (config["format"], config["version"], config["model"]) == ("keyseg-bundle", 3, system)
    assert set(config["network"]) == set(SYSTEMS[system].config.model_fields)
    assert config["decoder"] == {"kind": "frames"}
    read = read_config(folder)
    assert read.network == SYSTEMS[system].config.model_validate(NETWORKS[system])
    assert read.decoder == FrameDecoder()


@pytest.mark.parametrize("system", PEERS)
def test_a_match_comes_back_and_counts(system: str, features: np.ndarray, tmp_path: Path) -> None:
    match = Match.to([Segmentation([0, 9, 30, 47], [3, 0, 1])], 4, MatchWeights(cut=-0.5))
    taught = make_peer(system, match=match)
    loaded = load(save_bundle(taught, tmp_path / "bundle", {}))
    assert loaded.decoder.match == match
    found = loaded.predict(features)
    assert same(found, taught.predict(features))
    assert found.alignment is not None
    assert found.segmentation == found.alignment.segmentation
    assert not same(found, make_peer(system).predict(features))


@pytest.mark.parametrize("length", [1, 2, 47])
@pytest.mark.parametrize("system", PEERS)
def test_a_prediction_is_the_argmax_of_the_probabilities(system: str, length: int, features: np.ndarray) -> None:
    predictor = make_peer(system)
    prediction = predictor.predict(features[:length])
    assert type(prediction) is Prediction
    assert prediction.frame_scores.shape == (4, length)
    assert prediction.stages.shape[1:] == (4, length)
    np.testing.assert_allclose(prediction.frame_scores.sum(0), 1, atol=1e-3)
    assert prediction.segmentation == Segmentation.from_frames(prediction.frame_scores.argmax(0))
    assert prediction.frame_labels == [predictor.labels.names[i] for i in prediction.frame_scores.argmax(0)]
    with torch.no_grad():
        output = predictor.model(torch.from_numpy(features[:length].T.copy())[None])
    np.testing.assert_array_equal(prediction.frame_scores, output.probabilities[0])
    np.testing.assert_array_equal(prediction.stages, output.stages[:, 0])


def test_segments_follow_the_probabilities_and_not_the_last_stage() -> None:
    """BCN's probabilities are smoothed after the last stage. Of two equal probabilities the first class counts."""
    frames = np.float32([[0.9, 0.5, 0.1, 0.2], [0.1, 0.5, 0.9, 0.8]])
    reading = NetworkOutput(frames, np.float32([1 - frames, 1 - frames]))
    decoded = FrameDecoder().segments(reading)
    assert decoded.segmentation == Segmentation.from_frames([0, 0, 1, 1])
    assert (len(decoded.actions.time), len(decoded.boundaries.time)) == (0, 0)


@pytest.mark.parametrize("system", PEERS)
def test_a_network_in_training_predicts_without_dropout_and_goes_on_training(system: str, features: np.ndarray) -> None:
    predictor = make_peer(system)
    expected = predictor.predict(features)
    predictor.model.train()
    assert same(predictor.predict(features), expected)
    assert predictor.model.training


@pytest.mark.parametrize("system", PEERS)
def test_timelines_are_in_frames(system: str, features: np.ndarray) -> None:
    slow = make_peer(system, sample_rate=3)
    steps = slow.predict(features)
    assert steps.segmentation.length == 47
    assert steps.frame_scores.shape == (4, 16)
    assert same(slow.predict(features.T), steps)
    assert slow.predict(features, frames=46).segmentation.length == 46
    presampled = make_peer(system, sample_rate=3, presampled=True)
    assert presampled.predict(features).segmentation.length == 3 * 47
    assert (
        presampled.predict(features, frames=140).frame_labels[::3] == make_peer(system).predict(features).frame_labels
    )


def test_keypoints_are_rtk_s_alone(make_predictor: Any, features: np.ndarray) -> None:
    assert isinstance(make_predictor().predict(features), KeypointPrediction)
    assert tuple(SYSTEMS["rtk"].titles) == make_predictor().variants
    for system in PEERS:
        predictor = make_peer(system)
        assert not isinstance(predictor.predict(features), KeypointPrediction)
        assert tuple(SYSTEMS[system].titles) == predictor.variants == (system,)


@pytest.mark.parametrize("system", PEERS)
def test_only_rtk_has_heatmaps_and_keypoints(system: str, make_predictor: Any, features: np.ndarray) -> None:
    assert make_predictor().run_keypoints(features).action.shape == (3, 47)
    with pytest.raises(ConfigError, match=f"{re.escape(system)} has no heatmaps and keypoints; name a bundle of rtk"):
        make_peer(system).run_keypoints(features)


def test_an_unknown_variant_is_named_with_those_there_are(make_predictor: Any, features: np.ndarray) -> None:
    assert same(make_peer("bcn").predict(features, variant="bcn"), make_peer("bcn").predict(features))
    for predictor, variant, words in (
        (make_peer("bcn"), "rtk", r"unknown variant 'rtk'; there are bcn$"),
        (
            make_peer("asformer"),
            "asformr",
            r"unknown variant 'asformr' \(did you mean 'asformer'\?\); there are asformer$",
        ),
        (make_peer("asformer"), "frame-wise", "unknown variant 'frame-wise'; there are asformer$"),
        (make_predictor(), "bcn", "unknown variant 'bcn'; there are rtk, rtk-no-refinement, rtk-no-rules, frame-wise$"),
        (make_predictor(), "", "unknown variant ''"),
    ):
        with pytest.raises(ConfigError, match=words) as caught:
            predictor.predict(features, variant=variant)
        assert caught.value.exit_code == 2


def changed(**values: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A config with other values of some keys; None deletes one."""
    return lambda config: {key: value for key, value in (config | values).items() if value is not None}


def with_network(**values: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A config with other sizes of its network."""
    return lambda config: config | {"network": config["network"] | values}


DAMAGES: dict[str, tuple[str, Callable[[dict[str, Any]], dict[str, Any]], str]] = {
    "unknown model": (
        "bcn",
        changed(model="bnc"),
        r"model: .*no system 'bnc' \(did you mean 'bcn'\?\); known: ms-tcn",
    ),
    "another kind of model": ("bcn", changed(model=3), "model: Input should be a valid string"),
    "a model without a name": ("asformer", changed(model=""), "model: .*no system ''"),
    "RTK's decoder": ("ms-tcn++", changed(decoder={"kind": "keypoints"}), "decoder[.]kind: Input should be 'frames'"),
    "one of RTK's rules": (
        "asformer",
        changed(decoder={"kind": "frames", "rules": {}}),
        "decoder[.]rules: Extra inputs are not permitted",
    ),
    "no decoder": ("rtk", changed(decoder=None), "decoder: Field required"),
    "another decoder for rtk": ("rtk", changed(decoder={"kind": "frames"}), "decoder[.]kind: Input should be 'key"),
    "rules out of range": (
        "rtk",
        changed(decoder={"kind": "keypoints", "rules": {"keep_threshold": 2}}),
        "decoder[.]rules[.]keep_threshold: Input should be less than or equal to 1",
    ),
    "a peer's network for rtk": (
        "asformer",
        changed(model="rtk", decoder={"kind": "keypoints"}),
        r"network[.]channels: Extra inputs are not",
    ),
    "rtk's network for a peer": ("rtk", changed(model="bcn"), r"network[.]backbone: Extra inputs are not permitted"),
    "BCN's for ASFormer": (
        "bcn",
        changed(model="asformer"),
        r"network[.]cascade_stages: Extra inputs are not permitted",
    ),
    "no model": ("bcn", changed(model=None), "model: Field required"),
    "no network": ("bcn", changed(network=None), "network: Field required"),
    "no sizes": ("bcn", changed(network=7), "network: Input should be a valid dictionary"),
    "a list of sizes": ("ms-tcn++", changed(network=[]), "network: Input should be a valid dictionary"),
    "a size too much": ("ms-tcn++", with_network(layers=3), r"network[.]layers: Extra inputs are not permitted"),
    "a size out of range": (
        "asformer",
        with_network(channels=7),
        r"network[.]channels: Input should be a multiple of 2",
    ),
    "deep within": (
        "bcn",
        with_network(inner_pooling={"width": 4, "alpha": 1}),
        r"network[.]inner_pooling[.]width: .*even",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_config_that_is_not_right_is_named_with_the_key(damage: str, make_predictor: Any, tmp_path: Path) -> None:
    system, change, words = DAMAGES[damage]
    predictor = make_predictor() if system == "rtk" else make_peer(system)
    folder = save_bundle(predictor, tmp_path / "bundle", {})
    file = folder / "config.json"
    file.write_text(json.dumps(change(json.loads(file.read_text()))))
    with pytest.raises(BundleError, match=words) as caught:
        load(folder)
    assert str(caught.value).startswith(f"{file}: not a bundle that keyseg ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("system", "size", "value"),
    [
        ("ms-tcn++", "generator_layers", 4),
        ("asformer", "decoders", 2),
        ("asformer-extra", "channels", 4096),
        ("bcn", "layers", 16),
    ],
)
def test_sizes_that_the_weights_do_not_bear_out_are_refused(system: str, size: str, value: int, tmp_path: Path) -> None:
    folder = save_bundle(make_peer(system), tmp_path / "bundle", {})
    file = folder / "config.json"
    file.write_text(json.dumps(with_network(**{size: value})(json.loads(file.read_text()))))
    with pytest.raises(BundleError, match=r"weights\.safetensors: not the weights that config\.json describes"):
        load(folder)


@pytest.mark.parametrize(("system", "other"), [("asformer", "asformer-extra"), ("asformer-extra", "asformer")])
def test_weights_of_a_system_with_other_modules_are_refused(system: str, other: str, tmp_path: Path) -> None:
    folder, theirs = (save_bundle(make_peer(name), tmp_path / name, {}) for name in (system, other))
    (folder / "weights.safetensors").write_bytes((theirs / "weights.safetensors").read_bytes())
    with pytest.raises(BundleError, match=r"describes \((Missing|Unexpected) key\(s\) in state_dict"):
        load(folder)
