"""The segments that a video may have: its cuts, which of them make a segment, and what speaks for a class there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints
from keyseg.matching.annotation_graph import AnnotationGraph
from keyseg.matching.lattice import TERMS, Lattice, score_changes
from keyseg.timeline import Segmentation

GRAPH = AnnotationGraph.of([Segmentation([0, 4, 12], [0, 1]), Segmentation([0, 6, 22], [1, 2])], 3)


def one_hot(labels: list[int], sure: float = 0.8, classes: int = 3) -> np.ndarray:
    """(C, T) class probabilities whose largest is that of the labels."""
    frames = np.full((classes, len(labels)), (1 - sure) / (classes - 1), np.float32)
    frames[labels, np.arange(len(labels))] = sure
    return frames


def lattice_of(times: list[float], steps: int, labels: list[int] | None = None, **options: object) -> Lattice:
    """With boundary keypoints at `times`, of a heatmap that is 0.5 everywhere."""
    points = BoundaryKeypoints.of([(time, 0.9) for time in times])
    heatmap = np.full(steps, 0.5, np.float32)
    return Lattice.of(GRAPH, one_hot(labels or [0] * steps), points, heatmap=heatmap, **options)


def test_boundary_keypoints_are_cuts_once_rounded_and_inside() -> None:
    assert lattice_of([3.4, 2.6, 7, -1, 0.4, 9.6, 20], 10).times.tolist() == [0, 3, 7, 10]
    assert lattice_of([], 10).times.tolist() == [0, 10]


@pytest.mark.parametrize(
    ("change", "times"), [(7, [0, 7, 10, 20]), (8, [0, 10, 20]), (12, [0, 10, 20]), (13, [0, 10, 13, 20])]
)
def test_a_change_of_the_most_probable_class_is_a_cut_unless_one_is_near(change: int, times: list[int]) -> None:
    found = lattice_of([10], 20, [0] * change + [1] * (20 - change))
    assert found.times.tolist() == times


def test_changes_are_cuts_where_there_are_no_keypoints_at_all() -> None:
    assert lattice_of([], 8, [0, 0, 1, 2, 2, 2, 0, 0]).times.tolist() == [0, 2, 3, 6, 8]


def test_a_cut_is_as_confident_as_the_heatmap_is_near_it() -> None:
    heatmap = np.zeros(12, np.float32)
    heatmap[[3, 7, 10, 11]] = 0.25, 0.5, 0.75, 1
    points = BoundaryKeypoints.of([(2, 1.0), (5, 1.0), (7, 1.0), (9, 1.0)])
    found = Lattice.of(GRAPH, one_hot([0] * 12), points, heatmap=heatmap)
    assert found.times.tolist() == [0, 2, 5, 7, 9, 12]
    assert found.confidence.tolist() == [1, 0.25, 0, 0.5, 0.75, 1]


def test_without_boundaries_the_changes_of_the_frame_scores_are_the_cuts() -> None:
    found = Lattice.of(GRAPH, one_hot([0] * 20 + [1] * 20 + [2] * 20))
    assert found.times.tolist() == [0, 20, 40, 60]
    assert found.confidence[1:-1] == pytest.approx([0.7, 0.7], abs=1e-6)  # 0.8 - 0.1


def test_sums_before_each_cut() -> None:
    labels = [0, 0, 0, 1, 1, 1, 1, 2, 2, 2]
    actions = ActionKeypoints.of([(0, 0, 0.5), (2.9, 1, 0.25), (3, 1, 0.75), (9.5, 2, 0.5)])
    found = lattice_of([3, 7], 10, labels, actions=actions)
    frames = one_hot(labels)
    for cut, time in enumerate(found.times):
        assert found.frames[cut] == pytest.approx(frames[:, :time].sum(1), rel=1e-6)
    assert found.actions.tolist() == [[0, 0, 0], [0.5, 0.25, 0], [0.5, 1, 0], [0.5, 1, 0.5]]


def test_keypoints_outside_the_video_count_in_its_first_and_last_segment() -> None:
    actions = ActionKeypoints.of([(-2, 0, 0.5), (10, 1, 0.25), (14, 2, 1.0)])
    found = lattice_of([5], 10, actions=actions)
    assert found.actions.tolist() == [[0, 0, 0], [0.5, 0, 0], [0.5, 0.25, 1]]


def test_span_reaches_as_far_as_the_longest_segment() -> None:
    assert GRAPH.longest == pytest.approx(24)
    found = lattice_of([10, 20, 30, 35, 40, 45, 50], 60)
    assert found.times.tolist() == [0, 10, 20, 30, 35, 40, 45, 50, 60]
    assert found.span == 4  # 30 to 50, as a segment from 20 would have 25 steps at least
    assert lattice_of([], 100).span == 1
    assert lattice_of(list(range(1, 23)), 23).span == 23


def test_a_segment_never_reaches_over_more_than_64_cuts() -> None:
    graph = AnnotationGraph.of([Segmentation([0, 1000], [0])], 1)
    frames, cuts = np.ones((1, 300), np.float32), BoundaryKeypoints.of([(time, 1.0) for time in range(1, 300)])
    assert Lattice.of(graph, frames, cuts, heatmap=np.ones(300, np.float32)).span == 64


def test_segments_are_short_enough_or_lie_between_neighbouring_cuts() -> None:
    found = lattice_of([10, 20, 50], 60)
    start, allowed = found.starts(np.arange(1, 5), 3)
    segments = [
        (found.times[start[row, column]], found.times[row + 1])
        for row in range(4)
        for column in range(3)
        if allowed[row, column]
    ]
    assert segments == [(0, 10), (0, 20), (10, 20), (20, 50), (50, 60)]
    assert start.min() >= 0


def test_terms_by_hand() -> None:
    labels = [0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
    actions = ActionKeypoints.of([(1, 0, 0.75), (2, 0, 0.5), (3, 2, 0.25), (6, 1, 0.5)])
    heatmap = np.zeros(10, np.float32)
    heatmap[4] = 0.6
    found = Lattice.of(GRAPH, one_hot(labels), BoundaryKeypoints.of([(4, 0.6)]), actions, heatmap)
    terms, allowed = found.terms(np.array([1, 2]), 2)
    assert terms.shape == (len(TERMS), 2, 2, 3)
    assert allowed.tolist() == [[False, True], [True, True]]
    named = dict(zip(TERMS, terms, strict=True))
    overall = np.array([3.8, 5.2, 1.0]) / 10
    segments = {  # row and column: steps, frame sums, action sums
        (0, 1): (4, [3.2, 0.4, 0.4], [1.25, 0, 0.25]),
        (1, 0): (10, [3.8, 5.2, 1.0], [1.25, 0.5, 0.25]),
        (1, 1): (6, [0.6, 4.8, 0.6], [0, 0.5, 0]),
    }
    for place, (steps, frames, peaks) in segments.items():
        assert named["frames"][place] == pytest.approx(frames, rel=1e-5)
        mean = np.log(np.array(frames) / steps + 0.01) - np.log(overall + 0.01)
        assert named["mean"][place] == pytest.approx(mean, rel=1e-5, abs=1e-6)
        assert named["action"][place] == pytest.approx(np.minimum(peaks, 1), abs=1e-6)
        assert named["rivals"][place] == pytest.approx(np.array(peaks) - sum(peaks), abs=1e-6)
        away = (np.log(steps) - GRAPH.log_mean) / GRAPH.log_deviation
        density = -0.5 * np.minimum(away**2, 4) - np.log(GRAPH.log_deviation)
        assert named["duration"][place] == pytest.approx(density)
    assert named["boundary"][0] == pytest.approx(np.full((2, 3), np.log(0.62)), rel=1e-6)
    assert named["cut"][0].tolist() == [[1] * 3] * 2
    assert not named["boundary"][1].any()  # the end of the video is no cut
    assert not named["cut"][1].any()


def test_a_length_is_the_most_likely_at_the_mean_and_never_less_likely_than_at_two_deviations() -> None:
    graph = AnnotationGraph.of([Segmentation([0, 4, 12, 44], [0, 0, 0])], 1)
    scores = []
    for steps in range(1, 60):
        found = Lattice.of(graph, np.ones((1, steps), np.float32))
        scores.append(found.terms(np.array([1]), 1)[0][TERMS.index("duration"), 0, 0, 0])
    assert 1 + int(np.argmax(scores)) == round(np.exp(graph.log_mean[0]))
    assert min(scores) == pytest.approx(-2 - np.log(graph.log_deviation[0]))


def test_blocks_of_ends_have_the_terms_of_all() -> None:
    random = np.random.default_rng(0)
    frames = random.dirichlet(np.ones(3), 80).T
    found = Lattice.of(GRAPH, frames)
    assert len(found) > 20
    whole, allowed = found.terms(np.arange(1, len(found) + 1), found.span)
    for end in range(1, len(found) + 1):
        terms, there = found.terms(np.array([end]), found.span)
        assert np.array_equal(there[0], allowed[end - 1])
        assert np.array_equal(terms[:, 0, there[0]], whole[:, end - 1, there[0]])


@pytest.mark.parametrize("steps", [0, 1])
def test_a_video_of_hardly_a_step_has_no_cut(steps: int) -> None:
    found = Lattice.of(GRAPH, one_hot([1] * steps))
    assert found.times.tolist() == [0, steps]
    assert (len(found), found.span) == (1, 1)
    points, heatmap = BoundaryKeypoints.of([(0, 1.0)]), np.ones(steps, np.float32)
    assert Lattice.of(GRAPH, one_hot([1] * steps), points, heatmap=heatmap).times.tolist() == [0, steps]


def test_score_changes_by_hand() -> None:
    frames = one_hot([0, 0, 1, 1], sure=1.0)
    assert score_changes(frames) == pytest.approx([0, 2 / 3, 1, 2 / 3])  # at 1: class 0 before, a third of it after
    assert score_changes(frames).dtype == np.float32
    assert score_changes(frames[:, :1]).tolist() == [0]
    assert score_changes(frames[:, :0]).shape == (0,)


def test_score_changes_look_eight_steps_back_and_on() -> None:
    labels = [2] + [0] * 8 + [1] * 8 + [2]
    found = score_changes(one_hot(labels, sure=1.0))
    assert found[9] == 1
    assert found[8] == pytest.approx(1 - 1 / 8)  # one step of class 0 is left on the other side
    assert found[10] == pytest.approx(1 - 1 / 8)


@given(st.integers(1, 5), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_score_changes_are_half_the_differences_of_means(classes: int, steps: int, seed: int) -> None:
    frames = np.random.default_rng(seed).dirichlet(np.ones(classes), steps).T
    found = score_changes(frames)
    assert found.shape == (steps,)
    assert found[0] == 0
    for at in range(1, steps):
        before, after = frames[:, max(0, at - 8) : at].mean(1), frames[:, at : at + 8].mean(1)
        assert found[at] == pytest.approx(np.abs(after - before).sum() / 2, abs=1e-6)


@given(arrays(np.float32, st.tuples(st.just(3), st.integers(0, 50)), elements=st.floats(0, 1, width=32)))
def test_cuts_rise_from_the_start_to_the_end(frames: np.ndarray) -> None:
    found = Lattice.of(GRAPH, frames)
    steps = frames.shape[1]
    assert (found.times[0], found.times[-1]) == (0, steps)
    assert steps == 0 or (np.diff(found.times) > 0).all()
    assert len(found.confidence) == len(found.frames) == len(found.actions) == len(found) + 1
    assert ((found.confidence >= 0) & (found.confidence <= 3)).all()
