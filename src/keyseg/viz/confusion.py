"""The confusion matrix of frames as a picture: where the frames of each class went."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from keyseg.metrics.analysis import Analysis
from keyseg.metrics.percent import percent
from keyseg.timeline import FloatArray
from keyseg.viz import canvas

_MOST_NUMBERED = 20  # classes; with more, the numbers in the cells would be too small to read
_CELL, _SMALL_CELL = 0.34, 0.15  # inches
_TITLE, _BAR = 0.3, 0.85
_SHORTEST = 1.6  # side of the matrix
_DARK = 55  # percent above which black is not readable on the colour


def plot_confusion(analysis: Analysis) -> Figure:
    """A square of colours: rows are annotated classes, columns predicted ones, a row adds up to 100 % of its frames.

    Rows of classes that are not annotated are grey. Up to 20 classes have the numbers written into their cells.

    >>> from keyseg.metrics.analysis import analyse
    >>> figure = plot_confusion(analyse({"tea": ["take", "pour"]}, {"tea": ["pour", "pour"]}))
    """
    names, numbered = [str(name) for name in analysis.classes], len(analysis.classes) <= _MOST_NUMBERED
    size = 8.0 if numbered else 7.0
    side = max(len(names) * (_CELL if numbered else _SMALL_CELL), _SHORTEST)
    label = canvas.text_width(names, size) + 0.12
    left, top = _TITLE + label, 2 * canvas.MARGIN
    figure = canvas.new_figure(top + side + label + _TITLE, width=left + side + _BAR)
    axes = canvas.add_axes(figure, left, top, side, side)
    totals = analysis.confusion.sum(axis=1, keepdims=True)
    shares = np.where(totals > 0, percent(analysis.confusion, np.maximum(totals, 1)), np.nan)
    axes.set_facecolor("#dcdcdc")
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, aspect="auto", interpolation="nearest")
    canvas.name_rows(axes, names, size)
    canvas.name_columns(axes, names, size)
    if numbered:
        _write_shares(axes, shares)
    _name_sides(figure, left + side / 2, top + side / 2)
    _draw_scale(figure, image, left + side + 0.15, top, min(side, 2.5))
    return figure


def _write_shares(axes: Axes, shares: FloatArray) -> None:
    for row, column in zip(*np.nonzero(shares >= 0.5), strict=True):
        share = shares[row, column]
        colour = "white" if share > _DARK else "black"
        axes.text(column, row, f"{share:.0f}", size=7, ha="center", va="center_baseline", color=colour)


def _name_sides(figure: Figure, middle: float, down: float) -> None:
    """What rows and columns are, at the middle of the matrix, in inches from the left and from the top."""
    across, height = figure.get_size_inches()
    canvas.draw_text(
        figure, 0.12 / across, 1 - down / height, "annotated", size=9, rotation=90, ha="center", va="center"
    )
    canvas.draw_text(figure, middle / across, 0.15 / height, "predicted", size=9, ha="center", va="center")


def _draw_scale(figure: Figure, image: AxesImage, left: float, top: float, height: float) -> None:
    axes = canvas.add_axes(figure, left, top, 0.12, height)
    figure.colorbar(image, cax=axes)
    axes.tick_params(labelsize=7)
    axes.set_ylabel("% of annotated frames", size=8)
