"""Algorithm 1 line by line, slow and in exact fractions, against `assemble`."""

from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints, assemble

# Sixteenths, so that sums of floats are exact too, and ties are common.
whole_and_half = st.integers(-4, 130).map(lambda halves: halves / 2)
sixteenths = st.integers(0, 16).map(lambda n: n / 16)
actions = st.lists(st.tuples(whole_and_half, st.integers(0, 2), sixteenths), max_size=30)
boundaries = st.lists(st.tuples(whole_and_half, sixteenths), max_size=30)


class Action(NamedTuple):
    """parts: (time, confidence) of the points that it was merged from."""

    time: Fraction
    label: int
    confidence: Fraction
    parts: tuple


class Boundary(NamedTuple):
    time: Fraction
    confidence: Fraction


def mean(parts):
    """Confidence-weighted mean time; unweighted if no point has any confidence."""
    total = sum(confidence for _, confidence in parts)
    if total == 0:
        return sum(time for time, _ in parts) / len(parts)
    return sum(time * confidence for time, confidence in parts) / total


def read(actions, boundaries, length):
    """Points as fractions, in time order, inside the video; boundaries on whole frames, one per frame."""
    points = [(Fraction(t), label, Fraction(c)) for t, label, c in actions if 0 <= t <= length - 1]
    strongest = {}
    for time, confidence in boundaries:
        frame = round(Fraction(time))
        if 0 < frame < length:
            strongest[frame] = max(strongest.get(frame, Fraction(0)), Fraction(confidence))
    return (
        [Action(*point, ((point[0], point[2]),)) for point in sorted(points)],
        [Boundary(Fraction(frame), strongest[frame]) for frame in sorted(strongest)],
    )


def lines_1_to_4(actions, boundaries, length):
    for left, right in pairwise([0, *(b.time for b in boundaries), length]):
        inside = [a for a in actions if left <= a.time < right]
        if not inside:
            continue
        best = min(inside, key=lambda a: (-a.confidence, a.time, a.label))
        time = mean([(a.time, a.confidence) for a in inside if a.label == best.label])
        merged = Action(time, best.label, best.confidence, ((time, best.confidence),))
        actions = sorted([a for a in actions if a not in inside] + [merged])
    return actions


def lines_5_to_8(actions, boundaries):
    merged = []
    for left, right in pairwise(actions):
        between = [b for b in boundaries if left.time < b.time <= right.time]
        if between:
            merged.append(Boundary(Fraction(round(mean(between))), max(b.confidence for b in between)))
    return merged


def lines_9_to_15(actions, boundaries):
    changed = True
    while changed:
        changed = False
        for i, (left, right) in enumerate(pairwise(actions)):
            if left.label == right.label:
                boundaries = [b for b in boundaries if not left.time < b.time <= right.time]
                parts = left.parts + right.parts
                merged = Action(mean(parts), left.label, max(left.confidence, right.confidence), parts)
                actions = [*actions[:i], merged, *actions[i + 2 :]]
                changed = True
                break
    return actions, boundaries


def algorithm_1(actions, boundaries, length, fallback):
    """Frames painted one by one, and the remaining points."""
    actions, boundaries = read(actions, boundaries, length)
    if not actions:
        return [fallback] * length, [], []
    actions = lines_1_to_4(actions, boundaries, length)
    boundaries = lines_5_to_8(actions, boundaries)
    actions, boundaries = lines_9_to_15(actions, boundaries)
    frames = [None] * length
    for left, right in pairwise([0, *(b.time for b in boundaries), length]):
        (painter,) = [a for a in actions if left <= a.time < right]
        for frame in range(int(left), int(right)):
            frames[frame] = painter.label
    return frames, actions, boundaries


@settings(max_examples=200)
@given(actions, boundaries, st.integers(0, 64), st.integers(0, 3))
def test_assemble_agrees(actions, boundaries, length, fallback):
    result = assemble(ActionKeypoints.of(actions), BoundaryKeypoints.of(boundaries), length, fallback=fallback)
    frames, points, cuts = algorithm_1(actions, boundaries, length, fallback)
    assert result.segmentation.to_frames().tolist() == frames
    assert result.actions.label.tolist() == [a.label for a in points]
    assert result.actions.confidence.tolist() == [a.confidence for a in points]
    assert result.actions.time.tolist() == pytest.approx([float(a.time) for a in points], abs=1e-9)
    assert result.boundaries.time.tolist() == [b.time for b in cuts]
    assert result.boundaries.confidence.tolist() == [b.confidence for b in cuts]


def test_the_oracle_itself_by_hand():
    """As in Figure 1 of the supplement: merge actions, merge boundaries, join equal neighbours."""
    actions = [(4, 0, 0.5), (6, 0, 0.5), (8, 1, 0.25), (30, 1, 0.75), (50, 1, 0.25)]
    boundaries = [(10, 0.25), (14, 0.75), (40, 0.5)]
    frames, points, cuts = algorithm_1(actions, boundaries, 60, 0)
    assert frames == [0] * 13 + [1] * 47
    assert [(a.time, a.label, a.confidence) for a in points] == [(5, 0, 0.5), (35, 1, 0.75)]
    assert cuts == [(13, 0.75)]
