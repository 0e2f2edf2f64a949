"""Frame rates as text: the forms that are read, exactly, and those that are refused at once."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from keyseg.timeline import TimelineError
from keyseg.timeline.rates import Rate, parse_rate


@pytest.mark.parametrize(
    ("value", "rate"),
    [
        ("15", 15),
        (" 15\n", 15),
        (15, 15),
        (15.0, 15),
        ("015", 15),
        ("29.97", Fraction(2997, 100)),
        (29.97, Fraction(2997, 100)),
        (Decimal("29.970"), Fraction(2997, 100)),
        (30000 / 1001, Fraction("29.97002997002997")),
        ("30000/1001", Fraction(30000, 1001)),
        (Fraction(30000, 1001), Fraction(30000, 1001)),
        ("60/2", 30),
        ("0.001", Fraction(1, 1000)),
        ("100000", 100_000),
        ("200000/2", 100_000),
    ],
)
def test_numbers_and_fractions_are_read_exactly(value: object, rate: Fraction) -> None:
    assert parse_rate(value) == rate
    assert isinstance(parse_rate(value), Fraction)


@pytest.mark.parametrize(
    "value",
    [
        "0", 0, "0.0", "0/5", "1/0", "-15", -1, "+15", "100001", "100000.1", "1/", "/2", "15.", ".5", "1/2/3", "1.5/2",
        "1e2",        "1e99999999",
        "9" * 10, "1." + "1" * 21, "9" * 100_000, "nan", "inf", float("nan"), float("inf"), "", " ",
        "fast",        "1_5", "15 fps", "1 5", "١٥", "0x10", None, True, [15], "15\0",
    ],
    ids=lambda value: repr(value)[:20],
)  # fmt: skip
def test_anything_else_is_refused_at_once(value: object) -> None:
    start = time.perf_counter()
    with pytest.raises(TimelineError, match=r"number such as 15 or 29\.97, or a fraction such as 30000/1001, .*; got"):
        parse_rate(value)
    assert time.perf_counter() - start < 1


def test_the_message_shows_what_came_and_stays_short() -> None:
    with pytest.raises(ValueError, match=r"above 0 and at most 100000; got 'fast'$"):
        parse_rate("fast")
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        parse_rate("9" * 1000)
    assert len(str(caught.value)) < 200


@given(st.fractions(Fraction(1, 1000), 100_000, max_denominator=10**4))
def test_a_rate_written_as_text_reads_back(rate: Fraction) -> None:
    assert parse_rate(str(rate)) == rate


class Video(BaseModel):
    fps: Rate = Fraction(15)


def test_a_model_reads_and_writes_rates() -> None:
    video = Video.model_validate({"fps": "30000/1001"})
    assert video.fps == Fraction(30000, 1001)
    assert video.model_dump() == {"fps": "30000/1001"}
    assert json.loads(video.model_dump_json()) == {"fps": "30000/1001"}
    assert Video.model_validate_json('{"fps": 29.97}').fps == Fraction(2997, 100)
    with pytest.raises(ValidationError, match="a frame rate is a number such as 15"):
        Video.model_validate({"fps": "1e99999999"})


def test_a_number_that_has_no_text_is_refused() -> None:
    with pytest.raises(TimelineError, match="at most 100000"):
        parse_rate(10**5000)
