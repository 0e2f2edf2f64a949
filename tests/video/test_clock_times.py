"""The duration that a container states as text."""

from __future__ import annotations

from fractions import Fraction

import pytest

from keyseg.video.opening import _clock_time


@pytest.mark.parametrize("text", ["", "1:2", "00:00:1e99999999", f"{'9' * 5000}:00:00", "-1:00:00", "00:00:1/3"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert _clock_time(text) is None


def test_a_time_is_exact() -> None:
    assert _clock_time("00:01:02.500000000\0") == Fraction(125, 2)
