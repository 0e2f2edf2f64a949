"""Optional dependencies: imported where they are used, with the command that installs them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from keyseg.timeline.errors import ConfigError


@contextmanager
def extra(name: str, purpose: str) -> Iterator[None]:
    """Import inside this context: a missing module raises ConfigError with the command that installs the extra.

    name: of the extra, such as `train`. purpose: what needs it, a singular that starts the message, such as `training`.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "keyseg":
            raise
        raise ConfigError(
            f'{purpose} needs {error.name}, which is not installed; run: pip install "keyseg[{name}]"'
        ) from error
