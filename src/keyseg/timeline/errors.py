"""The one exception tree. Every message says what was expected, what came, where, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class KeysegError(Exception):
    """Base of every error that keyseg raises on purpose. The command line prints its message without a traceback."""

    exit_code = 1


class DataError(KeysegError):
    """Annotations, features, splits or predictions on disk are not right."""


class TimelineError(KeysegError, ValueError):
    """Segments, frames or time values do not describe a timeline."""


class BundleError(KeysegError):
    """A model bundle or a run folder is missing, incomplete, damaged or of another version."""


class TrainingError(KeysegError):
    """Training cannot go on: a loss is not finite, a run folder belongs to another configuration, and so on."""


class ConfigError(KeysegError, ValueError):
    """A recipe or an option has an unknown key or a value out of range."""

    exit_code = 2


class OutputExistsError(KeysegError):
    """Something would have been overwritten."""

    exit_code = 2


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the known name closest to `name`, or an empty string."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean {found[0]!r}?)" if found else ""
