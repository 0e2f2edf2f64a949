"""The limits that choose figure 2's boxes include their own value."""

from __future__ import annotations

import pytest

from keyseg.timeline import Segmentation
from keyseg.viz import differing_ranges

LENGTH = 100
TRUTH = Segmentation.from_frames([1] * LENGTH)


def wrong_in(*ranges: tuple[int, int]) -> Segmentation:
    """A system that errs in these frames only."""
    return Segmentation.from_frames([0 if any(a <= i < b for a, b in ranges) else 1 for i in range(LENGTH)])


@pytest.mark.parametrize(("end", "boxes"), [(44, []), (45, [(30, 45)]), (46, [(30, 46)])])
def test_a_range_of_the_shortest_length_is_shown(end: int, boxes: list[tuple[int, int]]) -> None:
    assert differing_ranges(TRUTH, TRUTH, [wrong_in((30, end))], shortest=15) == boxes


@pytest.mark.parametrize(("gap", "boxes"), [(9, [(10, 30), (40, 60)]), (10, [(10, 60)]), (11, [(10, 60)])])
def test_ranges_as_far_apart_as_the_gap_are_joined(gap: int, boxes: list[tuple[int, int]]) -> None:
    assert differing_ranges(TRUTH, TRUTH, [wrong_in((10, 30), (40, 60))], gap=gap, share=0.5) == boxes


@pytest.mark.parametrize(("share", "boxes"), [(0.8, [(10, 60)]), (0.81, [(10, 30), (40, 60)])])
def test_ranges_are_joined_if_the_others_err_in_exactly_the_share(share: float, boxes: list[tuple[int, int]]) -> None:
    assert differing_ranges(TRUTH, TRUTH, [wrong_in((10, 30), (40, 60))], gap=10, share=share) == boxes


def test_at_most_so_many_are_shown() -> None:
    system = wrong_in((0, 15), (30, 46), (60, 77))
    assert differing_ranges(TRUTH, TRUTH, [system], most=2) == [(30, 46), (60, 77)]
    assert differing_ranges(TRUTH, TRUTH, [system], most=3) == [(0, 15), (30, 46), (60, 77)]
