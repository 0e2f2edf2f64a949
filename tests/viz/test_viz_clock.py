"""Time axes: round ticks, and times written as seconds, mm:ss or h:mm:ss."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg.viz.clock import axis_time, axis_unit, time_ticks


@pytest.mark.parametrize(
    ("seconds", "total", "decimals", "text"),
    [
        (12.345, 60, 2, "12.35"),
        (0, 119.9, 0, "0"),
        (65, 120, 0, "1:05"),
        (59.999, 600, 2, "1:00.00"),
        (3599.96, 3599.96, 1, "60:00.0"),
        (3725, 7200, 0, "1:02:05"),
    ],
)
def test_times_are_written_with_the_unit_of_the_whole(seconds, total, decimals, text):
    assert axis_time(seconds, total, decimals) == text
    assert axis_time(seconds, total, decimals, unit=True) == text + (" s" if total < 120 else "")


def test_units_change_at_two_minutes_and_at_an_hour():
    assert [axis_unit(t) for t in (0, 119, 120, 3599, 3600)] == ["s", "s", "mm:ss", "mm:ss", "h:mm:ss"]


@settings(max_examples=60, deadline=None)
@given(st.floats(0.001, 1e6))
def test_ticks_are_even_round_and_within_the_video(total):
    at = np.array([seconds for seconds, _ in time_ticks(total)])
    texts = [text for _, text in time_ticks(total)]
    assert at[0] == 0
    assert at[-1] <= total * (1 + 1e-9)
    assert len(at) <= 11
    assert len(set(texts)) == len(texts)
    assert np.allclose(np.diff(at), at[1] if len(at) > 1 else 0)
    # The next tick would lie outside: none is missing at the end.
    assert len(at) == 1 or at[-1] + at[1] > total


def test_ticks_of_a_known_length():
    assert time_ticks(45) == [(5 * i, str(5 * i)) for i in range(10)]
    assert time_ticks(0.3)[-1] == (pytest.approx(0.3), "0.30")
    assert time_ticks(600)[1] == (60, "1:00")


def test_an_empty_video_has_one_tick():
    assert time_ticks(0) == [(0.0, "0")]
