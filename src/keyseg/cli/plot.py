"""keyseg plot: timelines, heatmaps with keypoints, learning curves, matchings."""

from __future__ import annotations

from keyseg.cli.verb import printing
from keyseg.reproduction.plots import plot

plot_verb = printing(plot)
