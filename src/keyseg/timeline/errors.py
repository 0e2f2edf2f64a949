"""The one exception tree. Every message says what was expected, what came, where, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn


class KeysegError(Exception):
    """Base of every error that keyseg raises on purpose. The command line prints its message without a traceback.

    >>> from keyseg import KeysegError, LabelMap
    >>> try:
    ...     LabelMap(("cut", "pour")).id("por")
    ... except KeysegError as error:
    ...     print(error)
    unknown class 'por' (did you mean 'pour'?)
    """

    exit_code = 1


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


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the known name closest to `name`, or an empty string."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean {matches[0]!r}?)" if matches else ""


def refuse(kind: str, path: Path, line: int | None, message: str) -> NoReturn:
    """Raise DataError about a line of a file, or about the whole file.

    Readers report a problem by calling this, or a function with the same parameters that collects problems.
    """
    raise DataError(f"{path}:{line}: {message}" if line else f"{path}: {message}")
