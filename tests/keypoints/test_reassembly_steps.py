"""Algorithm 1 rule by rule: the steps end where `assemble` does, and each reports what became of every point."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints, assemble, example_keypoints, reassembly_steps
from keyseg.timeline import Segmentation, TimelineError

times = st.integers(-6, 46).map(float) | st.floats(-6, 46)
confidences = st.sampled_from([0, 0.5, 1]) | st.floats(0, 1)
action_lists = st.lists(st.tuples(times, st.integers(0, 2), confidences), max_size=25)
boundary_lists = st.lists(st.tuples(times, confidences), max_size=25)
lengths = st.integers(0, 40)
many = settings(max_examples=80)


def content(actions, boundaries):
    """All numbers of a state, for bitwise comparison."""
    return [
        array.tolist()
        for array in (actions.time, actions.label, actions.confidence, boundaries.time, boundaries.confidence)
    ]


def by_title(steps):
    return {step.title: step for step in steps}


def parts_of(before, after):
    """(point, its parts) for the action points and the boundaries of a step, as (time, confidence) arrays."""
    kinds = (
        (before.actions, after.actions, after.actions_into),
        (before.boundaries, after.boundaries, after.boundaries_into),
    )
    for old, new, into in kinds:
        for i in range(len(new)):
            part = into == i
            yield (new.time[i], new.confidence[i]), (old.time[part], old.confidence[part])


@many
@given(action_lists, boundary_lists, lengths, st.integers(0, 3))
def test_the_last_step_is_what_assemble_returns(actions, boundaries, length, fallback):
    steps = reassembly_steps(actions, boundaries, length, fallback=fallback)
    points = ActionKeypoints.of(actions), BoundaryKeypoints.of(boundaries)
    whole = assemble(*points, length, fallback=fallback)
    assert steps[-1].segmentation == whole.segmentation
    assert content(steps[-1].actions, steps[-1].boundaries) == content(whole.actions, whole.boundaries)
    assert content(steps[0].actions, steps[0].boundaries) == content(*points)
    assert all(step.segmentation is None for step in steps[:-1])


@many
@given(action_lists, boundary_lists, lengths)
def test_each_rule_leaves_what_it_promises(actions, boundaries, length):
    steps = by_title(reassembly_steps(actions, boundaries, length))
    merged = steps["merge actions"]
    interval = np.searchsorted(merged.boundaries.time, merged.actions.time, side="right")
    assert (np.diff(interval) > 0).all()
    separated = steps["merge boundaries"]
    assert len(separated.boundaries) == max(len(separated.actions) - 1, 0)
    assert (separated.actions.time[:-1] < separated.boundaries.time).all()
    assert (separated.boundaries.time <= separated.actions.time[1:]).all()
    assert (np.diff(steps["join equal neighbours"].actions.label) != 0).all()


@many
@given(action_lists, boundary_lists, lengths)
def test_points_go_into_points_of_the_next_step_in_their_order(actions, boundaries, length):
    steps = reassembly_steps(actions, boundaries, length)
    assert len(steps[0].actions_into) == len(steps[0].boundaries_into) == 0
    for before, after in pairwise(steps):
        kinds = (
            (before.actions, after.actions, after.actions_into),
            (before.boundaries, after.boundaries, after.boundaries_into),
        )
        for old, new, into in kinds:
            assert len(into) == len(old)
            kept = into[into != -1].tolist()
            assert kept == sorted(kept)
            assert set(kept) == set(range(len(new)))  # every point has a source
        stays = after.actions_into >= 0
        assert before.actions.label[stays].tolist() == after.actions.label[after.actions_into[stays]].tolist()


@many
@given(action_lists, boundary_lists, lengths)
def test_a_point_lies_among_its_parts_and_is_as_confident_as_the_best(actions, boundaries, length):
    steps = reassembly_steps(actions, boundaries, length)
    for before, after in pairwise(steps):
        for (time, confidence), (part_times, part_confidences) in parts_of(before, after):
            assert part_times.min() - 1 < time < part_times.max() + 1  # boundaries are rounded to whole frames
            assert confidence == part_confidences.max()


@many
@given(action_lists, boundary_lists, lengths)
def test_action_points_are_at_the_weighted_mean_of_their_parts(actions, boundaries, length):
    steps = reassembly_steps(actions, boundaries, length)
    for before, after in pairwise(steps):
        for i, time in enumerate(after.actions.time):
            part = after.actions_into == i
            weights = before.actions.confidence[part]
            if weights.sum() > 1e-6:
                assert time == pytest.approx(np.average(before.actions.time[part], weights=weights))


@many
@given(action_lists, boundary_lists, lengths)
def test_what_lines_1_to_4_delete_is_of_another_class_and_no_more_confident(actions, boundaries, length):
    steps = reassembly_steps(actions, boundaries, length)
    at = [step.title for step in steps].index("merge actions")
    before, after = steps[at - 1].actions, steps[at].actions
    edges = steps[at].boundaries.time
    of_interval = {int(k): i for i, k in enumerate(np.searchsorted(edges, after.time, side="right"))}
    for j in np.flatnonzero(steps[at].actions_into == -1):
        winner = of_interval[int(np.searchsorted(edges, before.time[j], side="right"))]
        assert before.label[j] != after.label[winner]
        assert before.confidence[j] <= after.confidence[winner]


def test_the_worked_example_step_by_step():
    """The worked example of test_reassembly_examples.py, which has the arithmetic."""
    steps = reassembly_steps(
        [(10, 0, 0.9), (14, 0, 0.3), (20, 1, 0.5), (40, 1, 0.6), (50, 1, 0.2), (70, 1, 0.5), (90, 0, 0.4)],
        [(30, 0.8), (34, 0.2), (60, 0.6), (80, 0.7)],
        100,
    )
    assert [step.lines for step in steps] == ["", "1-4", "5-8", "9-15", "16-17"]
    given_, merged, separated, joined, painted = steps
    assert len(given_.actions) == 7
    assert merged.actions.time.tolist() == pytest.approx([11, 42.5, 70, 90])
    assert merged.actions_into.tolist() == [0, 0, -1, 1, 1, 2, 3]
    assert merged.boundaries_into.tolist() == [0, 1, 2, 3]
    assert separated.boundaries.time.tolist() == [31, 60, 80]
    assert separated.boundaries_into.tolist() == [0, 0, 1, 2]
    assert joined.actions.time.tolist() == pytest.approx([11, 55, 90])
    assert joined.actions_into.tolist() == [0, 1, 1, 2]
    assert joined.boundaries_into.tolist() == [0, -1, 1]
    assert painted.segmentation == Segmentation([0, 31, 80, 100], [0, 1, 0])


def test_reading_the_input_is_a_step_if_it_changes_something():
    steps = reassembly_steps([(-2, 0, 1), (3, 1, 1), (9, 0, 1)], [(4.8, 0.5), (5.2, 0.7), (7, 1), (30, 1)], 10)
    assert [step.title for step in steps[:3]] == ["keypoints", "read", "merge actions"]
    assert steps[0].boundaries.time.tolist() == [4.8, 5.2, 7, 30]
    assert steps[1].actions_into.tolist() == [-1, 0, 1]
    assert steps[1].boundaries.time.tolist() == [5, 7]
    assert steps[1].boundaries_into.tolist() == [0, 0, 1, -1]
    assert "read" not in by_title(reassembly_steps([(3, 1, 1)], [(4, 1)], 10))


def test_without_action_points_the_fallback_is_painted():
    steps = reassembly_steps([], [(4, 1)], 10, fallback=2)
    assert steps[-1].segmentation == Segmentation([0, 10], [2])
    assert by_title(steps)["merge boundaries"].boundaries_into.tolist() == [-1]
    assert reassembly_steps([(0, 1, 1)], [(0, 1)], 0)[-1].segmentation == Segmentation.from_frames([])


def test_a_negative_length_is_refused():
    with pytest.raises(TimelineError, match="length must be >= 0 frames, got -1"):
        reassembly_steps([], [], -1)


def test_in_the_example_every_rule_changes_something():
    steps = by_title(reassembly_steps(*example_keypoints()))
    merged, separated, joined = (
        steps[title] for title in ("merge actions", "merge boundaries", "join equal neighbours")
    )
    assert 12 <= len(steps["keypoints"].actions) + len(steps["keypoints"].boundaries) <= 20
    assert -1 in merged.actions_into  # a class loses ...
    assert max(np.bincount(merged.actions_into[merged.actions_into >= 0])) > 1  # ... and points of one class merge
    assert max(np.bincount(separated.boundaries_into[separated.boundaries_into >= 0])) > 1
    assert len(joined.actions) < len(separated.actions)
    assert len(set(steps["paint"].segmentation.labels.tolist())) >= 3
