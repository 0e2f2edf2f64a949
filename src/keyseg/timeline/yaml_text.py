"""YAML by the core schema of YAML 1.2, in which `no`, `1:30` and dates are text and 1e-4 is a number."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from keyseg.timeline.errors import ConfigError, DataError, KeysegError
from keyseg.timeline.files import NO_TEXT, read_text

_MOST_YAML = 2**20  # bytes of a file
_MOST_VALUES = 40_000  # keys and values: those of 20,000 lines, and a second of time
_DEEPEST = 20
_LONGEST = 100  # characters of a number

_CORE = {
    "null": (r"~|null|Null|NULL|", "~nN"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    "float": (
        r"[-+]?((\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.(inf|Inf|INF))|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
}
"""By kind of value: which plain text it is, and the characters that this starts with; all other plain text is text."""


class _Refused(yaml.MarkedYAMLError):
    """What is YAML, and not read here."""


class _Loader(yaml.SafeLoader):
    """Reads no more than null, truth values and numbers; PyYAML alone reads YAML 1.1, in which `no` is false.

    What no file of settings needs is refused, since it is what makes YAML slow or dangerous: anchors and aliases, tags,
    deep nesting, and long numbers. The composer of PyYAML is the only one with these checks: that of libyaml ends the
    program where the nesting is too deep.
    """

    yaml_implicit_resolvers = {}  # noqa: RUF012 (of its base)
    depth = values = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise self._wrong("anchors and aliases are not read; write the value out", event)
        if event.tag is not None:
            raise self._wrong("tags are not read; remove it", event)
        if isinstance(event, yaml.ScalarEvent) and NO_TEXT.search(event.value):
            raise self._wrong("an escape is no character that can be written", event)
        self.depth, self.values = self.depth + 1, self.values + 1
        if self.depth > _DEEPEST:
            raise self._wrong(f"nested too deeply; at most {_DEEPEST} levels are read", event)
        if self.values > _MOST_VALUES:
            raise self._wrong(f"too many values; at most {_MOST_VALUES} are read", event)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def _wrong(self, what: str, at: Any) -> _Refused:
        return _Refused(problem=what, problem_mark=at.start_mark)

    def number(self, node: yaml.ScalarNode) -> int | float:
        if len(node.value) > _LONGEST:
            raise self._wrong(f"the number {node.value[:20]}... is too long", node)
        if not re.fullmatch("[-+]?[0-9]+", node.value):
            value = self.construct_yaml_float(node)
            if not math.isfinite(value) and re.search("[0-9]", node.value):
                raise self._wrong(f"the number {node.value} is too large", node)
            return value
        if not -(2**63) <= int(node.value) < 2**63:
            raise self._wrong(f"the number {node.value} does not fit into 64 bits", node)
        return int(node.value)

    def mapping(self, node: yaml.MappingNode) -> dict[Any, Any]:
        lines: dict[Any, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise self._wrong("expected a word as a key", key)
            if key.value in lines:
                raise self._wrong(f"{key.value[:80]!r} is on line {lines[key.value]} already", key)
            lines[key.value] = line
        return self.construct_mapping(node, deep=True)


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.1 or 1.2 would not read as text."""


for _kind, (_pattern, _first) in _CORE.items():
    for _class in (_Loader, _Dumper):
        start = [*_first, ""] if _kind == "null" else list(_first)
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(f"({_pattern})$"), start)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Line breaks escaped, since other quotes would keep them as they are."""
    style = '"' if re.search("[\n\x85\u2028\u2029]", text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
for _kind, _make in (("int", _Loader.number), ("float", _Loader.number), ("map", _Loader.mapping)):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _make)


def read_yaml(path: Path, holds: str, refuse: type[KeysegError] = ConfigError) -> Any:
    """The value that a YAML file holds; None for none. Raises `refuse` with `holds`, what the file should hold."""
    return yaml_value(read_yaml_node(path, holds, refuse), str(path), refuse)


def from_yaml(text: str, source: str, refuse: type[KeysegError] = ConfigError) -> Any:
    """The value that a YAML text holds; None for none. Raises `refuse` with source and line on what is not YAML.

    Anchors, aliases, tags, keys that occur twice, numbers over 64 bits, and text over 1 MiB are refused.

    >>> from_yaml("{rest: no, rate: 1e-4, refine: true}", "recipe.yaml")
    {'rest': 'no', 'rate': 0.0001, 'refine': True}
    """
    return yaml_value(_composed(text, source, refuse), source, refuse)


def read_yaml_node(path: Path, holds: str, refuse: type[KeysegError] = ConfigError) -> yaml.Node | None:
    """The same as PyYAML's node, which knows its lines."""
    try:
        text = read_text(path, holds, most=_MOST_YAML)
    except DataError as error:
        raise refuse(str(error)) from error
    return _composed(text, str(path), refuse)


def yaml_value(node: yaml.Node | None, source: str, refuse: type[KeysegError] = ConfigError) -> Any:
    """The value of a node that this module read."""
    with _refusing(source, refuse):
        return None if node is None else _Loader("").construct_document(node)


def _composed(text: str, source: str, refuse: type[KeysegError]) -> yaml.Node | None:
    if len(text) > _MOST_YAML:
        raise refuse(f"{source}: too large; expected YAML of at most {_MOST_YAML} characters")
    with _refusing(source, refuse):
        return _Loader(text).get_single_node()


@contextmanager
def _refusing(source: str, refuse: type[KeysegError]) -> Iterator[None]:
    """Raises `refuse` with source and line where PyYAML raises something."""
    try:
        yield
    except (yaml.YAMLError, ValueError, ArithmeticError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{source}:{mark.line + 1}" if mark else source
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        what = reason if isinstance(error, _Refused) else f"not YAML ({str(reason)[:200]})"
        raise refuse(f"{where}: {what}") from error


def to_yaml(value: Any, *, one_line: bool = False) -> str:
    """A value as YAML, its keys in their order.

    >>> to_yaml({"rest": "no", "rates": [1, 0.0001]}, one_line=True)
    "{rest: 'no', rates: [1, 0.0001]}"
    """
    width = float("inf") if one_line else None
    text: str = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=one_line, width=width, allow_unicode=True, sort_keys=False
    )
    return text.removesuffix("\n").removesuffix("\n...") if one_line else text
