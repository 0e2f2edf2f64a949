"""JSON that is read strictly: exact numbers, no duplicate keys, and values of the expected types."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from keyseg.timeline import DataError
from keyseg.timeline.files import read_text

_Value = TypeVar("_Value")
_CALLED = {dict: "an object", list: "a list", str: "a string", int: "a whole number"}


def read_json(path: Path, holds: str, encoding: str | None = None, *, nan: bool = False) -> tuple[str, Any]:
    """A JSON file as text and as content, with Decimal for decimal numbers; `nan` accepts NaN, as a Decimal.

    Raises DataError with file and line.
    """
    text = read_text(path, holds, encoding)
    try:
        constant = Decimal if nan else _constant
        return text, json.loads(text, parse_float=Decimal, parse_constant=constant, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}: not JSON ({error.msg}); it should hold {holds}") from None
    except RecursionError:
        raise DataError(f"{path}: nested too deeply; it should hold {holds}") from None
    except (ValueError, ArithmeticError) as error:
        raise DataError(f"{path}: {error}; it should hold {holds}") from None


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


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"duplicate key {next(name for name in names if names.count(name) > 1)!r}")
    return content
