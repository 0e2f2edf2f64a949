"""An ensemble says the mean of what its networks say, decoded once, and is a bundle like any other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from keyseg.inference.bundle import load, name_digest, read_config, save_bundle
from keyseg.inference.decoders import FrameDecoder, Match
from keyseg.inference.decoding import Rules, propose_keypoints
from keyseg.inference.ensemble import ensemble_of
from keyseg.inference.predictor import Predictor
from keyseg.inference.systems import SYSTEMS
from keyseg.matching.alignment import MatchWeights
from keyseg.models.ms_tcn import MSTCN, MSTCNConfig
from keyseg.timeline import BundleError, LabelMap, Segmentation, TimeBase

MATCH = Match.to([Segmentation([0, 20, 47], [1, 2])], 3, MatchWeights())


@pytest.mark.parametrize("times", [2, 3, 7])
@pytest.mark.parametrize("options", [{}, {"refine": False}, {"match": MATCH}])
def test_a_network_averaged_with_itself_is_itself(
    times: int, options: Any, make_predictor: Any, features: Any, agree: Any
) -> None:
    one = make_predictor(**options)
    many = ensemble_of([make_predictor(**options) for _ in range(times)], one.decoder.match)
    assert len(many.networks) == times
    for variant in SYSTEMS["rtk"].titles:
        assert agree(many.predict(features, variant=variant), one.predict(features, variant=variant))


def test_the_mean_is_that_of_frames_heatmaps_and_refinement(make_predictor: Any, features: Any) -> None:
    parts = [make_predictor(seed=seed) for seed in (2, 5)]
    whole = ensemble_of(parts)
    said, outputs = whole.run(features), [part.run(features) for part in parts]
    for name in ("frames", "stages", "action", "boundary"):
        by_hand = sum(getattr(output, name).astype(np.float64) for output in outputs) / 2
        np.testing.assert_allclose(getattr(said, name), by_hand, rtol=1e-6)
        assert getattr(said, name).dtype == np.float32
        assert not np.array_equal(getattr(outputs[0], name), getattr(outputs[1], name))
    actions, boundaries = propose_keypoints(said.action, said.boundary, whole.decoder.proposals)
    np.testing.assert_array_equal(said.actions.time, actions.time)
    np.testing.assert_array_equal(said.boundaries.time, boundaries.time)
    assert len(said.refinement.keep_action) == len(actions) > 0
    flipped = ensemble_of(parts[::-1]).run(features)
    np.testing.assert_array_equal(flipped.refinement.classes, said.refinement.classes)


def test_all_networks_move_to_a_device(make_predictor: Any, features: Any) -> None:
    whole = ensemble_of([make_predictor(seed=seed) for seed in (2, 5)])
    with pytest.raises(RuntimeError, match="meta"):  # a device without numbers
        whole.predict(features, device="meta")
    assert all(parameter.is_meta for network in whole.networks for parameter in network.parameters())


def frame_predictor(seed: int, classes: int = 3) -> Predictor:
    import torch

    torch.manual_seed(seed)
    config = MSTCNConfig(channels=4, generator_layers=2, refinements=1, refinement_layers=2)
    labels = LabelMap(("background", "cut", "pour")[:classes])
    return Predictor(
        system="ms-tcn++",
        model=MSTCN(config, 11, classes),
        labels=labels,
        timebase=TimeBase(),
        decoder=FrameDecoder(),
    )


def test_frame_classifiers_are_averaged_too(features: Any) -> None:
    parts = [frame_predictor(seed) for seed in range(3)]
    whole = ensemble_of(parts)
    by_hand = np.mean([part.run(features).frames for part in parts], axis=0)
    np.testing.assert_allclose(whole.run(features).frames, by_hand, rtol=1e-6)
    labels = by_hand.argmax(0)
    assert whole.predict(features).segmentation == Segmentation.from_frames(labels)
    assert all(part.model.training for part in parts)  # as they were


def test_an_ensemble_is_saved_and_loaded_as_a_bundle(
    make_predictor: Any, features: Any, agree: Any, tmp_path: Path
) -> None:
    whole = ensemble_of([make_predictor(seed=seed) for seed in (2, 5, 6)], MATCH)
    folder = save_bundle(whole, tmp_path / "bundle", {}, seen=map(name_digest, "ab"))
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "weights.safetensors"]
    config = read_config(folder)
    assert (config.members, config.seen) == (3, tuple(sorted(map(name_digest, "ab"))))
    assert {name.split(".")[0] for name in load_file(folder / "weights.safetensors")} == {
        "member1",
        "member2",
        "member3",
    }
    loaded = load(folder)
    assert loaded.decoder.match == MATCH
    assert agree(loaded.predict(features), whole.predict(features))
    assert not any(network.training for network in loaded.networks)
    single = json.loads((save_bundle(make_predictor(), tmp_path / "single", {}) / "config.json").read_text())
    assert not {"members", "seen"} & set(single)  # as in bundles of 0.1.0


@pytest.mark.parametrize("members", [2, 4, 1000])
def test_another_number_of_members_than_there_are_is_refused(members: int, make_predictor: Any, tmp_path: Path) -> None:
    folder = save_bundle(ensemble_of([make_predictor(seed=s) for s in (2, 5, 6)]), tmp_path / "bundle", {})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"members": members}))
    with pytest.raises(BundleError, match="not the weights that config"):
        load(folder)


def test_weights_of_no_network_are_refused(make_predictor: Any, tmp_path: Path) -> None:
    folder = save_bundle(make_predictor(), tmp_path / "bundle", {})
    weights = load_file(folder / "weights.safetensors")
    save_file(weights | {"member1.extra": weights["head.out.bias"].clone()}, folder / "weights.safetensors")
    with pytest.raises(BundleError, match="not the weights that config"):
        load(folder)


def test_what_cannot_be_averaged_is_named(make_predictor: Any) -> None:
    with pytest.raises(BundleError, match="at least two networks, got 1"):
        ensemble_of([make_predictor()])
    for other, named in (
        ({"classes": 4}, "labels"),
        ({"sample_rate": 2}, "timebase"),
        ({"presampled": True}, "presampled"),
        ({"refine": False}, "decoder"),
    ):
        with pytest.raises(BundleError, match=f"networks that differ in {named} cannot be averaged"):
            ensemble_of([make_predictor(), make_predictor(**other)])
    with pytest.raises(BundleError, match=r"differ in system, .*network"):
        ensemble_of([make_predictor(), frame_predictor(0)])
    ensemble_of([make_predictor(), make_predictor(match=MATCH)])  # a match is not of the networks
    one, rules = make_predictor(), Rules(boundary_threshold=0.1)
    other = replace(one, decoder=one.decoder.changed(rules=rules))
    with pytest.raises(BundleError, match="differ in decoder"):
        ensemble_of([one, other])
    assert ensemble_of([one, other], rules=rules).decoder == other.decoder
    assert ensemble_of([frame_predictor(0), frame_predictor(1)], rules=rules).decoder == frame_predictor(0).decoder
