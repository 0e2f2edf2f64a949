"""Figures and the HTML report: timelines, heatmaps, matchings, curves.

Matplotlib is imported when a figure is drawn, not before.
"""

from keyseg.viz.colours import class_colours
from keyseg.viz.curves import plot_curves, read_metrics_csv
from keyseg.viz.figures import save_figure
from keyseg.viz.heatmaps import plot_heatmaps
from keyseg.viz.matching import plot_matching
from keyseg.viz.report import ScoreRow, VideoTimeline, write_report
from keyseg.viz.timelines import plot_timelines

__all__ = [
    "ScoreRow",
    "VideoTimeline",
    "class_colours",
    "plot_curves",
    "plot_heatmaps",
    "plot_matching",
    "plot_timelines",
    "read_metrics_csv",
    "save_figure",
    "write_report",
]
