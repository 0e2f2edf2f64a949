"""JSON that is read strictly: exact numbers, no key twice, each value asked for by its type."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from keyseg.timeline import DataError
from keyseg.timeline.files import read_text

Kind = TypeVar("Kind")
_CALLED = {dict: "an object", list: "a list", str: "a text", int: "a whole number"}


def load(path: Path, holds: str) -> Any:
    """The content of a JSON file; numbers with a point are Decimal. Raises DataError with file and line."""
    return parse(read_text(path, holds), str(path), holds)


def parse(text: str, where: str, holds: str) -> Any:
    """The content of a JSON text; numbers with a point are Decimal. Raises DataError."""
    try:
        return json.loads(
            text,
            parse_float=Decimal,
            parse_constant=_constant,
            object_pairs_hook=_without_repeats,
        )
    except json.JSONDecodeError as error:
        raise DataError(f"{where}:{error.lineno}: not JSON ({error.msg}); it should hold {holds}") from None
    except RecursionError:
        raise DataError(f"{where}: lists in lists without end; it should hold {holds}") from None
    except (ValueError, ArithmeticError) as error:
        raise DataError(f"{where}: {error}; it should hold {holds}") from None


def need(content: Any, key: str, kind: type[Kind], where: str) -> Kind:
    """`content[key]`, which is of a kind. Raises DataError at `where`."""
    found = content.get(key)
    if not isinstance(found, kind) or isinstance(found, bool):
        got = "nothing" if found is None else repr(found)[:80]
        raise DataError(f"{where}: expected {_CALLED[kind]} at {key!r}, got {got}")
    return found


def objects(content: Any, where: str) -> Iterable[tuple[dict[str, Any], str]]:
    """The objects of a list, each with its place. Raises DataError on anything else."""
    if not isinstance(content, list):
        raise DataError(f"{where}: expected a list, got {repr(content)[:80]}")
    for index, item in enumerate(content):
        if not isinstance(item, dict):
            raise DataError(f"{where}[{index}]: expected an object, got {repr(item)[:80]}")
        yield item, f"{where}[{index}]"


def dump(content: Any) -> str:
    """JSON with a line a value, in UTF-8 letters."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} stands twice")
    return content
