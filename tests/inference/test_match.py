"""Segments by matching to annotations: of RTK and of frame-wise networks, and the parts of a system without it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from keyseg.inference.decoders import FrameDecoder, KeypointDecoder, Match
from keyseg.inference.decoding import (
    KeypointOutput,
    NetworkOutput,
    ProposalConfig,
    RefinementScores,
    lattice_of,
    match,
    propose_keypoints,
)
from keyseg.matching.alignment import MatchWeights
from keyseg.matching.annotation_graph import AnnotationGraph
from keyseg.timeline import Segmentation

ORDER = Segmentation([0, 10, 20, 30, 40], [0, 1, 2, 3])
GRAPH = AnnotationGraph.of([ORDER, ORDER], 4)
TAUGHT = Match.to([ORDER, ORDER], 4, MatchWeights())


def frame_output(wrong: tuple[float, ...] = (0.62, 0.1, 0.18, 0.1)) -> NetworkOutput:
    """The order, but for its third segment, where the probabilities are `wrong`."""
    frames = np.full((4, 40), 0.1, np.float32)
    frames[ORDER.to_frames(), np.arange(40)] = 0.7
    frames[:, 20:30] = np.array(wrong)[:, None]
    return NetworkOutput(frames, frames[None])


def keypoint_output(refinement: RefinementScores | None = None) -> KeypointOutput:
    """The same by RTK: an action keypoint in each segment, in the third of class 0 and, weaker, of class 2."""
    frames = frame_output().frames
    action, boundary = np.zeros((4, 40), np.float32), np.zeros(40, np.float32)
    action[[0, 1, 0, 2, 3], [5, 15, 25, 24, 35]] = 0.8, 0.8, 0.5, 0.3, 0.8
    boundary[[10, 20, 30, 33]] = 0.8, 0.8, 0.8, 0.06  # the last one is false
    actions, boundaries = propose_keypoints(action, boundary, ProposalConfig())
    return KeypointOutput(frames, frames[None], action, boundary, actions, boundaries, refinement)


def test_frame_scores_alone_are_matched() -> None:
    found = match(frame_output(), GRAPH, MatchWeights())
    assert found.segmentation.labels.tolist() == [0, 1, 2, 3]
    assert found.segmentation == ORDER
    assert found.boundaries.time.tolist() == [10, 20, 30]
    assert found.boundaries.confidence == pytest.approx([0.6, 0.6, 0.52], abs=0.1)
    assert len(found.actions) == 0
    assert found.alignment is not None
    assert found.alignment.position.tolist() == [0, 1, 2, 3]


def test_keypoints_are_matched_and_those_that_agree_are_kept() -> None:
    found = match(keypoint_output(), GRAPH, MatchWeights())
    assert found.segmentation == ORDER
    assert found.boundaries.time.tolist() == [10, 20, 30]
    assert found.boundaries.confidence == pytest.approx([0.8, 0.8, 0.8])
    assert list(zip(found.actions.time, found.actions.label, strict=True)) == [(5, 0), (15, 1), (24, 2), (35, 3)]
    assert found.alignment is not None
    assert found.alignment.cuts.tolist() == [0, 10, 20, 30, 40]


def test_action_keypoints_speak_for_their_class() -> None:
    free = MatchWeights(frames=0, mean=0, moves=(0, 0, 0, 0), switch=0, jump=1, opening=0, closing=0)
    found = match(keypoint_output(), GRAPH, free)
    assert found.segmentation.labels.tolist() == [0, 1, 0, 3]


def test_a_match_reads_the_proposals_whatever_the_heads_say() -> None:
    plain = keypoint_output()
    nothing = np.zeros(len(plain.actions))
    heads = RefinementScores(
        nothing, np.zeros(len(plain.boundaries)), np.eye(4)[plain.actions.label], plain.boundaries.time + 2
    )
    found, before = lattice_of(keypoint_output(heads), GRAPH), lattice_of(plain, GRAPH)
    assert found.times.tolist() == before.times.tolist()
    assert set(plain.boundaries.time.astype(int)) <= set(before.times.tolist())
    assert found.actions[-1] == pytest.approx([1.3, 0.8, 0.3, 0.8])


def test_a_decoder_matches_the_full_system_only() -> None:
    output = keypoint_output()
    decoder, plain = KeypointDecoder(match=TAUGHT), KeypointDecoder()
    found = decoder.segments(output)
    assert found.segmentation == match(output, GRAPH, MatchWeights()).segmentation
    assert found.alignment is not None
    for part in decoder.PARTS:
        without = decoder.segments(output, part)
        assert without.alignment is None
        assert without.segmentation == plain.segments(output, part).segmentation
    assert plain.segments(output).alignment is None
    frames = frame_output()
    assert FrameDecoder(match=TAUGHT).segments(frames).segmentation == ORDER
    assert FrameDecoder().segments(frames).segmentation.labels.tolist() == [0, 1, 0, 3]


def test_the_weights_of_the_match_count() -> None:
    free = MatchWeights(moves=(0, 0, 0, 0), switch=0, jump=1, opening=0, closing=0)
    found = FrameDecoder(match=Match.to([ORDER], 4, free)).segments(frame_output())
    assert found.segmentation.labels.tolist() == [0, 1, 0, 3]


def test_a_match_keeps_annotations_but_for_empty_ones() -> None:
    repeated = Segmentation([0, 3, 5, 9], [1, 1, 0])  # equal neighbours stay two segments
    kept = Match.to(iter([ORDER, Segmentation([0], []), repeated]), 4, MatchWeights())
    assert [(a.labels, a.lengths) for a in kept.annotations] == [
        ((0, 1, 2, 3), (10, 10, 10, 10)),
        ((1, 1, 0), (3, 2, 4)),
    ]
    expected = AnnotationGraph.of([ORDER, repeated], 4)
    for name in ("labels", "position", "size", "annotation", "log_mean", "log_deviation"):
        assert np.array_equal(getattr(kept.graph, name), getattr(expected, name)), name
    assert kept.graph is kept.graph  # made once
    again = Match.model_validate_json(kept.model_dump_json())
    assert again == Match.to([ORDER, repeated], 4, MatchWeights())


def test_a_class_outside_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"an annotation refers to class 3, outside 0\.\.2"):
        Match.to([ORDER], 3, MatchWeights())


def test_a_prediction_says_what_it_was_aligned_to(make_predictor: Any, features: np.ndarray) -> None:
    taught = Match.to([Segmentation([0, 10, 30, 47], [0, 2, 1])], 3, MatchWeights())
    predictor = make_predictor(refine=False, match=taught, sample_rate=2, presampled=True)
    found = predictor.predict(features, frames=93)
    assert found.alignment.cuts[-1] == 47  # in steps
    assert found.segmentation.length == 93
    assert found.segmentation.to_frames()[::2].tolist() == found.alignment.segmentation.to_frames().tolist()
    for variant in predictor.variants[1:]:
        assert predictor.predict(features, frames=93, variant=variant).alignment is None
    assert make_predictor(refine=False).predict(features).alignment is None


@given(st.integers(0, 60), st.integers(1, 4), st.booleans(), st.integers(0, 2**32 - 1))
def test_whatever_a_network_says_every_step_is_covered(steps: int, classes: int, keypoints: bool, seed: int) -> None:
    random = np.random.default_rng(seed)
    frames = random.dirichlet(np.full(classes, 0.3), steps).T.astype(np.float32)
    output = NetworkOutput(frames, frames[None])
    if keypoints:
        action, boundary = random.random((classes, steps), np.float32), random.random(steps, np.float32)
        output = KeypointOutput(
            frames, frames[None], action, boundary, *propose_keypoints(action, boundary, ProposalConfig())
        )
    labels = random.integers(0, classes, 6)
    graph = AnnotationGraph.of([Segmentation(np.arange(7) * 3, labels)], classes)
    found = match(output, graph, MatchWeights())
    assert found.segmentation.length == steps
    assert (np.diff(found.segmentation.labels) != 0).all()
    assert found.boundaries.time.tolist() == found.segmentation.boundaries[1:-1].tolist()
    if len(found.actions):
        assert (found.segmentation.to_frames()[found.actions.time.astype(int)] == found.actions.label).all()
