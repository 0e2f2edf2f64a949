"""keyseg serve: a bundle as a server for other programs."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from keyseg.cli.options import PositiveNumber
from keyseg.cli.terminal import show
from keyseg.cli.verb import presents
from keyseg.studio.serving import serve


@presents(serve, most_mib=PositiveNumber, most_queued=PositiveNumber, most_minutes=PositiveNumber)
def serve_verb(**arguments: Any) -> int:
    with suppress(KeyboardInterrupt):  # the way to stop it
        serve(**arguments, report=show)
    return 0
