"""How long segments are, and how far their starts and ends lie from the annotated ones, as histograms."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from keyseg.metrics.analysis import Analysis
from keyseg.timeline import FloatArray, IntArray
from keyseg.viz import canvas
from keyseg.viz.colours import PALETTE

_HEIGHT = 2.6
_LEFT, _AXIS, _KEY = 0.75, 0.5, 0.3
_BINS = 40
_ANNOTATED, _PREDICTED = "#c6c6c6", PALETTE[0]
_SHOWN = 99  # percent of the boundary errors that the axis covers


def plot_segment_lengths(analysis: Analysis) -> Figure:
    """How many annotated and predicted segments are how long, on a logarithmic axis, without background classes.

    >>> from keyseg.metrics.analysis import analyse
    >>> figure = plot_segment_lengths(analyse({"tea": ["take", "pour"]}, {"tea": ["pour", "pour"]}))
    """
    annotated, predicted = analysis.lengths()
    top = 2 * canvas.MARGIN
    figure = canvas.new_figure(top + _HEIGHT + _AXIS + _KEY)
    axes = canvas.add_axes(figure, _LEFT, top, canvas.PAGE_WIDTH - _LEFT - 2 * canvas.MARGIN, _HEIGHT)
    edges = length_edges(int(max(annotated.max(initial=1), predicted.max(initial=1))))
    places = analysis.in_units(edges)
    bars = axes.stairs(np.histogram(annotated, edges)[0], places, fill=True, color=_ANNOTATED)
    line = axes.stairs(np.histogram(predicted, edges)[0], places, color=_PREDICTED, linewidth=1.6)
    axes.set_xscale("log")
    axes.set_xlim(places[0], places[-1])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    _label(axes, f"length of a segment ({analysis.unit})")
    canvas.draw_key(
        figure, {f"{len(annotated):,} segments annotated": bars, f"{len(predicted):,} segments predicted": line}
    )
    return figure


def length_edges(longest: int) -> FloatArray:
    """Edges of bins for 1 to `longest` frames, logarithmic but between whole numbers, so that no bin is left out.

    >>> length_edges(6)
    array([0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5])
    """
    starts = np.unique(np.round(np.geomspace(1, longest + 1, _BINS + 1)))
    return np.asarray(starts - 0.5, np.float64)


def plot_boundary_errors(analysis: Analysis) -> Figure:
    """How early or late the starts and the ends of the true positives are; the axes cover 99 % of them.

    >>> from keyseg.metrics.analysis import analyse
    >>> figure = plot_boundary_errors(analyse({"tea": ["take", "pour"]}, {"tea": ["take", "pour"]}))
    """
    errors = {"start": analysis.start_errors, "end": analysis.end_errors}
    edges = error_edges(np.concatenate(list(errors.values())))
    top, gap = 0.55, 0.65
    width = (canvas.PAGE_WIDTH - _LEFT - gap - 2 * canvas.MARGIN) / 2
    figure = canvas.new_figure(top + _HEIGHT + _AXIS + canvas.MARGIN)
    places = [canvas.add_axes(figure, _LEFT + i * (width + gap), top, width, _HEIGHT) for i in (0, 1)]
    for axes, (name, frames) in zip(places, errors.items(), strict=True):
        axes.stairs(np.histogram(frames, edges)[0], analysis.in_units(edges), fill=True, color=_PREDICTED)
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_xlim(*analysis.in_units(edges[[0, -1]]))
        axes.set_title(_described(analysis, name, frames, edges), size=9)
        _label(axes, f"error of the {name} ({analysis.unit}); early < 0 < late")
    highest = max(axes.get_ylim()[1] for axes in places)
    for axes in places:
        axes.set_ylim(0, highest)
    return figure


def error_edges(errors: IntArray) -> FloatArray:
    """Edges of equal bins around 0 that cover 99 % of some errors in frames; 0 is in the middle of the bin around it.

    >>> error_edges(np.array([-1, 0, 0, 1]))
    array([-1.5, -0.5,  0.5,  1.5])
    """
    reach = int(np.ceil(np.percentile(np.abs(errors), _SHOWN))) if len(errors) else 1
    width = 2 * (reach // _BINS) + 1
    beside = max(1, -(-(reach - width // 2) // width))  # bins on either side of the middle one
    return np.asarray(width * (np.arange(-beside, beside + 2) - 0.5), np.float64)


def _described(analysis: Analysis, name: str, frames: IntArray, edges: FloatArray) -> str:
    """How many there are, where the middle one is, and how many lie outside the axis."""
    if not len(frames):
        return f"{name}: no true positives"
    middle, away = (float(analysis.in_units(np.median(values))) for values in (frames, np.abs(frames)))
    outside = int(((frames < edges[0]) | (frames > edges[-1])).sum())
    beyond = f", {outside} of them beyond the axis" if outside else ""
    unit = analysis.unit
    return f"{len(frames):,} {name}s{beyond}\nmedian {middle:+.2g} {unit}, half within {away:.2g} {unit}"


def _label(axes: Axes, text: str) -> None:
    axes.set_xlabel(text, size=9)
    axes.set_ylabel("segments", size=9)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=(1, 2, 5, 10), integer=True))
