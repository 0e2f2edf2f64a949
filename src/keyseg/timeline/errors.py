"""The one exception tree. Every message says what was expected, what came, where, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Literal, NoReturn

from keyseg.timeline.printable import printable

_LONGEST_NAME = 40  # letters
_MOST_NAMES = 500  # that a misspelt one is compared with


class KeysegError(Exception):
    """Base of every error that keyseg raises on purpose. The command line prints its message without a traceback.

    The message shows what files hold as `printable` does; `args[0]` is as it was raised.

    >>> from keyseg import KeysegError, LabelMap
    >>> try:
    ...     LabelMap(("cut", "pour")).id("por")
    ... except KeysegError as error:
    ...     print(error)
    unknown class 'por' (did you mean 'pour'?)
    """

    exit_code = 1

    def __str__(self) -> str:
        return printable(super().__str__())


class DataError(KeysegError):
    """Annotations, features, splits or predictions on disk are missing, damaged or inconsistent."""


class TimelineError(KeysegError, ValueError):
    """Segments, frames or time values do not describe a timeline."""


class BundleError(KeysegError):
    """A model bundle or a run folder is missing, incomplete, damaged or of another version."""


class TrainingError(KeysegError):
    """Training cannot continue, for example because a loss is not finite."""


class ConfigError(KeysegError, ValueError):
    """A recipe or an option has an unknown key or a value out of range."""

    exit_code = 2


class OutputExistsError(KeysegError):
    """Something would have been overwritten."""

    exit_code = 2


class InternalError(KeysegError):
    """A mistake in keyseg itself, in a process of its own; the message names the log to report it with."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the known name closest to `name`, or an empty string.

    Long names, and those after the first 500, are not compared, since that takes long.
    """
    if len(name) > _LONGEST_NAME:
        return ""
    names = [one for one in islice(known, _MOST_NAMES) if len(one) <= _LONGEST_NAME]
    matches = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f" (did you mean {matches[0]!r}?)" if matches else ""


ProblemKind = Literal[
    "dimension",  # a feature file with another D than the rest of its folder
    "duplicate",  # twice in a bundle or in the mapping
    "empty",  # a file, split or class list with nothing in it
    "leak",  # a video on both sides of a split
    "group leak",  # a subject on both sides of a split (a warning)
    "length",  # labels and features of different lengths
    "missing",  # a file or folder that does not exist
    "not finite",  # NaN or infinite features
    "orientation",  # time and channels cannot be distinguished
    "origin",  # features that were made in different ways, or a damaged sidecar
    "outside",  # a name or link that leads out of the data set
    "unknown label",  # a label that is not a class
    "unreadable",  # a file of another format, damaged, or pickled
    "unused",  # a video in no split, or a group of no video (warnings)
]
ReportProblem = Callable[[ProblemKind, Path, int | None, str], None]
"""Called with the kind of a problem, the file, the line if there is one, and what is expected."""


def refuse(kind: ProblemKind, path: Path, line: int | None, message: str) -> NoReturn:
    """Raise DataError about a line of a file, or about the whole file."""
    raise DataError(f"{path}:{line}: {message}" if line else f"{path}: {message}")
