"""Matching to remembered annotations: planted answers, an oracle that sums over all paths, and degenerate inputs."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from keyseg.matching.memory import AnnotationMemory, MemoryConfig
from keyseg.timeline import Segmentation, TimelineError

CLASSES = 4
IN_ORDER = MemoryConfig(jump=0.0)


def annotation(*labels: int, length: int = 10) -> Segmentation:
    """Segments of these classes, each of `length` steps."""
    return Segmentation(length * np.arange(len(labels) + 1), np.array(labels))


def sure(*labels: int | None) -> np.ndarray:
    """Evidence for these classes; None for a segment without evidence."""
    rows = [np.full(CLASSES, 1 / CLASSES) if c is None else 0.02 + 0.92 * np.eye(CLASSES)[c] for c in labels]
    return np.array(rows)


def tens(count: int) -> np.ndarray:
    """Durations of ten steps."""
    return np.full(count, 10.0)


def test_a_segment_without_evidence_gets_the_class_from_its_place_in_the_annotation() -> None:
    memory = AnnotationMemory.of([annotation(0, 1, 2, 0, 3, 1)])
    actual = memory.classes(sure(0, 1, None, 0, None, 1), tens(6), IN_ORDER)
    assert actual.argmax(1).tolist() == [0, 1, 2, 0, 3, 1]
    assert actual.max(1).min() > 0.9


def test_wrong_evidence_is_outvoted_by_the_order() -> None:
    memory = AnnotationMemory.of([annotation(0, 1, 2, 0, 3, 1)])
    evidence = sure(0, 1, 2, 0, 3, 1)
    evidence[2] = [0.1, 0.1, 0.3, 0.5]  # 3 instead of 2
    assert memory.classes(evidence, tens(6), IN_ORDER)[2].argmax() == 2


def test_of_several_annotations_the_one_with_the_same_order_counts() -> None:
    memory = AnnotationMemory.of([annotation(0, 1, 2, 3), annotation(0, 2, 3, 1), annotation(3, 1, 0, 2)])
    assert memory.classes(sure(0, 2, None, 1), tens(4), IN_ORDER)[2].argmax() == 3
    assert memory.classes(sure(3, 1, None, 2), tens(4), IN_ORDER)[2].argmax() == 0


def test_an_over_segmented_action_and_a_missed_one_do_not_break_the_match() -> None:
    memory = AnnotationMemory.of([annotation(0, 1, 2, 3, 0, 2)])
    assert memory.classes(sure(0, 1, 1, 2, None, 0, 2), tens(7), IN_ORDER)[4].argmax() == 3  # 1 in two parts
    assert memory.classes(sure(0, 1, None, 0, 2), tens(5), IN_ORDER)[2].argmax() in (2, 3)  # one of the two is missed


def test_a_jump_joins_the_end_of_one_annotation_to_the_middle_of_another() -> None:
    memory = AnnotationMemory.of([annotation(0, 1, 0, 1), annotation(2, 3, 2, 3)])
    evidence = sure(0, 1, 2, 3, 2, None)
    assert memory.classes(evidence, tens(6), MemoryConfig(jump=0.1))[5].argmax() == 3
    assert memory.classes(evidence, tens(6), MemoryConfig(jump=0.1)).argmax(1).tolist() == [0, 1, 2, 3, 2, 3]


def test_durations_decide_between_orders_that_are_alike() -> None:
    short = Segmentation(np.array([0, 10, 15, 25]), np.array([0, 1, 0]))
    long = Segmentation(np.array([0, 10, 90, 100]), np.array([0, 2, 0]))
    memory = AnnotationMemory.of([short, long])
    config = MemoryConfig(jump=0, duration=1.0)
    assert memory.classes(sure(0, None, 0), np.array([10.0, 6, 10]), config)[1].argmax() == 1
    assert memory.classes(sure(0, None, 0), np.array([10.0, 70, 10]), config)[1].argmax() == 2
    even = memory.classes(sure(0, None, 0), np.array([10.0, 70, 10]), MemoryConfig(jump=0, duration=0))[1]
    assert even[1] == pytest.approx(even[2])


def by_all_paths(
    annotations: list[tuple[int, ...]], evidence: np.ndarray, durations: np.ndarray, config: MemoryConfig
) -> np.ndarray:
    """The posterior as a sum over all paths through the nodes, from the docstring alone."""
    nodes = [(k, i, c) for k, labels in enumerate(annotations) for i, c in enumerate(labels)]
    shares = evidence / evidence.sum(1, keepdims=True)
    mean = shares.mean(0)
    kinds = {d: 2.0 * (d - 1) if d > 0 else 1.0 if d == 0 else 2.0 * (1 - d) for d in range(-6, 7)}
    norm = sum(np.exp(-cost) for cost in kinds.values())

    def worth(i: int, node: tuple[int, int, int]) -> float:
        apart = min(abs(np.log(durations[i] / 10)), 2.0)
        return np.exp(
            config.sharpness * np.log((shares[i, node[2]] + 0.01) / (mean[node[2]] + 0.01)) - config.duration * apart
        )

    def going(a: tuple[int, int, int], b: tuple[int, int, int]) -> float:
        walk = np.exp(-kinds[b[1] - a[1]]) / norm if a[0] == b[0] and b[1] - a[1] in kinds else 0.0
        return (1 - config.jump) * walk + config.jump / len(nodes)

    result = np.zeros_like(shares)
    for way in product(nodes, repeat=len(shares)):
        weight = 0.5 * (way[0][1] == 0) / len(annotations) + 0.5 / len(nodes)
        for i, node in enumerate(way):
            weight *= worth(i, node) * (going(way[i - 1], node) if i else 1.0)
        for i, node in enumerate(way):
            result[i, node[2]] += weight
    return result / result.sum(1, keepdims=True)


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.lists(st.integers(0, CLASSES - 1), min_size=1, max_size=3).map(tuple), min_size=1, max_size=2),
    st.integers(1, 4).flatmap(lambda n: arrays(float, (n, CLASSES), elements=st.floats(0.01, 1))),
    st.floats(0, 1),
    st.floats(0, 3),
)
def test_it_is_the_sum_over_all_paths(
    labels: list[tuple[int, ...]], evidence: np.ndarray, jump: float, sharpness: float
) -> None:
    config = MemoryConfig(jump=jump, sharpness=sharpness)
    durations = 3.0 + 20 * np.arange(len(evidence))
    memory = AnnotationMemory.of(annotation(*row) for row in labels)
    expected = by_all_paths(labels, evidence, durations, config)
    assert memory.classes(evidence, durations, config) == pytest.approx(expected, abs=1e-6)


@settings(deadline=None, max_examples=50)
@given(arrays(float, (12, CLASSES), elements=st.floats(0, 1)), st.floats(0.01, 100))
def test_rows_are_probabilities_and_the_scale_of_the_evidence_does_not_matter(rows: np.ndarray, scale: float) -> None:
    rows = rows + 1e-6
    memory = AnnotationMemory.of([annotation(0, 1, 2, 3, 1), annotation(3, 1)])
    actual = memory.classes(rows, tens(12), MemoryConfig())
    assert (actual >= 0).all()
    assert actual.sum(1) == pytest.approx(np.ones(12))
    assert memory.classes(rows * scale, tens(12), MemoryConfig()) == pytest.approx(actual, abs=1e-6)


def test_a_video_longer_than_any_annotation_still_gets_probabilities() -> None:
    memory = AnnotationMemory.of([annotation(0, 1)])
    actual = memory.classes(sure(*([0, 1, 2] * 200)), tens(600), IN_ORDER)
    assert actual.sum(1) == pytest.approx(np.ones(600))
    assert actual[:, 2:].max() == 0  # no node is of these classes


@pytest.mark.parametrize("annotations", [[], [Segmentation(np.array([0]), np.array([], int))]])
def test_without_nodes_the_evidence_comes_back_in_shares(annotations: list[Segmentation]) -> None:
    memory = AnnotationMemory.of(annotations)
    assert len(memory) == 0
    evidence = 3 * sure(0, 1)
    assert memory.classes(evidence, tens(2), MemoryConfig()) == pytest.approx(evidence / evidence.sum(1, keepdims=True))


def test_a_video_without_segments_gets_none() -> None:
    memory = AnnotationMemory.of([annotation(0, 1)])
    assert memory.classes(np.zeros((0, CLASSES)), np.zeros(0), MemoryConfig()).shape == (0, CLASSES)


def test_evidence_for_fewer_classes_than_the_annotations_have_is_refused() -> None:
    with pytest.raises(TimelineError, match=r"the memory refers to class 5, outside 0\.\.3"):
        AnnotationMemory.of([annotation(0, 5)]).classes(sure(0), tens(1), MemoryConfig())
