"""The reliability diagram: how many segments of a confidence are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from keyseg.metrics.reliability import ConfidenceBin, calibration_error
from keyseg.viz import canvas
from keyseg.viz.colours import PALETTE

_HEIGHT, _WIDTH = 3.6, 3.8  # inches of each half of the figure
_WIDEST = 0.1  # of a bin


def plot_reliability(tables: Mapping[str, Sequence[ConfidenceBin]], *, title: str = "") -> Figure:
    """The share of right segments by confidence, on the left, and the number of segments, on the right.

    tables: by name, such as `calibrated`. Confidence that can be trusted is on the diagonal; below it, it is too high.

    >>> figure = plot_reliability({"calibrated": [ConfidenceBin(0.8, 5, 0.86, 0.8), ConfidenceBin(0.9, 9, 0.95, 1.0)]})
    """
    names = [f"{name} (ECE {calibration_error(table):.1f} %)" for name, table in tables.items()]
    colours = [PALETTE[i % len(PALETTE)] for i in range(len(names))][::-1]  # the last is the one in use
    left, top = 0.75, canvas.title_height(title)
    below = top + _HEIGHT + 0.55
    figure = canvas.new_figure(below + canvas.legend_height(names, left) + canvas.MARGIN, title)
    shares = canvas.add_axes(figure, left, top, _WIDTH, _HEIGHT)
    counts = canvas.add_axes(figure, canvas.PAGE_WIDTH - _WIDTH * 0.9 - canvas.MARGIN, top, _WIDTH * 0.9, _HEIGHT)
    shares.plot((0, 1), (0, 1), color="#888888", linewidth=0.8, linestyle=(0, (4, 3)))
    width = _WIDEST * 0.9 / max(len(names), 1)
    for number, (table, colour) in enumerate(zip(tables.values(), colours, strict=True)):
        line = ([item.confidence for item in table], [item.right for item in table])
        shares.plot(*line, color=colour, linewidth=1.4, marker="o", markersize=4)
        places = [item.low + 0.05 * _WIDEST + (number + 0.5) * width for item in table]
        counts.bar(places, [item.segments for item in table], width, color=colour)
    for axes, name in ((shares, "share of right segments (IoU at least 50 %)"), (counts, "segments")):
        axes.set_xlim(0, 1)
        axes.set_xlabel("confidence", size=9)
        axes.set_ylabel(name, size=9)
    shares.set_ylim(0, 1.02)
    canvas.draw_legend(figure, names, colours, left, below)
    return figure
