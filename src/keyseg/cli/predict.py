"""keyseg predict: videos or features in, timelines out; no labels needed."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from keyseg.cli.features import FeatureProgress
from keyseg.cli.options import Formats, PositiveNumber
from keyseg.cli.terminal import say_failed
from keyseg.cli.verb import presents
from keyseg.inference.folder import predict_files


@presents(
    predict_files,
    formats=Formats,
    page=Annotated[bool | None, Parameter(name="--report", show_default=False)],
    workers=PositiveNumber,
)
def predict_verb(**arguments: Any) -> int:
    if arguments["page"]:
        from keyseg.reproduction.pages import write_prediction_page  # brings Matplotlib

        arguments["page"] = write_prediction_page
    with FeatureProgress(len(arguments["inputs"])) as shown:

        def report(line: str) -> None:
            shown.clear()  # the video that the line is about is finished
            shown.print(line)

        result = predict_files(**arguments, report=report, progress=shown.advance)
    return say_failed(result.failed, result.inputs, arguments["out"], said_before=True)
