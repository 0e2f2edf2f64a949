"""keyseg stream: a camera, an address, a video or features from a pipe in, segments out as they are committed."""

from __future__ import annotations

import sys
from typing import Any

from keyseg.cli.terminal import show
from keyseg.cli.verb import presents
from keyseg.inference.streaming import stream
from keyseg.timeline import Interval
from keyseg.timeline.printable import printable

_WIDTH = 79  # of the line that is written again and again


@presents(stream)
def stream_verb(**arguments: Any) -> int:
    terminal = sys.stderr.isatty()

    def committed(segment: Interval) -> None:
        _in_place("" if terminal else None)
        start, end, sure = float(segment.start_seconds), float(segment.end_seconds), segment.score or 0.0
        show(f"{start:10.2f} {end:10.2f}  {sure:.2f}  {segment.label}")

    def provisional(newest: Interval) -> None:
        _in_place(f"{float(newest.end_seconds):10.2f} s: {newest.label} (provisional)" if terminal else None)

    try:
        stream(**arguments, notify=committed, progress=provisional)
    finally:
        _in_place("" if terminal else None)
    return 0


def _in_place(text: str | None) -> None:
    """Write a text over the last one on the terminal, nothing if it is None."""
    if text is not None:
        sys.stderr.write(f"\r{printable(text, _WIDTH):{_WIDTH}}\r")
        sys.stderr.flush()
