"""JSON that is read strictly, the one reader: bounded numbers, no repeated keys, no text that cannot be written."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from keyseg.timeline.errors import DataError, KeysegError
from keyseg.timeline.files import read_text

MOST_JSON = 64 * 2**20
"""Bytes of the largest JSON file that is read."""

_Value = TypeVar("_Value")
_CALLED = {dict: "an object", list: "a list", str: "a string", int: "a whole number"}
_LONGEST = 100  # characters of a number
_FARTHEST = 308  # power of ten of a number; a float holds no larger one
_HALF = r"\\u[dD][89abAB][0-9a-fA-F]{2}"
_OTHER_HALF = r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
# Escapes of zero bytes, and of one half of a character without the other, which cannot be written as UTF-8.
_NO_TEXT = re.compile(rf"\\u0000|{_HALF}(?!{_OTHER_HALF})|(?<!\\u[dD][89abAB]..){_OTHER_HALF}")


def read_json(
    path: Path,
    holds: str,
    encoding: str | None = "utf-8",
    *,
    exact: bool = False,
    nan: bool = False,
    advice: str = "",
    refuse: type[KeysegError] = DataError,
) -> tuple[str, Any]:
    """A JSON file as text and as content; see `from_json`.

    holds: what the file should hold, and advice: what to do if it does not, for errors. encoding: None for UTF-8 where
    the user can name another.

    Raises `refuse` with file and line, also on a file that cannot be read.
    """
    try:
        text = read_text(path, holds, encoding, most=MOST_JSON)
        return text, from_json(text, str(path), holds, exact=exact, nan=nan)
    except DataError as error:
        raise refuse(f"{error}; {advice}" if advice else str(error)) from None


def read_object(
    path: Path, holds: str, *, nan: bool = False, advice: str = "", refuse: type[KeysegError] = DataError
) -> dict[str, Any]:
    """The object that a JSON file holds; see `read_json`. Raises `refuse`, also on another value."""
    _, content = read_json(path, holds, nan=nan, advice=advice, refuse=refuse)
    if not isinstance(content, dict):
        what = f"{path}: expected an object, got {repr(content)[:80]}; it should hold {holds}"
        raise refuse(f"{what}; {advice}" if advice else what)
    return content


def from_json(text: str, source: str, holds: str, *, exact: bool = False, nan: bool = False) -> Any:
    """The content of a JSON text.

    Whole numbers fit into 64 bits; decimal numbers are finite, and short enough to be made exact. exact: with Decimal
    for decimal numbers. nan: NaN and infinite constants are numbers.

    Raises DataError with source and line on anything else, on repeated keys, on nesting that is too deep, and on text
    with zero bytes or halves of characters.

    >>> from_json('{"fps": 29.97, "frames": 300}', "tea.json", "a timeline")
    {'fps': 29.97, 'frames': 300}
    """
    number = Decimal if exact else float

    def decimal(digits: str) -> Any:
        return number(_bounded(digits))

    def constant(name: str) -> Any:
        if nan:
            return number(name)
        raise ValueError(f"{name} is not a number")

    try:
        if "\\u" in text:
            _check_escapes(text)
        return json.loads(
            text, parse_float=decimal, parse_int=_whole, parse_constant=constant, object_pairs_hook=_without_repeats
        )
    except json.JSONDecodeError as error:
        raise DataError(f"{source}:{error.lineno}: not JSON ({error.msg}); it should hold {holds}") from None
    except RecursionError:
        raise DataError(f"{source}: nested too deeply; it should hold {holds}") from None
    except (ValueError, ArithmeticError) as error:
        raise DataError(f"{source}: {error}; it should hold {holds}") from None


def need(content: Any, key: str, kind: type[_Value], where: str) -> _Value:
    """`content[key]`, an instance of `kind`. Raises DataError at `where`."""
    value = content.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        got = "nothing" if value is None else repr(value)[:80]
        raise DataError(f"{where}: expected {_CALLED[kind]} at {key!r}, got {got}")
    return value


def objects(content: Any, where: str) -> Iterable[tuple[dict[str, Any], str]]:
    """The objects of a list, each with its place. Raises DataError on anything else."""
    if not isinstance(content, list):
        raise DataError(f"{where}: expected a list, got {repr(content)[:80]}")
    for index, item in enumerate(content):
        if not isinstance(item, dict):
            raise DataError(f"{where}[{index}]: expected an object, got {repr(item)[:80]}")
        yield item, f"{where}[{index}]"


def _bounded(digits: str) -> str:
    """A decimal number that floats hold and fractions make exact in no time. Raises ValueError."""
    exponent = digits.lower().partition("e")[2].lstrip("+-0")
    if len(digits) > _LONGEST or len(exponent) > 3 or abs(Decimal(digits).adjusted()) > _FARTHEST:
        raise ValueError(f"the number {digits[:20]}... is too long, too large or too small")
    return digits


def _whole(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**63:
        raise ValueError(f"the number {digits[:20]}... does not fit into 64 bits")
    return int(digits)


def _check_escapes(text: str) -> None:
    """Raise ValueError on an escape that stands for no text."""
    found = _NO_TEXT.search(text.replace(r"\\", "  "))
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise ValueError(f"line {line}: {found[0]} is no character that can be written")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        ((name, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"duplicate key {name[:80]!r}")
    return content
