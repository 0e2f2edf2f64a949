"""keyseg convert: annotations and timelines between the files of many tools."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from keyseg.cli.options import Background, FrameRate, PositiveNumber
from keyseg.cli.verb import presents
from keyseg.formats.conversion import convert


@presents(
    convert,
    source=Annotated[Path, Parameter(name="IN")],
    target=Annotated[Path, Parameter(name="OUT")],
    from_format=Annotated[str | None, Parameter(name="--from")],
    to_format=Annotated[str | None, Parameter(name="--to")],
    fps=FrameRate | None,
    frames=PositiveNumber | None,
    background=Background,
)
def convert_verb(**arguments: Any) -> int:
    print(*convert(**arguments, report=partial(print, "note:", file=sys.stderr)), sep="\n")
    return 0
