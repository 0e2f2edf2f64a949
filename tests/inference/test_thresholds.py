"""What lies exactly at a threshold of the rules counts, and a video without keypoints gets its most probable class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from keyseg.inference.decoding import KeypointOutput, ProposalConfig, RefinementScores, Rules, decode, propose_keypoints
from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints

STEPS = 40
RULES = Rules(action_threshold=0.25, boundary_threshold=0.5, keep_threshold=0.375, frame_weight=0.0)


def read(
    actions: Any, boundaries: Any, refinement: RefinementScores | None = None, action: Any = None
) -> KeypointOutput:
    """A network's output for a video of 40 steps and 3 classes."""
    flat = np.full((3, STEPS), 0.1, np.float32)
    keypoints = ActionKeypoints.of(actions), BoundaryKeypoints.of(boundaries)
    return KeypointOutput(flat, flat[None], flat if action is None else action, flat[0], *keypoints, refinement)


def judge(keep_action: float, keep_boundary: float) -> RefinementScores:
    """The refinement of two actions and one boundary at step 20: the second action and the boundary as given."""
    return RefinementScores(
        np.array([1.0, keep_action]), np.array([keep_boundary]), np.eye(3)[[0, 1]], np.array([20.0])
    )


def segments(reading: KeypointOutput, **options: Any) -> list[tuple[int, int, int]]:
    decoded = decode(reading, RULES, **options)
    return [(s.start_frame, s.end_frame, s.label) for s in decoded.segmentation]


BOTH, ONE = [(0, 20, 0), (20, 40, 1)], [(0, 40, 0)]
BELOW = {threshold: np.nextafter(threshold, 0) for threshold in (0.25, 0.375, 0.5)}


@pytest.mark.parametrize(
    ("action", "boundary", "result"), [(0.25, 0.5, BOTH), (BELOW[0.25], 0.5, ONE), (0.25, BELOW[0.5], ONE)]
)
def test_a_confidence_at_its_threshold_counts(action: float, boundary: float, result: list[Any]) -> None:
    assert segments(read([(10, 0, 0.9), (30, 1, action)], [(20, boundary)]), refine=False) == result


@pytest.mark.parametrize(
    ("action", "boundary", "result"), [(0.375, 0.375, BOTH), (BELOW[0.375], 0.375, ONE), (0.375, BELOW[0.375], ONE)]
)
def test_a_keep_probability_at_the_threshold_counts(action: float, boundary: float, result: list[Any]) -> None:
    reading = read([(10, 0, 0.9), (30, 1, 0.8)], [(20, 0.7)], judge(action, boundary))
    assert segments(reading, refine=True) == result


@pytest.mark.parametrize("best", [0, 1, 2])
def test_a_video_without_keypoints_is_one_segment_of_the_most_probable_class(best: int) -> None:
    action = np.full((3, STEPS), 0.01, np.float32)
    action[best] += 0.02
    action[(best + 1) % 3, 7] = 0.2  # the highest peak belongs to another class
    assert segments(read([], [], action=action), refine=False) == [(0, STEPS, best)]


@pytest.mark.parametrize(
    ("changes", "actions", "boundaries"),
    [
        ({}, [5, 9], [5, 9]),
        ({"radius": 4}, [5], [5]),
        ({"limit": 1}, [5], [5]),
        ({"action_threshold": 0.625}, [5], [5, 9]),
        ({"boundary_threshold": 0.625}, [5, 9], [5]),
    ],
)
def test_proposals_of_both_kinds_follow_the_options(changes: Any, actions: list[int], boundaries: list[int]) -> None:
    row = np.zeros(STEPS, np.float32)
    row[[5, 9]] = 0.75, 0.5
    config = ProposalConfig(**{"action_threshold": 0.25, "boundary_threshold": 0.25, "radius": 2, **changes})
    assert [points.time.tolist() for points in propose_keypoints(row[None], row, config)] == [actions, boundaries]
