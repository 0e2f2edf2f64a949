"""keyseg studio: the page that shows, corrects and learns, of a folder of videos."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from keyseg.cli.terminal import show
from keyseg.cli.verb import presents
from keyseg.studio.server import studio


@presents(studio)
def studio_verb(**arguments: Any) -> int:
    with suppress(KeyboardInterrupt):  # the way to stop it
        studio(**arguments, report=show)
    return 0
