"""keyseg import-weights: weights of the reference programs into bundles."""

from __future__ import annotations

from typing import Any

from keyseg.cli.options import Background, FrameRateOrNone, PositiveNumber
from keyseg.cli.terminal import say, show
from keyseg.cli.verb import presents
from keyseg.inference.reference import import_weights


@presents(import_weights, background=Background, fps=FrameRateOrNone, sample_rate=PositiveNumber | None)
def import_weights_verb(**arguments: Any) -> int:
    show(import_weights(**arguments, report=say))
    return 0
