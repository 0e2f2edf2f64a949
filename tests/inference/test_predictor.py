"""The predictor: any way to hand over features comes to one timeline, and what cannot be read is refused in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from keyseg.inference.decoding import KeypointOutput, RefinementScores, Rules, decode
from keyseg.inference.systems import SYSTEMS
from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints
from keyseg.timeline import DataError, TimelineError

VARIANTS = tuple(SYSTEMS["rtk"].titles)


def test_arrays_and_files_of_either_orientation_come_to_the_same(
    make_predictor: Any, features: Any, agree: Any, tmp_path: Path
) -> None:
    predictor = make_predictor()
    wanted = predictor.predict(features)
    assert len(wanted.segmentation) > 2  # not a trivial timeline
    np.save(tmp_path / "TD.npy", features)
    np.save(tmp_path / "DT.npy", np.ascontiguousarray(features.T))
    np.save(tmp_path / "half.npy", features.astype(np.float16))
    for given_features in (features.T, tmp_path / "TD.npy", str(tmp_path / "DT.npy"), features.astype(np.float64)):
        assert agree(predictor.predict(given_features), wanted)
    assert agree(predictor.predict(tmp_path / "half.npy"), predictor.predict(features.astype(np.float16)))


@pytest.mark.parametrize("system", SYSTEMS)
def test_features_are_left_as_they_were(system: str, make_small: Any, features: Any) -> None:
    """The network may read the very memory of the array."""
    array = np.ascontiguousarray(features.T, np.float32)
    given_array = array.copy()
    make_small(system).predict(given_array)
    assert np.array_equal(given_array, array)
    given_array.flags.writeable = False  # as of a file that is mapped into memory
    assert make_small(system).predict(given_array).segmentation.length == len(features)


@pytest.mark.parametrize("orientation", ["DT", "TD"])
def test_square_features_are_read_as_in_training(
    orientation: Any, make_predictor: Any, features: Any, agree: Any, tmp_path: Path
) -> None:
    square = features[:11]
    assert square.shape == (11, 11)
    np.save(tmp_path / "square.npy", square)
    predictor = make_predictor(orientation=orientation)
    by_step = square if orientation == "TD" else square.T
    wanted = predictor.decode(predictor.run(by_step))
    assert agree(predictor.predict(square), wanted)
    assert agree(predictor.predict(tmp_path / "square.npy"), wanted)
    assert not agree(predictor.decode(predictor.run(by_step.T)), wanted)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_shortest_videos_have_a_timeline(variant: Any, steps: int, make_predictor: Any, features: Any) -> None:
    found = make_predictor().predict(features[:steps], variant=variant)
    assert found.segmentation.length == steps
    assert found.frame_scores.shape == (3, steps)
    assert len(found.frame_labels) == steps


def test_nothing_is_random_or_left_behind(make_predictor: Any, features: Any, agree: Any) -> None:
    """Also in training mode, in which the network drops channels: the predictor evaluates, then puts it back."""
    predictor = make_predictor()
    wanted = predictor.predict(features)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    predictor.model.train()
    assert agree(predictor.predict(features), wanted)
    assert predictor.model.training
    assert torch.equal(torch.get_rng_state(), state)
    with pytest.raises(DataError):
        predictor.predict(features[:, :4])
    assert predictor.model.training
    assert all(parameter.grad is None for parameter in predictor.model.parameters())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda x: x[:, :7],
            r"reads features of 11 dimensions, \(T, 11\), got shape \(47, 7\); .*another extractor",
        ),
        (lambda x: x[:, :0], r"reads features of 11 dimensions"),
        (lambda x: x.ravel(), r"reads features of 11 dimensions, \(T, 11\), got shape \(517,\)"),
        (lambda x: x[None], r"got shape \(1, 47, 11\)"),
        (lambda x: x[:0], "the features have no steps; a timeline needs at least one"),
        (lambda x: x[:0].T, "the features have no steps"),
        (
            lambda x: np.where(np.arange(47)[:, None] == 13, np.nan, x),
            "NaN or infinite values, first at step 13; extract",
        ),
        (lambda x: np.where(np.arange(47)[:, None] == 46, -np.inf, x), "NaN or infinite values, first at step 46"),
        (lambda x: x.astype(np.float64) * 1e300, "NaN or infinite values, first at step 0"),
        (lambda x: x + 1j, "real numbers, got an array of complex"),
        (lambda x: x.astype(str), "real numbers, got an array of <U"),
        (lambda x: x.astype(object), "real numbers, got an array of object"),
    ],
)
def test_arrays_that_are_no_features_are_refused(
    change: Callable[[Any], Any], words: str, make_predictor: Any, features: Any
) -> None:
    with pytest.raises(DataError, match=words):
        make_predictor().predict(change(features))


def test_files_that_are_no_features_are_refused_by_name(make_predictor: Any, features: Any, tmp_path: Path) -> None:
    predictor = make_predictor()
    np.save(tmp_path / "wrong.npy", features[:, :7])
    np.save(tmp_path / "integers.npy", features.astype(np.int64))
    np.save(tmp_path / "flat.npy", features.ravel())
    np.save(tmp_path / "empty.npy", features[:0])
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "text.npy").write_text("no array")
    for name in ("wrong", "integers", "flat", "empty", "objects", "text", "missing"):
        with pytest.raises(DataError, match=rf"{name}\.npy"):
            predictor.predict(tmp_path / f"{name}.npy")
    for name, words in (("absent.mp4", "no such file"), ("", "a folder; predict one file")):
        with pytest.raises(DataError, match=rf"{name}: {words}"):
            predictor.predict(tmp_path / name)


def test_frames_is_the_length_of_the_timeline(make_predictor: Any, features: Any) -> None:
    predictor = make_predictor(sample_rate=4)
    assert predictor.predict(features).segmentation.length == 47  # a column a frame
    assert predictor.predict(features, frames=46).segmentation.length == 46  # 12 steps as well
    with pytest.raises(TimelineError, match="49 frames at sample_rate 4 make 13 steps, got 12"):
        predictor.predict(features, frames=49)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_sample_rate_samples_the_features_and_spreads_the_labels(
    variant: Any, make_predictor: Any, features: Any, agree: Any
) -> None:
    full, sampled = make_predictor(sample_rate=3), make_predictor(sample_rate=3, presampled=True)
    steps = features[::3]
    assert len(steps) == 16
    output = full.run(steps)
    wanted = full.decode(output, frames=47, variant=variant)
    assert agree(full.predict(features, variant=variant), wanted)
    assert agree(sampled.predict(steps, frames=47, variant=variant), wanted)
    whole = sampled.predict(steps, variant=variant)
    assert whole.segmentation.length == 48
    assert whole.frame_labels[:47] == wanted.frame_labels
    by_step = np.array(wanted.frame_labels)
    assert all((by_step[3 * i : 3 * i + 3] == by_step[3 * i]).all() for i in range(16))


def test_variants_are_parts_of_the_system(make_predictor: Any, features: Any) -> None:
    predictor = make_predictor()
    found = {variant: predictor.predict(features, variant=variant) for variant in VARIANTS}
    assert len({tuple(prediction.frame_labels) for prediction in found.values()}) == 4
    output = predictor.run(features)
    names = predictor.labels.decode
    assert found["frame-wise"].frame_labels == names(output.frames.argmax(0))
    assert found["rtk-no-rules"].frame_labels == names(output.action.argmax(0))
    plain = decode(output, predictor.decoder.rules, refine=False).segmentation
    assert found["rtk-no-refinement"].frame_labels == names(plain.to_frames())
    full = decode(output, predictor.decoder.rules, refine=True).segmentation
    assert found["rtk"].frame_labels == names(full.to_frames())
    for prediction in found.values():
        actions, boundaries = prediction.proposals
        assert np.array_equal(actions.time, output.actions.time)
        assert np.array_equal(boundaries.time, output.boundaries.time)


def test_without_refinement_the_full_system_is_the_plain_one(make_predictor: Any, features: Any, agree: Any) -> None:
    predictor = make_predictor(refine=False)
    assert predictor.run(features).refinement is None
    assert agree(predictor.predict(features), predictor.predict(features, variant="rtk-no-refinement"))


keypoint_counts = st.integers(0, 12)


@given(st.integers(1, 40), keypoint_counts, keypoint_counts, st.integers(0, 2**32 - 1), st.booleans())
def test_decoding_covers_every_step_whatever_the_network_says(
    steps: int, actions: int, boundaries: int, seed: int, refine: bool
) -> None:
    random = np.random.default_rng(seed)
    time = lambda count: np.sort(random.uniform(0, steps, count))  # noqa: E731
    found = ActionKeypoints(time(actions), random.integers(0, 3, actions), random.random(actions))
    edges = BoundaryKeypoints(time(boundaries), random.random(boundaries))
    shifted = np.sort(edges.time + random.normal(0, 8, boundaries))
    refinement = RefinementScores(
        random.random(actions), random.random(boundaries), random.dirichlet([1, 1, 1], actions), shifted
    )
    maps = (
        random.random((3, steps), np.float32),
        random.random((2, 3, steps), np.float32),
        random.random((3, steps), np.float32),
        random.random(steps, np.float32),
    )
    output = KeypointOutput(*maps, found, edges, refinement)
    thresholds = {f"{kind}_threshold": float(random.random()) * 0.9 for kind in ("action", "boundary", "keep")}
    decoded = decode(output, Rules(**thresholds, context_weight=1.0), refine=refine)
    assert decoded.segmentation.length == steps
    assert set(decoded.segmentation.labels) <= {0, 1, 2}
    assert len(decoded.actions) <= actions
    assert (decoded.actions.confidence >= thresholds["action_threshold"]).all()
    assert (decoded.boundaries.confidence >= thresholds["boundary_threshold"]).all()
