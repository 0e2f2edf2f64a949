"""Figures and the HTML report: timelines, comparisons, heatmaps, re-assembly, matchings, curves.

Matplotlib is imported when a figure is drawn, not before.
"""

from keyseg.video.key_frames import read_key_frames
from keyseg.viz.colours import class_colours
from keyseg.viz.comparison import differing_ranges, plot_comparison
from keyseg.viz.curves import plot_curves, read_metrics_csv
from keyseg.viz.figures import save_figure
from keyseg.viz.heatmaps import plot_heatmaps
from keyseg.viz.matching import plot_matching
from keyseg.viz.page_player import key_frame_times
from keyseg.viz.reassembly import plot_reassembly
from keyseg.viz.report import ScoreRow, VideoTimeline, write_report
from keyseg.viz.timelines import plot_timelines

__all__ = [
    "ScoreRow",
    "VideoTimeline",
    "class_colours",
    "differing_ranges",
    "key_frame_times",
    "plot_comparison",
    "plot_curves",
    "plot_heatmaps",
    "plot_matching",
    "plot_reassembly",
    "plot_timelines",
    "read_key_frames",
    "read_metrics_csv",
    "save_figure",
    "write_report",
]
