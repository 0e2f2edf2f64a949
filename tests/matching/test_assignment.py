"""Ground-truth assignment: by hand at the gates, against a dense Hungarian over all pairs, and at scale."""

import tracemalloc

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints
from keyseg.matching.assignment import assign
from keyseg.timeline import Segmentation

# classes 3, 5, 3 on [0, 10), [10, 110), [110, 140): gates 2 at frame 10 and 3 at frame 110
REFERENCE = Segmentation(np.array([0, 10, 110, 140]), np.array([3, 5, 3]))


def actions(*points):
    return ActionKeypoints.of((time, label, 0.5) for time, label in points)


def boundaries(*times):
    return BoundaryKeypoints.of((time, 0.5) for time in times)


def matched_actions(*points, reference=REFERENCE):
    return assign(actions(*points), boundaries(), reference).action_to_segment.tolist()


def matched_boundaries(*times, reference=REFERENCE):
    return assign(actions(), boundaries(*times), reference).boundary_to_boundary.tolist()


def test_actions_match_inside_their_segment_and_class():
    assert matched_actions((4, 3), (5, 5), (60, 5), (70, 3), (120, 3)) == [0, -1, 1, -1, 2]


def test_the_action_nearest_the_centre_wins():
    assert matched_actions((40, 5), (59, 5), (60.25, 5), (90, 5)) == [-1, 1, -1, -1]  # the centre is 59.5


def test_segments_are_half_open():
    assert matched_actions((9.75, 3)) == [0]
    assert matched_actions((10, 3)) == [-1]
    assert matched_actions((110, 3)) == [2]
    assert matched_actions((-0.25, 3), (140, 3)) == [-1, -1]


def test_boundaries_match_within_their_gate():
    assert matched_boundaries(8, 113) == [0, 1]
    assert matched_boundaries(7.75, 113.25) == [-1, -1]
    assert matched_boundaries(0, 140) == [-1, -1]  # sentinels are not interior boundaries


def test_the_nearest_boundary_keypoint_wins():
    assert matched_boundaries(9, 9.5, 11.5) == [-1, 0, -1]


def test_more_matches_beat_a_smaller_distance():
    close = Segmentation(np.array([0, 20, 23, 40]), np.array([0, 1, 0]))
    # 21.5 is nearest to boundary 20, where its only rival is 18.5; both match only if 21.5 goes to 23
    assert matched_boundaries(18.5, 21.5, reference=close) == [0, 1]
    assert matched_boundaries(20, 21, reference=close) == [0, 1]


def test_nothing_to_match():
    empty = Segmentation(np.zeros(1, np.int64), np.zeros(0, np.int64))
    single = Segmentation(np.array([0, 9]), np.array([2]))
    for reference in (empty, single, REFERENCE):
        nothing = assign(actions(), boundaries(), reference)
        assert nothing.action_to_segment.shape == nothing.boundary_to_boundary.shape == (0,)
        assert nothing.action_to_segment.dtype == nothing.boundary_to_boundary.dtype == np.int64
    assert matched_actions((0, 2), reference=empty) == [-1]
    assert matched_boundaries(0, reference=empty) == [-1]
    assert matched_boundaries(4, reference=single) == [-1]
    assert matched_actions((4, 2), reference=single) == [0]


@st.composite
def problems(draw):
    lengths = draw(st.lists(st.integers(1, 60), min_size=1, max_size=8))
    labels = draw(st.lists(st.integers(0, 2), min_size=len(lengths), max_size=len(lengths)))
    bounds = np.concatenate(([0], np.cumsum(lengths)))
    quarter = st.integers(-8, 4 * int(bounds[-1]) + 8).map(lambda q: q / 4)
    points = draw(st.lists(st.tuples(quarter, st.integers(0, 2)), max_size=12))
    # most boundary keypoints are near a boundary, where gates overlap
    near = st.tuples(st.sampled_from(bounds.tolist()), st.integers(-12, 12)).map(lambda p: p[0] + p[1] / 4)
    return actions(*points), boundaries(*draw(st.lists(near, max_size=12))), Segmentation(bounds, np.array(labels))


def dense_hungarian(distance, gated):
    """Number of gated pairs and total distance of the best matching, over all pairs."""
    row, column = linear_sum_assignment(np.where(gated, distance, 1e6))
    kept = gated[row, column]
    return int(kept.sum()), distance[row, column][kept].sum()


@settings(max_examples=200, deadline=None)
@given(problems())
def test_equals_a_dense_hungarian(problem):
    points, cuts, reference = problem
    bounds, result = reference.boundaries, assign(*problem)
    centres = (bounds[:-1] + bounds[1:] - 1) / 2
    inside = (points.time[:, None] >= bounds[:-1]) & (points.time[:, None] < bounds[1:])
    lengths = np.diff(bounds)
    gates = np.maximum(2, 0.1 * np.minimum(lengths[:-1], lengths[1:]))
    cut_distance = np.abs(cuts.time[:, None] - bounds[1:-1])
    for match, distance, gated in [
        (
            result.action_to_segment,
            np.abs(points.time[:, None] - centres),
            inside & (points.label[:, None] == reference.labels),
        ),
        (result.boundary_to_boundary, cut_distance, cut_distance <= gates),
    ]:
        rows = np.flatnonzero(match >= 0)
        columns = match[rows]
        assert len(set(columns.tolist())) == len(columns)
        assert gated[rows, columns].all()
        pairs, total = dense_hungarian(distance, gated)
        assert len(rows) == pairs
        np.testing.assert_allclose(distance[rows, columns].sum(), total)


def test_a_long_video_needs_little_memory():
    random = np.random.default_rng(0)
    cuts = np.sort(random.choice(np.arange(1, 5000), 999, replace=False))
    reference = Segmentation(np.concatenate(([0], cuts, [5000])), random.integers(0, 10, 1000))
    time = random.uniform(0, 5000, 2000)
    points = ActionKeypoints(time, random.integers(0, 10, 2000), np.ones(2000))
    tracemalloc.start()
    result = assign(points, BoundaryKeypoints(time, np.ones(2000)), reference)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (result.boundary_to_boundary >= 0).sum() > 500
    assert (result.action_to_segment >= 0).sum() > 100
    assert peak < 8e6  # a dense cost matrix alone would take 16 MB
