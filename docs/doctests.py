"""An extension of Griffe for the site: the examples of docstrings, `>>>` lines in plain text, become blocks of code."""

from __future__ import annotations

import re
from typing import Any

import griffe

_EXAMPLE = re.compile(r"^(?:[ ]*>>>.*\n?)(?:[ ]*\S.*\n?)*", re.MULTILINE)


class Doctests(griffe.Extension):
    """Fences the examples of every docstring that is read."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Fence the examples of one object."""
        if obj.docstring:
            obj.docstring.value = _EXAMPLE.sub(_fenced, obj.docstring.value)


def _fenced(example: re.Match[str]) -> str:
    lines = example[0].rstrip("\n").splitlines()
    shown = [
        re.sub(r"\s*# doctest:.*", "", line.strip() if line.lstrip().startswith(">>>") else line) for line in lines
    ]
    return "\n```pycon\n" + "\n".join(shown) + "\n```\n"
