"""One segmentation as a bar on an axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from keyseg.timeline import Segmentation, TimeBase


def draw_bar(
    axes: Axes, segmentation: Segmentation, colours: Sequence[str], timebase: TimeBase, y: float, height: float
) -> None:
    """Draw the segments at height `y`, in seconds; a white line separates neighbours of one class."""
    seconds = segmentation.boundaries / float(timebase.fps)
    # Longest first, each with a thin edge of its colour: a segment narrower than a pixel stays visible on top.
    order = np.argsort(-np.diff(segmentation.boundaries), kind="stable")
    ranges = np.stack([seconds[:-1], np.diff(seconds)], axis=1)[order].tolist()
    faces = [colours[label] for label in segmentation.labels[order]]
    axes.broken_barh(ranges, (y - height / 2, height), facecolors=faces, edgecolors=faces, linewidth=0.5)
    cuts = seconds[1:-1][np.diff(segmentation.labels) == 0]
    axes.vlines(cuts, y - height / 2, y + height / 2, colors="white", linewidth=0.8)
