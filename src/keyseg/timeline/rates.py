"""Frame rates as text: the one parser."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

from keyseg.timeline.errors import TimelineError

_RATE = re.compile(r"\d{1,9}(?:/\d{1,9}|\.\d{1,12})?", re.ASCII)
_HIGHEST = 100_000


def parse_rate(text: object) -> Fraction:
    """The exact frame rate of a number or a fraction.

    Raises TimelineError, a ValueError, unless it is one of the forms `30`, `29.97` and `30000/1001`, above 0 and at
    most 100000.

    >>> parse_rate("30000/1001")
    Fraction(30000, 1001)
    """
    spelled = str(text).strip()
    try:
        rate = Fraction(spelled) if _RATE.fullmatch(spelled) else Fraction(0)
    except ZeroDivisionError:
        rate = Fraction(0)
    if not 0 < rate <= _HIGHEST:
        raise TimelineError(
            f"a frame rate is a number such as 15 or 29.97, or a fraction such as 30000/1001, above 0 and at most"
            f" {_HIGHEST}; got {spelled[:40]!r}"
        )
    return rate


Rate = Annotated[Fraction, BeforeValidator(parse_rate), PlainSerializer(str, when_used="json")]
"""A frame rate in a pydantic model: read by `parse_rate`, exact, written as text."""
