"""Options that several verbs share. The parser converts them, so that a wrong value is an error that names its flag."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from keyseg.timeline.rates import parse_rate


def background_names(names: Iterable[str]) -> tuple[str, ...]:
    """Class names as typed; the single word `none` stands for no class.

    >>> background_names(["idle", "rest"]), background_names(["none"])
    (('idle', 'rest'), ())
    """
    typed = tuple(names)
    return () if typed == ("none",) else typed


def split_numbers(text: str) -> tuple[int, ...]:
    """The splits of `1`, `1,2` or `all`; all of them are ().

    >>> split_numbers("1,3"), split_numbers("all")
    ((1, 3), ())
    """
    if text == "all":
        return ()
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"expected a split's number, several as 1,2, or all; got {text!r}") from None


Options = Parameter(name="*", show_default=False)  # the fields of a dataclass are options of the verb

# Converters get a type and the words that were typed, as tokens.
Background = Annotated[
    tuple[str, ...] | None,
    Parameter(consume_multiple=True, converter=lambda _, words: background_names(word.value for word in words)),
]
Changes = Annotated[tuple[str, ...], Parameter(name="--set", allow_leading_hyphen=True, show_default=False)]
Formats = Annotated[
    tuple[str, ...],
    Parameter(
        name="--format",
        converter=lambda _, words: [name.strip() for word in words for name in word.value.split(",")],
        n_tokens=1,
        show_default=",".join,
    ),
]
_RATE = Parameter(converter=lambda _, words: parse_rate(words[0].value), n_tokens=1)  # or cyclopts tries Fraction first
FrameRate = Annotated[Fraction, _RATE]
FrameRateOrNone = Annotated[Fraction | None, _RATE]
PositiveNumber = Annotated[int, Parameter(validator=Number(gte=1))]
SplitNumbers = Annotated[
    tuple[int, ...],
    Parameter(
        name="--split",
        help="A split's number, several as 1,2, or all.",
        converter=lambda _, words: split_numbers(",".join(word.value for word in words)),
        n_tokens=1,
        show_default=lambda splits: ",".join(map(str, splits)) or "all",
    ),
]
SplitNumbersOrNone = Annotated[
    tuple[int, ...] | None,
    Parameter(
        name="--split",
        help="A split's number, several as 1,2, all, or none with --final.",
        converter=lambda _, words: None if words[0].value == "none" else split_numbers(words[0].value),
        n_tokens=1,
        show_default=lambda splits: ",".join(map(str, splits)) or "all",
    ),
]
Seeds = Annotated[
    tuple[int, ...],
    Parameter(name="--seed", consume_multiple=True, show_default=lambda seeds: " ".join(map(str, seeds))),
]
