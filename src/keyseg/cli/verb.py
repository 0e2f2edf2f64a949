"""Verbs made from public functions, whose parameters and help are the function's own; the command as it was typed."""

from __future__ import annotations

import inspect
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import update_wrapper
from pathlib import Path
from typing import Any

from keyseg.cli.terminal import show

# Given by the verb, not on the command line.
_FOR_PYTHON = {"report", "progress", "notify", "callbacks", "command", "failures"}

Verb = Callable[..., int]


def presents(function: Callable[..., Any], **options: Any) -> Callable[[Verb], Verb]:
    """Decorate what prints the result of `function`: it becomes a verb with the function's parameters and docstring.

    What the function takes before its `*` is positional on the command line, a sequence as any number of words; the
    rest are options. options: annotations of parameters whose names or values are written differently there. The
    decorated function gets all arguments by name.
    """
    parameters = []
    for name, parameter in inspect.signature(function).parameters.items():
        kind, annotation = parameter.kind, options.get(name, parameter.annotation)
        if isinstance(annotation, str):
            annotation = annotation.replace("Path | str", "Path")  # a word is parsed as a path
        if kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            several = str(annotation).startswith("Sequence[")
            kind = inspect.Parameter.VAR_POSITIONAL if several else inspect.Parameter.POSITIONAL_ONLY
            annotation = annotation.removeprefix("Sequence[").removesuffix("]") if several else annotation
        if name not in _FOR_PYTHON:
            parameters.append(parameter.replace(kind=kind, annotation=annotation))
    signature = inspect.Signature(parameters)

    def decorate(present: Verb) -> Verb:
        def verb(*values: Any, **named: Any) -> int:
            bound = signature.bind(*values, **named)
            bound.apply_defaults()
            return present(**bound.arguments)

        update_wrapper(verb, function)  # so that annotations are looked up in the function's module
        verb.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        verb.__signature__ = signature  # type: ignore[attr-defined]
        return verb

    return decorate


def printing(function: Callable[..., Any], **options: Any) -> Verb:
    """A verb that prints what `function` returns, such as the path of the file that it wrote."""

    @presents(function, **options)
    def verb(**arguments: Any) -> int:
        show(function(**arguments))
        return 0

    return verb


def command_line(arguments: Sequence[str] | None = None) -> str:
    """The command as typed, but of paths that are absolute or lead upwards only the last part, since bundles and tables
    are shared.

    >>> command_line(["train", "/home/me/salads", "--start", "../me/runs/1", "--out=runs/2"])
    'keyseg train salads --start 1 --out=runs/2'
    """
    words = sys.argv[1:] if arguments is None else arguments
    return shlex.join(["keyseg", *map(_without_folders, words)])


def _without_folders(word: str) -> str:
    option, sign, value = word.rpartition("=")
    path = Path(value)
    return f"{option}{sign}{path.name}" if path.is_absolute() or ".." in path.parts else word
