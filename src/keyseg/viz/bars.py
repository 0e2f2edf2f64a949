"""One segmentation as a bar on an axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from keyseg.timeline import Segmentation, TimeBase

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_bar(
    axes: Axes, segmentation: Segmentation, colours: Sequence[str], timebase: TimeBase, y: float, height: float
) -> None:
    """Draw the segments at height `y`, in seconds; a white cut parts neighbours of one class."""
    seconds = segmentation.boundaries / float(timebase.fps)
    # The longest first, each with a hair of its own colour around it: a segment below one pixel stays visible on top.
    order = np.argsort(-np.diff(segmentation.boundaries), kind="stable")
    ranges = np.stack([seconds[:-1], np.diff(seconds)], axis=1)[order].tolist()
    faces = [colours[label] for label in segmentation.labels[order]]
    axes.broken_barh(ranges, (y - height / 2, height), facecolors=faces, edgecolors=faces, linewidth=0.5)
    cuts = seconds[1:-1][np.diff(segmentation.labels) == 0]
    axes.vlines(cuts, y - height / 2, y + height / 2, colors="white", linewidth=0.8)
