"""keyseg propose: videos that nobody has labelled in, drafts of their timelines out."""

from __future__ import annotations

from typing import Any

from keyseg.cli.features import FeatureProgress
from keyseg.cli.options import Formats, FrameRate, PositiveNumber
from keyseg.cli.terminal import say_failed, show_data
from keyseg.cli.verb import presents
from keyseg.formats import annotations_text
from keyseg.proposals.propose import propose


@presents(
    propose,
    videos="Sequence[Path]",
    segments=PositiveNumber | None,
    classes=PositiveNumber | None,
    formats=Formats,
    fps=FrameRate,
)
def propose_verb(**arguments: Any) -> int:
    with FeatureProgress(0) as shown:

        def report(line: str) -> None:
            shown.clear()
            shown.print(line)

        made = propose(**arguments, report=report, progress=shown.advance)
    out, timelines = arguments["out"], list(made.timelines.values())
    if out is None and timelines:
        show_data(str(annotations_text("csv", timelines)))
    return say_failed(made.failed, len({*made.written, *made.failed}), out, said_before=True)
