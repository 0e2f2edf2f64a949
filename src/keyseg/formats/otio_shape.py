"""The shape of OpenTimelineIO's JSON, checked before its library reads it, which other shapes can crash."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

from keyseg.timeline import DataError

_SCHEMA, _REFERENCE = "OTIO_SCHEMA", "OTIO_REF_ID"
_VERSIONED = re.compile(r"(\w+)\.\d{1,9}", re.ASCII)
_TIME = re.compile("RationalTime")
_RANGE = re.compile("TimeRange")
_MEDIA = re.compile(r"\w+Reference")
# By field: the kinds of object that it may hold; None may be in each of them.
_ONE = {
    **dict.fromkeys(("source_range", "available_range", "marked_range"), _RANGE),
    **dict.fromkeys(("start_time", "duration", "in_offset", "out_offset", "global_start_time"), _TIME),
    "media_reference": _MEDIA,
    "tracks": re.compile("Stack"),
}
# Of the items of a list.
_SEVERAL = {
    "children": re.compile("Stack|Track|Sequence|Clip|Gap|Filler|Transition"),
    "markers": re.compile("Marker"),
    "effects": re.compile(r"\w+"),
}
_PLAIN: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("name", "kind", "target_url", "generator_kind", "active_media_reference_key", "comment"), str),
    "enabled": bool,
    **dict.fromkeys(("rate", "value"), (int, Decimal)),
    "metadata": dict,
}


def check_shape(content: Any, path: Path, holds: str) -> None:
    """Raise DataError unless this is a timeline, with objects and values where they can be and without references, by
    which it could contain itself.

    content: what `read_json` makes of the file. Metadata may hold anything else.
    """
    if _kind(content) != "Timeline":
        raise DataError(f"{path}: expected {holds}, got {_kind(content) or repr(content)[:80]}")
    waiting: list[tuple[Any, str, bool]] = [(content, "Timeline", True)]
    while waiting:
        thing, where, known = waiting.pop()
        if isinstance(thing, dict):
            if _REFERENCE in thing or _kind(thing) == "SerializableObjectRef":
                raise DataError(f"{path}: {where} refers to another part of the file; export the timeline again")
            for key, value in thing.items():
                if known and _kind(thing):
                    _check(key, value, f"{path}: {where}: {key}")
                place = _kind(value) or where
                waiting.append((value, place, known and key != "metadata"))
        elif isinstance(thing, list):
            waiting += [(one, _kind(one) or where, known) for one in thing]


def _check(key: str, value: Any, where: str) -> None:
    """Raise DataError unless the value may be one of this key."""
    if value is None:
        return
    if key in _PLAIN and not _is_plain(value, _PLAIN[key]):
        raise DataError(f"{where}: unexpected value {repr(value)[:80]}")
    if key in _ONE:
        _need(value, _ONE[key], where)
    if key == "media_references":
        for one in value.values() if isinstance(value, dict) else [value]:
            _need(one, _MEDIA, where)
    if key in _SEVERAL:
        for one in value if isinstance(value, list) else [value]:
            _need(one, _SEVERAL[key], where)


def _is_plain(value: Any, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _need(value: Any, kinds: re.Pattern[str], where: str) -> None:
    kind = _kind(value)
    if kind is None or not kinds.fullmatch(kind):
        raise DataError(f"{where}: expected {kinds.pattern}, got {kind or repr(value)[:80]}")


def _kind(value: Any) -> str | None:
    """The schema of an object, without its version."""
    schema = value.get(_SCHEMA) if isinstance(value, dict) else None
    match = _VERSIONED.fullmatch(schema) if isinstance(schema, str) else None
    return match[1] if match else None
