"""Frame rates as text: the one parser."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated

from pydantic import BeforeValidator

from keyseg.timeline.errors import TimelineError

RATE_PATTERN = r"[0-9]{1,9}(/[0-9]{1,9}|\.[0-9]{1,20})?"
HIGHEST_RATE = 100_000


def parse_rate(value: object) -> Fraction:
    """The exact frame rate that a number, a fraction or a text spells.

    Raises TimelineError, which is a ValueError, unless it reads like `30`, `29.97` or `30000/1001` and is above 0 and
    at most 100000.

    >>> parse_rate("30000/1001")
    Fraction(30000, 1001)
    >>> parse_rate(29.97)
    Fraction(2997, 100)
    """
    # An int of thousands of digits has no text.
    text = "" if isinstance(value, int) and abs(value) > HIGHEST_RATE else str(value).strip()
    try:
        rate = Fraction(text) if re.fullmatch(RATE_PATTERN, text) else Fraction(0)
    except ZeroDivisionError:
        rate = Fraction(0)
    if not 0 < rate <= HIGHEST_RATE:
        raise TimelineError(
            "a frame rate is a number such as 15 or 29.97, or a fraction such as 30000/1001, above 0 and at most"
            f" {HIGHEST_RATE}; got {text[:40]!r}"
        )
    return rate


Rate = Annotated[Fraction, BeforeValidator(parse_rate)]
"""A frame rate in a pydantic model: read by `parse_rate`, exact, and dumped as text such as 30000/1001."""
