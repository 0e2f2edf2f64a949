"""keyseg plot: timelines, heatmaps with keypoints, learning curves, matchings."""

from __future__ import annotations

from typing import Any

from keyseg.cli.verb import presents
from keyseg.reproduction.plots import plot


@presents(plot)
def plot_verb(**arguments: Any) -> int:
    print(plot(**arguments))
    return 0
