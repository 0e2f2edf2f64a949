"""keyseg plot: timelines, learning curves, how a video was segmented."""

from __future__ import annotations

from typing import Annotated, Any

from keyseg.cli.options import FrameRateOrNone, Options
from keyseg.cli.terminal import note, say_failed, show
from keyseg.cli.verb import presents
from keyseg.formats import AnnotationOptions
from keyseg.reproduction.plots import plot
from keyseg.timeline.failures import Failures


@presents(plot, fps=FrameRateOrNone, options=Annotated[AnnotationOptions, Options])
def plot_verb(**arguments: Any) -> int:
    failures = Failures()
    show(plot(**arguments, report=note, failures=failures))
    return say_failed(failures.reasons, len(failures.tried))
