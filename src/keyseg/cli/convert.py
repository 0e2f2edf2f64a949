"""keyseg convert: annotations and timelines between the files of many tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from keyseg.cli.options import Background, FrameRateOrNone, Options, PositiveNumber
from keyseg.cli.terminal import note, say_failed, show
from keyseg.cli.verb import presents
from keyseg.formats import AnnotationOptions
from keyseg.formats.conversion import convert
from keyseg.timeline.failures import Failures


@presents(
    convert,
    source=Annotated[Path, Parameter(name="IN")],
    target=Annotated[Path, Parameter(name="OUT")],
    from_format=Annotated[str | None, Parameter(name="--from")],
    to_format=Annotated[str | None, Parameter(name="--to")],
    fps=FrameRateOrNone,
    frames=PositiveNumber | None,
    background=Background,
    options=Annotated[AnnotationOptions, Options],
)
def convert_verb(**arguments: Any) -> int:
    failures = Failures()
    show("\n".join(map(str, convert(**arguments, report=note, failures=failures))))
    return say_failed(failures.reasons, len(failures.tried))
