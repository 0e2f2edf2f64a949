"""keyseg report: a page that plays a video beside its timelines."""

from __future__ import annotations

from typing import Annotated, Any

from keyseg.cli.options import Background, FrameRateOrNone, Options
from keyseg.cli.terminal import note, say_failed, show
from keyseg.cli.verb import presents
from keyseg.formats import AnnotationOptions
from keyseg.reproduction.pages import write_video_page
from keyseg.timeline.failures import Failures


@presents(
    write_video_page,
    fps=FrameRateOrNone,
    background=Background,
    options=Annotated[AnnotationOptions, Options],
)
def report_verb(**arguments: Any) -> int:
    failures = Failures()
    show(write_video_page(**arguments, report=note, failures=failures))
    return say_failed(failures.reasons, len(failures.tried))
