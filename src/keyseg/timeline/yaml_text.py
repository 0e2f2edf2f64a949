"""YAML by the core schema of YAML 1.2, in which `no`, `1:30` and dates are text and 1e-4 is a number."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from keyseg.timeline.errors import ConfigError, DataError, KeysegError
from keyseg.timeline.files import read_text

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


class _Loader(yaml.SafeLoader):
    """Reads no more than null, truth values and numbers; PyYAML alone reads YAML 1.1, in which `no` is false."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 (of its base)


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


def read_yaml(path: Path, holds: str) -> Any:
    """The value that a YAML file holds; None for none. Raises ConfigError with `holds`, what the file should hold."""
    try:
        text = read_text(path, holds)
    except DataError as error:
        raise ConfigError(str(error)) from error
    return from_yaml(text, str(path))


def from_yaml(text: str, source: str, refuse: type[KeysegError] = ConfigError) -> Any:
    """The value that a YAML text holds; None for none. Raises `refuse` with source and line on what is not YAML.

    >>> from_yaml("{rest: no, rate: 1e-4, refine: true}", "recipe.yaml")
    {'rest': 'no', 'rate': 0.0001, 'refine': True}
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{source}:{mark.line + 1}" if mark else source
        raise refuse(f"{where}: not YAML ({getattr(error, 'problem', None) or error})") from error


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
