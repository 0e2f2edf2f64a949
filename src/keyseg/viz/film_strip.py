"""Key frames of a video above its bars, each joined by a line to its time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from keyseg.timeline import FloatArray
from keyseg.video.extractor import Image
from keyseg.viz import canvas

_TALLEST = 1.1
_GAP = 0.03
_LEAD = 0.24
_LINE = "#555555"


def strip_height(images: Sequence[Image], width: float) -> float:
    """Inches of images side by side in `width` inches, and of the lines below them; 0 if there are no images."""
    return min(_TALLEST, (width - _GAP * len(images)) / _ratios(images).sum()) + _LEAD if images else 0.0


def draw_strip(figure: Figure, images: Sequence[Image], times: FloatArray, top: float, height: float) -> None:
    """Draw images above the first axes, in order of time, and a line from each to its time on them.

    top, height: in inches, as for `add_axes` and from `strip_height`.
    """
    across, down = figure.get_size_inches()
    height -= _LEAD
    widths, bars = _ratios(images) * height, figure.axes[0]
    place, (low, high) = bars.get_position(), bars.get_xlim()
    ends = across * (place.x0 + place.width * (times - low) / (high - low))
    middles = _spread(ends, widths, across * place.x0, across * place.x1)
    for image, middle, end, width in zip(images, middles, ends, widths, strict=True):
        axes = canvas.add_axes(figure, middle - width / 2, top, width, height)
        axes.imshow(image, aspect="auto", interpolation="antialiased")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(visible=True, color=_LINE, linewidth=0.6)
        x, y = [middle / across, end / across], [1 - (top + height) / down, place.y1]
        figure.add_artist(Line2D(x, y, color=_LINE, linewidth=0.8, marker=7, markevery=[1], markersize=4))


def _ratios(images: Sequence[Image]) -> FloatArray:
    return np.array([image.shape[1] / image.shape[0] for image in images])


def _spread(wanted: FloatArray, widths: FloatArray, low: float, high: float) -> FloatArray:
    """Middles in order, as near to `wanted` (least squares) as pieces of these widths fit side by side."""
    from scipy.optimize import isotonic_regression

    # The middles of all pieces pushed to the left end at 0; the shift away from there can only grow.
    packed = np.cumsum(widths + _GAP) - widths / 2 - _GAP
    free = high - low - (widths.sum() + _GAP * (len(widths) - 1))
    shift = isotonic_regression(wanted - packed).x
    middles: FloatArray = np.clip(shift, low, low + max(free, 0.0)) + packed
    return middles
