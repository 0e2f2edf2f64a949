"""keyseg stream: a camera, an address, a video or features from a pipe in, segments out as they are committed."""

from __future__ import annotations

import sys
from typing import Annotated, Any

from cyclopts import Parameter

from keyseg.cli.terminal import show
from keyseg.cli.verb import presents
from keyseg.inference.streaming import stream
from keyseg.timeline import Interval
from keyseg.timeline.printable import printable

_WIDTH = 79  # of the line that is written again and again


@presents(stream, source=Annotated[str, Parameter(allow_leading_hyphen=True)])  # - is standard input
def stream_verb(**arguments: Any) -> int:
    try:
        stream(**arguments, notify=_committed, progress=_provisional)
    finally:
        _in_place("")
    return 0


def _committed(segment: Interval) -> None:
    _in_place("")
    start, end, sure = float(segment.start_seconds), float(segment.end_seconds), segment.score or 0.0
    show(f"{start:10.2f} {end:10.2f}  {sure:.2f}  {segment.label}")


def _provisional(newest: Interval) -> None:
    _in_place(f"{float(newest.end_seconds):10.2f} s: {newest.label} (provisional)")


def _in_place(text: str) -> None:
    """Write a text over the last one, where there is a terminal."""
    if _on_terminal():
        sys.stderr.write(f"\r{printable(text, _WIDTH):{_WIDTH}}\r")
        sys.stderr.flush()


def _on_terminal() -> bool:
    return sys.stderr.isatty()
