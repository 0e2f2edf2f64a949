"""The class of a segment from its keypoints, its frames and its context: by hand, and against slow loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints, EvidenceWeights, weigh_evidence
from keyseg.keypoints.evidence import interval_means
from keyseg.timeline import ConfigError

# Ten steps, three classes, one boundary: intervals [0, 4) and [4, 10).
FRAMES = np.array([[0.2] * 4 + [0.3] * 6, [0.7] * 4 + [0.3] * 6, [0.1] * 4 + [0.4] * 6])
BOUNDARY = BoundaryKeypoints.of([(4, 0.9)])
ACTIONS = ActionKeypoints.of([(1, 0, 0.6), (2, 1, 0.2), (7, 2, 0.4)])


def points(result):
    return list(zip(result.time.tolist(), result.label.tolist(), result.confidence.tolist(), strict=True))


def weigh(actions=ACTIONS, boundaries=BOUNDARY, *, scores=None, peak=1.0, frames=1.0, context=0.0):
    """scores: refined class scores; peak, frames and context are weights."""
    return points(weigh_evidence(actions, boundaries, FRAMES, scores, EvidenceWeights(peak, frames, context)))


def about(*expected):
    return [(time, label, pytest.approx(confidence)) for time, label, confidence in expected]


def test_peak_and_frames_together():
    # [0, 4): class 0 has 0.6 + 0.2, class 1 has 0.2 + 0.7, class 2 has 0 + 0.1; [4, 10): class 2 has 0.4 + 0.4
    assert weigh() == about((2, 1, 0.9 / 2), (7, 2, 0.8 / 2))


def test_peak_alone_and_frames_alone():
    assert weigh(peak=1, frames=0) == about((1, 0, 0.6), (7, 2, 0.4))
    assert weigh(peak=0, frames=1) == about((2, 1, 0.7), (7, 2, 0.4))


def test_weights_decide_between_classes():
    # class 0: 3 * 0.6 + 0.2 = 2.0 against class 1: 3 * 0.2 + 0.7 = 1.3
    assert weigh(peak=3) == about((1, 0, 2.0 / 4), (7, 2, (1.2 + 0.4) / 4))


def test_only_the_ratio_of_weights_counts():
    assert weigh(peak=2, frames=6) == about(*weigh(peak=1, frames=3))


def test_of_one_class_only_the_highest_keypoint_counts():
    crowd = ActionKeypoints.of([(0, 0, 0.5), (1, 0, 0.6), (2, 0, 0.3), (3, 1, 0.2)])
    assert weigh(crowd) == about((3, 1, 0.9 / 2))
    assert weigh(crowd, peak=1, frames=0) == about((1, 0, 0.6))


def test_a_class_without_a_keypoint_may_win_and_takes_the_most_confident_place():
    only_0_and_2 = ActionKeypoints.of([(0, 2, 0.1), (3, 0, 0.3)])
    assert weigh(only_0_and_2) == about((3, 1, 0.7 / 2))


def test_context_is_the_confidence_weighted_mean_of_its_interval():
    scores = np.array([[0, 0, 1], [1, 0, 0], [0, 0.5, 0.5]])
    # [0, 4): context (0.25, 0, 0.75), since the points weigh 0.6 and 0.2; class 2 has 0 + 0.1 + 2 * 0.75
    # [4, 10): class 2 has 0.4 + 0.4 + 2 * 0.5
    assert weigh(scores=scores, context=2) == about((1, 2, 1.6 / 4), (7, 2, 1.8 / 4))


def weigh_context(scores, actions=ACTIONS):
    return weigh(actions, scores=np.array(scores), peak=0, frames=0, context=1)


def test_context_alone():
    assert weigh_context([[0, 0, 1], [0, 1, 0], [1, 0, 0]]) == about((1, 2, 0.75), (7, 0, 1))


def test_context_of_keypoints_without_confidence_counts_evenly():
    silent = ActionKeypoints.of([(1, 0, 0), (2, 1, 0), (3, 2, 0)])
    assert weigh_context([[0, 1, 0], [0, 0.6, 0.4], [0, 0, 1]], silent) == about((2, 1, 1.6 / 3))


def test_context_without_weight_or_without_scores_changes_nothing():
    scores = np.array([[0, 0, 1], [1, 0, 0], [0, 0.5, 0.5]])
    assert weigh(scores=scores, context=0) == weigh()
    assert weigh(scores=None, context=5) == weigh()


def test_intervals_without_a_keypoint_stay_empty():
    many = BoundaryKeypoints.of([(t, 1) for t in (1, 3, 4, 6, 8)])
    one = ActionKeypoints.of([(6, 1, 0.5)])
    assert weigh(one, many) == about((6, 1, (0.5 + 0.3) / 2))
    assert len(weigh_evidence(ACTIONS.select([]), many, FRAMES, None, EvidenceWeights())) == 0


def test_a_keypoint_on_a_boundary_belongs_to_the_interval_that_starts_there():
    on = ActionKeypoints.of([(3, 0, 0.5), (4, 0, 0.5)])
    assert weigh(on, peak=1, frames=0) == about((3, 0, 0.5), (4, 0, 0.5))


def test_frames_are_cut_at_the_nearest_whole_step():
    ramp = np.arange(10)[None] / 10
    for boundary, mean in [(4.4, 0.15), (4.6, 0.2)]:  # steps 0 to 3, steps 0 to 4
        cut = BoundaryKeypoints.of([(boundary, 1)])
        result = weigh_evidence(ActionKeypoints.of([(1, 0, 0.5)]), cut, ramp, None, EvidenceWeights(0, 1))
        assert points(result) == about((1, 0, mean))


def test_without_boundaries_the_video_is_one_interval():
    none = BoundaryKeypoints.of([])
    means = FRAMES.mean(1)
    assert weigh(ACTIONS, none, peak=0, frames=1) == about((2, 1, means[1]))


@pytest.mark.parametrize("weights", [{"peak": 0, "frames": 0}, {"peak": 0, "frames": 0, "context": 1}])
def test_no_evidence_at_all_is_refused(weights):
    with pytest.raises(ConfigError, match=r"no evidence is left for .* set peak or frames above 0"):
        weigh(**weights)


def slow_weigh(actions, boundaries, frames, context, weights):
    """Interval by interval, class by class."""
    classes, length = frames.shape
    edges = [0, *boundaries.time.tolist(), length]
    result = []
    for i in range(len(edges) - 1):
        lower = edges[i] if i > 0 else -np.inf
        upper = edges[i + 1] if i + 2 < len(edges) else np.inf
        here = [k for k in range(len(actions)) if lower <= actions.time[k] < upper]
        if not here:
            continue
        start, end = int(edges[i]), int(edges[i + 1])
        evidence = np.zeros(classes)
        for label in range(classes):
            peak = max((actions.confidence[k] for k in here if actions.label[k] == label), default=0)
            evidence[label] = weights.peak * peak + weights.frames * sum(frames[label, start:end]) / (end - start)
            mass = sum(actions.confidence[k] for k in here)
            evidence[label] += weights.context * sum(actions.confidence[k] * context[k, label] for k in here) / mass
        winner = int(np.argmax(evidence))
        supporters = [k for k in here if actions.label[k] == winner] or here
        place = max(supporters, key=lambda k: actions.confidence[k])
        total = weights.peak + weights.frames + weights.context
        result.append((actions.time[place], winner, pytest.approx(evidence[winner] / total)))
    return result


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(0, 8))
def test_random_evidence_agrees_with_loops(seed, points_, cuts):
    rng = np.random.default_rng(seed)
    classes, length = 3, 31
    frames = rng.dirichlet(np.ones(classes), length).T
    actions = ActionKeypoints(
        rng.uniform(0, length - 1, points_), rng.integers(0, classes, points_), rng.uniform(0.1, 1, points_)
    )
    boundaries = BoundaryKeypoints(rng.choice(np.arange(1, length), cuts, replace=False), np.ones(cuts))
    context = rng.dirichlet(np.ones(classes), points_)
    weights = EvidenceWeights(*rng.uniform(0, 3, 3))
    result = points(weigh_evidence(actions, boundaries, frames, context, weights))
    assert result == slow_weigh(actions, boundaries, frames, context, weights)
    assert all(0 <= confidence <= 1 + 1e-9 for _, _, confidence in result)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(0, 12))
def test_interval_means_agree_with_loops(seed, length, intervals):
    rng = np.random.default_rng(seed)
    scores = rng.uniform(0, 1, (3, length))
    ends = np.sort(rng.integers(0, length + 1, (intervals, 2)), axis=1)
    start, end = ends[:, 0].copy(), ends[:, 1].copy()
    result = interval_means(scores, start, end)
    assert result.shape == (intervals, 3)
    for row, s, e in zip(result, start, end, strict=True):
        s = min(s, length - 1)  # an empty interval takes its nearest step
        assert row == pytest.approx(scores[:, s : max(e, s + 1)].mean(1))
    assert start.tolist() == ends[:, 0].tolist()
    assert end.tolist() == ends[:, 1].tolist()


def test_float32_scores_of_a_long_video_keep_their_digits():
    scores = np.full((1, 1_000_000), 0.1, np.float32)
    mean = interval_means(scores, np.array([999_990]), np.array([1_000_000]))
    assert mean[0, 0] == pytest.approx(np.float64(np.float32(0.1)), rel=1e-7)
