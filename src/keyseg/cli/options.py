"""Options that several verbs share. The parser converts them, so that a wrong value is an error that names its flag."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Annotated, Any

from cyclopts import Parameter, Token
from cyclopts.validators import Number

from keyseg.timeline.rates import parse_rate


def background_names(names: Iterable[str]) -> tuple[str, ...]:
    """Class names as typed; the single word `none` stands for no class."""
    typed = tuple(names)
    return () if typed == ("none",) else typed


def split_numbers(text: str) -> tuple[int, ...]:
    """The splits of `1`, `1,2` or `all`; all of them are ()."""
    if text == "all":
        return ()
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"expected a split's number, several as 1,2, or all; got {text!r}") from None


def _background(type_: Any, tokens: Sequence[Token]) -> tuple[str, ...]:
    return background_names(token.value for token in tokens)


def _rate(type_: Any, tokens: Sequence[Token]) -> Fraction:
    return parse_rate(tokens[0].value)


def _splits(type_: Any, tokens: Sequence[Token]) -> tuple[int, ...]:
    return split_numbers(",".join(token.value for token in tokens))


Background = Annotated[tuple[str, ...] | None, Parameter(consume_multiple=True, converter=_background)]
FrameRate = Annotated[Fraction, Parameter(converter=_rate)]
PositiveNumber = Annotated[int, Parameter(validator=Number(gte=1))]
SplitNumbers = Annotated[
    tuple[int, ...],
    Parameter(converter=_splits, n_tokens=1, show_default=lambda splits: ",".join(map(str, splits)) or "all"),
]
Seeds = Annotated[
    tuple[int, ...], Parameter(consume_multiple=True, show_default=lambda seeds: " ".join(map(str, seeds)))
]
