"""keyseg init: a data set from a user's own videos and annotations."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated, Any

from cyclopts import Parameter

from keyseg.cli.features import FeatureProgress
from keyseg.cli.options import FrameRateOrNone, Options, PositiveNumber
from keyseg.cli.terminal import note, show
from keyseg.cli.verb import presents
from keyseg.formats import AnnotationOptions
from keyseg.video.user_dataset import init

_Names = Annotated[tuple[str, ...], Parameter(consume_multiple=True, show_default=False)]
_Paths = Annotated[tuple[Path, ...], Parameter(consume_multiple=True)]


@presents(
    init,
    videos=_Paths,
    annotations=_Paths,
    from_format=Annotated[str | None, Parameter(name="--from")],
    fps=FrameRateOrNone,
    background=_Names,
    options=Annotated[AnnotationOptions, Options],
    track_fps=FrameRateOrNone,
    workers=PositiveNumber,
)
def init_verb(**arguments: Any) -> int:
    with FeatureProgress(len(arguments["videos"])) as shown:
        made = init(**arguments, report=note, notify=shown)
    size = f"{made.videos} videos, {made.frames:,} frames at {made.fps} fps, {made.classes} classes"
    show(f"{made.root}: {size}, {made.splits} splits")
    root, run = quote(str(made.root)), quote(f"runs/{made.root.resolve().name}")
    show(f"next: keyseg check {root}; keyseg train {root} --split all --final --out {run}")
    return 0
