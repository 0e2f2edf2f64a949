"""keyseg train: from a data set to bundles and scores."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from keyseg.cli.options import Background, Seeds, SplitNumbers
from keyseg.cli.verb import command_line, presents, say
from keyseg.training.train import train

_Changes = Annotated[tuple[str, ...], Parameter(name="--set", allow_leading_hyphen=True, show_default=False)]


@presents(train, splits=SplitNumbers, changes=_Changes, seeds=Seeds, background=Background)
def train_verb(**arguments: Any) -> int:
    from keyseg.cli.training_progress import show_training
    from keyseg.training.tables import summary_lines

    run, summary = train(**arguments, command=command_line(), report=say, callbacks=show_training)
    if summary is not None:
        print("\n".join(summary_lines(run, summary)))
    return 0
