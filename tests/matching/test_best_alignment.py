"""The best path through segments and nodes, against every segmentation and every path of nodes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from keyseg.keypoints import BoundaryKeypoints
from keyseg.matching import alignment
from keyseg.matching.alignment import MOVES, Alignment, MatchWeights, align
from keyseg.matching.annotation_graph import AnnotationGraph
from keyseg.matching.lattice import TERMS, Lattice
from keyseg.timeline import Segmentation


def annotation(labels: list[int], length: int = 10) -> Segmentation:
    return Segmentation(length * np.arange(len(labels) + 1), labels)


def random_lattice(random: np.random.Generator, sequences: list[list[int]], classes: int, cuts: int) -> Lattice:
    """Cuts, frame scores and keypoints without any order, of annotations whose durations differ."""
    annotations = [Segmentation(np.cumsum([0, *random.integers(1, 9, len(s))]), s) for s in sequences]
    times = np.concatenate(([0], np.cumsum(random.integers(1, 9, cuts)))).astype(np.int64)
    scores = random.dirichlet(np.full(classes, 0.3), times[-1])
    frames = np.concatenate((np.zeros((1, classes)), scores.cumsum(0)))[times]
    actions = np.concatenate((np.zeros((1, classes)), (random.random((cuts, classes)) ** 4).cumsum(0)))
    confidence = np.concatenate(([1.0], random.random(cuts - 1), [1.0]))
    return Lattice(AnnotationGraph.of(annotations, classes), times, confidence, frames, actions)


def steps_between_nodes(graph: AnnotationGraph, weights: MatchWeights) -> np.ndarray:
    """(N, N) log probability of the likeliest step from each node to each other."""
    real = [node for node in range(len(graph)) if graph.annotation[node] >= 0]
    chance = np.zeros((len(graph), len(graph)))
    for here, there in itertools.product(range(len(graph)), repeat=2):
        ways = [weights.jump * (0.5 / len(real) if there in real else 0.5 / graph.classes)]
        if here in real and graph.annotation[here] == graph.annotation[there]:
            distance = graph.position[there] - graph.position[here]
            ways += [share for move, share in zip(MOVES, weights.moves, strict=True) if move == distance]
        followers = [node for node in real if node - 1 in real and graph.position[node] > 0]
        followers = [node for node in followers if graph.labels[node - 1] == graph.labels[here]]
        if there in followers:
            ways.append(weights.switch / len(followers))
        chance[here, there] = max(ways)
    with np.errstate(divide="ignore"):
        return np.log(chance)


def ends(graph: AnnotationGraph, weights: MatchWeights) -> tuple[np.ndarray, np.ndarray]:
    """(N,) log probability of each node for the first segment, and factor for the last one."""
    real = graph.annotation >= 0
    first, last = real & (graph.position == 0), real & (graph.position == graph.size - 1)
    anywhere = np.where(real, 0.9 / real.sum(), 0.1 / graph.classes)
    with np.errstate(divide="ignore"):
        opening = np.log(weights.opening * first / first.sum() + (1 - weights.opening) * anywhere)
        return opening, np.log(np.where(last, 1, 1 - weights.closing))


def segment_scores(lattice: Lattice, weights: MatchWeights) -> dict[tuple[int, int], np.ndarray]:
    """(N,) score of each possible segment, by its first and last cut."""
    found = {}
    for end in range(1, len(lattice) + 1):
        terms, allowed = lattice.terms(np.array([end]), lattice.span)
        starts, _ = lattice.starts(np.array([end]), lattice.span)
        for column in np.flatnonzero(allowed[0]):
            score = sum(getattr(weights, name) * terms[i, 0, column] for i, name in enumerate(TERMS))
            found[int(starts[0, column]), end] = score[lattice.graph.labels]
    return found


def best_of_all(lattice: Lattice, weights: MatchWeights) -> float:
    """Score of the best of all segmentations and all paths of nodes, tried one by one."""
    graph, last = lattice.graph, len(lattice)
    step, (opening, closing) = steps_between_nodes(graph, weights), ends(graph, weights)
    segments, best = segment_scores(lattice, weights), -np.inf
    for count in range(last):
        for inner in itertools.combinations(range(1, last), count):
            pieces = list(itertools.pairwise((0, *inner, last)))
            if not all(piece in segments for piece in pieces):
                continue
            total = opening + segments[pieces[0]]
            for piece in pieces[1:]:  # one axis for each segment: every path has its own score
                total = total[..., None] + step + segments[piece]
            best = max(best, float((total + closing).max()))
    return best


def score_of(found: Alignment, lattice: Lattice, weights: MatchWeights) -> float:
    """Score of one path."""
    graph, nodes = lattice.graph, []
    for label, index, place in zip(found.labels, found.annotation, found.position, strict=True):
        fits = (graph.labels == label) & (graph.annotation == index) & (graph.position == place)
        (node,) = np.flatnonzero(fits)
        nodes.append(int(node))
    cuts = np.searchsorted(lattice.times, found.cuts).tolist()
    assert lattice.times[cuts].tolist() == found.cuts.tolist()
    step, (opening, closing) = steps_between_nodes(graph, weights), ends(graph, weights)
    segments = segment_scores(lattice, weights)
    score = opening[nodes[0]] + closing[nodes[-1]] + sum(step[pair] for pair in itertools.pairwise(nodes))
    return float(score + sum(segments[piece][n] for piece, n in zip(itertools.pairwise(cuts), nodes, strict=True)))


def check_cover(found: Alignment, steps: int) -> None:
    """The segments cover the video, none is empty, and no neighbours are equal."""
    assert (found.cuts[0], found.cuts[-1]) == (0, steps)
    assert (np.diff(found.cuts) > 0).all()
    assert len(found.cuts) == len(found.labels) + 1 == len(found.annotation) + 1 == len(found.position) + 1
    joined = found.segmentation
    assert joined.length == steps
    assert (np.diff(joined.labels) != 0).all()
    assert joined.to_frames().tolist() == np.repeat(found.labels, np.diff(found.cuts)).tolist()


share = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0]))
factor = st.floats(0, 3)
all_weights = st.builds(
    MatchWeights,
    **{name: factor for name in TERMS if name != "cut"},
    cut=st.floats(-3, 3),
    moves=st.tuples(*[share] * len(MOVES)),
    switch=share,
    jump=share,
    opening=share,
    closing=share,
)
sequence = st.lists(st.integers(0, 2), min_size=1, max_size=4)


@settings(max_examples=150)
@given(st.lists(sequence, min_size=1, max_size=2), st.integers(1, 5), all_weights, st.integers(0, 2**32 - 1))
def test_no_path_is_better(sequences: list[list[int]], cuts: int, weights: MatchWeights, seed: int) -> None:
    lattice = random_lattice(np.random.default_rng(seed), sequences, 3, cuts)
    found = align(lattice, weights)
    check_cover(found, int(lattice.times[-1]))
    best = best_of_all(lattice, weights)
    assume(np.isfinite(best))
    assert score_of(found, lattice, weights) == pytest.approx(best, rel=1e-9, abs=1e-9)


@given(st.lists(sequence, min_size=1, max_size=2), st.integers(2, 40), all_weights, st.integers(0, 2**32 - 1))
def test_weights_that_rule_steps_out_still_cover_the_video(
    sequences: list[list[int]], cuts: int, weights: MatchWeights, seed: int
) -> None:
    weights = weights.changed(moves=(0.0, 1.0, 0.0, 0.0), switch=0.0, jump=0.0)
    lattice = random_lattice(np.random.default_rng(seed), sequences, 3, cuts)
    found = align(lattice, weights)
    check_cover(found, int(lattice.times[-1]))
    lengths = np.diff(found.cuts)
    neighbours = np.diff(np.searchsorted(lattice.times, found.cuts)) == 1
    assert ((lengths <= lattice.graph.longest) | neighbours).all()


@pytest.mark.parametrize("block", [1, 2, 7])
def test_blocks_of_cuts_do_not_matter(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(4)
    lattice = random_lattice(random, [[0, 1, 2, 0], [2, 1, 0, 1, 2]], 3, 40)
    whole = align(lattice, MatchWeights())
    monkeypatch.setattr(alignment, "_BLOCK", block)
    parts = align(lattice, MatchWeights())
    for name in ("cuts", "labels", "annotation", "position"):
        assert np.array_equal(getattr(parts, name), getattr(whole, name)), name


def spoken(labels: list[int], classes: int, sure: Any = 0.7, length: int = 10) -> np.ndarray:
    """(C, T) class probabilities of segments of equal length; `sure`: that of the class, per segment or of all."""
    frames = np.empty((classes, len(labels)))
    sure = np.broadcast_to(sure, len(labels))
    frames[:] = (1 - sure) / (classes - 1)
    frames[labels, np.arange(len(labels))] = sure
    return frames.repeat(length, 1)


def lattice_of(annotations: list[Segmentation], frames: np.ndarray, length: int = 10) -> Lattice:
    """A lattice of one video with a sure boundary keypoint every `length` steps."""
    heatmap = np.zeros(frames.shape[1], np.float32)
    heatmap[length::length] = 0.9
    points = BoundaryKeypoints.of([(time, 0.9) for time in range(length, frames.shape[1], length)])
    return Lattice.of(AnnotationGraph.of(annotations, len(frames)), frames, points, heatmap=heatmap)


def test_the_order_corrects_a_segment_whose_evidence_is_wrong() -> None:
    order = [0, 1, 2, 3]
    frames = spoken(order, 4)
    frames[:, 20:30] = [[0.62], [0.1], [0.18], [0.1]]
    lattice = lattice_of([annotation(order)] * 3, frames)
    assert frames.argmax(0)[25] == 0
    found = align(lattice, MatchWeights())
    assert found.labels.tolist() == order
    assert found.cuts.tolist() == [0, 10, 20, 30, 40]
    assert found.position.tolist() == order
    assert len(set(found.annotation.tolist())) == 1
    free = MatchWeights(moves=(0, 0, 0, 0), switch=0, jump=1, opening=0, closing=0)  # what the order is worth
    assert align(lattice, free).labels.tolist() == [0, 1, 0, 3]


def test_a_video_is_aligned_to_the_annotation_with_its_order() -> None:
    orders = [[0, 1, 2, 3], [3, 1, 0, 2], [2, 3, 1, 0]]
    for index, order in enumerate(orders):
        found = align(lattice_of([annotation(o) for o in orders], spoken(order, 4)), MatchWeights())
        assert found.labels.tolist() == order
        assert found.annotation.tolist() == [index] * 4
        assert found.position.tolist() == [0, 1, 2, 3]


def test_a_missing_step_is_skipped_and_a_class_without_annotation_let_in() -> None:
    annotations = [annotation([0, 1, 2, 3])] * 2
    skipped = align(lattice_of(annotations, spoken([0, 1, 3], 5, sure=0.9)), MatchWeights())
    assert skipped.labels.tolist() == [0, 1, 3]
    assert skipped.position.tolist() == [0, 1, 3]
    strange = align(lattice_of(annotations, spoken([0, 1, 4, 2, 3], 5, sure=0.96)), MatchWeights())
    assert strange.labels.tolist() == [0, 1, 4, 2, 3]
    assert strange.annotation.tolist()[2] == -1  # its free node
    again = align(lattice_of(annotations, spoken([0, 1, 2, 0, 3], 5, sure=0.96)), MatchWeights())
    assert again.labels.tolist() == [0, 1, 2, 0, 3]  # a jump back to a class that the order has earlier


def test_a_switch_goes_on_as_another_annotation_does_after_the_same_class() -> None:
    annotations = [annotation([0, 1, 2, 3]), annotation([4, 2, 5, 3])]
    found = align(lattice_of(annotations, spoken([0, 1, 2, 5, 3], 6)), MatchWeights(jump=0))
    assert found.labels.tolist() == [0, 1, 2, 5, 3]
    assert list(zip(found.annotation.tolist(), found.position.tolist(), strict=True))[1:4:2] == [(0, 1), (1, 2)]


@pytest.mark.parametrize("steps", [0, 1])
def test_hardly_a_step(steps: int) -> None:
    graph = AnnotationGraph.of([annotation([0]), annotation([1])], 2)
    found = align(Lattice.of(graph, np.full((2, steps), [[0.2], [0.8]])), MatchWeights())
    assert found.cuts.tolist() == [0, 1][: steps + 1]
    assert found.labels.tolist() == [1] * steps
    assert found.segmentation.length == steps


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"frames": -1}, "greater than or equal to 0"),
        ({"cut": float("nan")}, "less than or equal to 1000000000"),
        ({"moves": (0.5, 0.5)}, "at least 4 items"),
        ({"moves": (0.5, 0.5, -0.1, 0)}, "greater than or equal to 0"),
        ({"moves": (0.5, 0.5, 1.5, 0)}, "less than or equal to 1"),
        ({"jump": 1.5}, "less than or equal to 1"),
    ],
)
def test_weights_out_of_range_are_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        MatchWeights(**wrong)
