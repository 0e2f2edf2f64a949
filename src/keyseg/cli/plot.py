"""keyseg plot: timelines, learning curves, how a video was segmented."""

from __future__ import annotations

from keyseg.cli.verb import printing
from keyseg.reproduction.plots import plot

plot_verb = printing(plot)
