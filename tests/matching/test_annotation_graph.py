"""The graph of annotations: nodes, neighbours, durations, and the probabilities of leaving the order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyseg.matching.annotation_graph import NODE_LIMIT, AnnotationGraph
from keyseg.timeline import Segmentation, TimelineError

EMPTY = Segmentation([0], [])


def annotation(labels: list[int], lengths: list[int] | None = None) -> Segmentation:
    return Segmentation(np.cumsum([0, *(lengths or [1] * len(labels))]), labels)


PLANTED = [annotation([0, 1, 2], [2, 4, 8]), EMPTY, annotation([1, 2, 1], [4, 8, 4]), annotation([2], [16])]

labels = st.lists(st.integers(0, 4), min_size=1, max_size=8)


def test_a_node_for_each_segment_in_order_and_one_free_node_for_each_class() -> None:
    graph = AnnotationGraph.of(PLANTED, 4)
    assert (len(graph), graph.classes) == (7 + 4, 4)
    assert graph.labels.tolist() == [0, 1, 2, 1, 2, 1, 2, 0, 1, 2, 3]
    assert graph.annotation.tolist() == [0, 0, 0, 2, 2, 2, 3, -1, -1, -1, -1]  # counted with the empty one
    assert graph.position.tolist() == [0, 1, 2, 0, 1, 2, 0, 0, 0, 0, 0]
    assert graph.size.tolist() == [3, 3, 3, 3, 3, 3, 1, 1, 1, 1, 1]
    assert graph.previous.tolist() == [-1, 0, 1, -1, 1, 2, -1, -1, -1, -1, -1]
    assert np.flatnonzero(graph.first).tolist() == [0, 3, 6]
    assert np.flatnonzero(graph.last).tolist() == [2, 5, 6]
    assert graph.longest == pytest.approx(1.5 * 16)


def test_neighbours_end_with_their_annotation() -> None:
    graph = AnnotationGraph.of(PLANTED, 4)
    found = {offset: np.flatnonzero(graph.neighbour(offset)).tolist() for offset in (-2, -1, 0, 1, 2, 3)}
    assert found == {-2: [2, 5], -1: [1, 2, 4, 5], 0: list(range(11)), 1: [0, 1, 3, 4], 2: [0, 3], 3: []}


def test_durations_are_shrunk_towards_those_of_all_classes() -> None:
    graph = AnnotationGraph.of(PLANTED, 4)
    lengths = {0: [2], 1: [4, 4, 4], 2: [8, 8, 16], 3: []}
    logs = np.log([length for some in lengths.values() for length in some])
    for label, some in lengths.items():
        mean = (np.log(some).sum() + logs.mean()) / (len(some) + 1)
        assert graph.log_mean[label] == pytest.approx(mean)
        spread = ((np.log(some) - mean) ** 2).sum() + 2 * logs.var()
        assert graph.log_deviation[label] == pytest.approx(np.sqrt(spread / (len(some) + 2)))
    assert graph.log_mean[3] == pytest.approx(logs.mean())  # a class that never occurs is as any class
    assert graph.log_deviation[3] == pytest.approx(logs.std())


def test_a_class_with_many_segments_has_its_own_durations() -> None:
    random = np.random.default_rng(0)
    some = [annotation([0, 1], np.exp(random.normal([3, 6], [0.2, 0.8])).astype(int).tolist()) for _ in range(400)]
    graph = AnnotationGraph.of(some, 2)
    assert graph.log_mean == pytest.approx([3, 6], abs=0.1)
    assert graph.log_deviation == pytest.approx([0.2, 0.8], abs=0.1)


def test_equal_durations_still_deviate() -> None:
    graph = AnnotationGraph.of([annotation([0, 1], [5, 5])] * 9, 2)
    assert graph.log_mean == pytest.approx(np.log([5, 5]))
    assert graph.log_deviation == pytest.approx(np.sqrt([0.02 / 11, 0.02 / 11]))


@given(st.lists(labels, min_size=1, max_size=6))
def test_probabilities_sum_to_one(sequences: list[list[int]]) -> None:
    graph = AnnotationGraph.of([annotation(sequence) for sequence in sequences], 5)
    for label in range(5):
        follows = graph.previous == label
        after = sum(sequence[:-1].count(label) for sequence in sequences)
        assert follows.sum() == after
        if after:
            assert np.exp(graph.log_switch[follows]).sum() == pytest.approx(1)
            assert np.ptp(graph.log_switch[follows]) == 0
    assert np.isneginf(graph.log_switch[graph.previous < 0]).all()
    real = graph.annotation >= 0
    assert graph.jump[real].sum() == pytest.approx(0.5)
    assert graph.jump[~real].sum() == pytest.approx(0.5)
    assert np.ptp(graph.jump[real]) == np.ptp(graph.jump[~real]) == 0


@given(st.lists(labels, min_size=1, max_size=12), st.integers(1, 40))
def test_of_too_many_nodes_whole_annotations_are_left_out(sequences: list[list[int]], limit: int) -> None:
    given_ = [annotation(sequence) for sequence in sequences]
    graph, whole = AnnotationGraph.of(given_, 5, limit), AnnotationGraph.of(given_, 5)
    kept = sorted(set(graph.annotation[graph.annotation >= 0].tolist()))
    real = int((graph.annotation >= 0).sum())
    for index in kept:
        assert graph.labels[graph.annotation == index].tolist() == sequences[index]
    assert real == sum(len(sequences[index]) for index in kept)
    assert real <= limit or kept == [0]
    if sum(map(len, sequences)) <= limit:
        assert kept == list(range(len(sequences)))
    # Durations are those of all annotations.
    assert np.array_equal(graph.log_mean, whole.log_mean)
    assert np.array_equal(graph.log_deviation, whole.log_deviation)
    assert graph.longest == whole.longest


def test_annotations_are_kept_at_even_distances() -> None:
    graph = AnnotationGraph.of([annotation([0, 1])] * 13, 2, 8)
    assert graph.annotation[graph.annotation >= 0][::2].tolist() == [0, 4, 8, 12]
    many = AnnotationGraph.of([annotation([0, 1] * 5)] * 1000, 2)
    assert (many.annotation >= 0).sum() == NODE_LIMIT
    assert np.ptp(np.diff(np.unique(many.annotation[:-2]))) <= 1


@pytest.mark.parametrize("nothing", [[], [EMPTY], [EMPTY, EMPTY]])
def test_without_a_segment_there_is_no_graph(nothing: list[Segmentation]) -> None:
    with pytest.raises(TimelineError, match="matching needs an annotation with at least one segment, got none"):
        AnnotationGraph.of(nothing, 3)


def test_a_label_out_of_range_is_named() -> None:
    with pytest.raises(TimelineError, match=r"an annotation refers to class 3, outside 0\.\.2"):
        AnnotationGraph.of([annotation([0, 3, 1])], 3)
