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
    ranges = list(zip(seconds[:-1].tolist(), np.diff(seconds).tolist(), strict=True))
    faces = [colours[label] for label in segmentation.labels]
    # A hair of the segment's own colour around it: without it a segment below one pixel disappears.
    axes.broken_barh(ranges, (y - height / 2, height), facecolors=faces, edgecolors=faces, linewidth=0.25)
    cuts = seconds[1:-1][np.diff(segmentation.labels) == 0]
    axes.vlines(cuts, y - height / 2, y + height / 2, colors="white", linewidth=0.8)
