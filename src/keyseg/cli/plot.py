"""keyseg plot: timelines, learning curves, how a video was segmented."""

from __future__ import annotations

from typing import Annotated, Any

from keyseg.cli.options import FrameRate, Options
from keyseg.cli.verb import note, presents
from keyseg.formats import AnnotationOptions
from keyseg.reproduction.plots import plot


@presents(plot, fps=FrameRate | None, options=Annotated[AnnotationOptions, Options])
def plot_verb(**arguments: Any) -> int:
    print(plot(**arguments, report=note))
    return 0
