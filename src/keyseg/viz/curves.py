"""Training curves, and the CSV file that Lightning's CSVLogger writes them to."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from keyseg.timeline import ConfigError, DataError
from keyseg.timeline.files import read_text
from keyseg.viz import canvas
from keyseg.viz.colours import HIGHLIGHT, PALETTE

Curve = tuple[Sequence[float], Sequence[float]]

# Yellow is too light for a line on white.
_LINES = tuple(colour for colour in PALETTE if colour != "#f0e442")
_HEIGHT = 3.0


def plot_curves(
    curves: Mapping[str, Curve],
    *,
    ylabel: str = "",
    title: str = "",
    marks: Mapping[str, float] = MappingProxyType({}),
    start: float | None = None,
) -> Figure:
    """Named curves (epochs, values) over one axis, with named vertical marks, such as `matching joins` at epoch 80.

    start: first epoch of the axis; None for that of the curves. Values that are not finite leave a gap.
    Raises ConfigError if epochs and values of a curve differ in length.

    >>> figure = plot_curves({"loss": ([0, 1, 2], [3.0, 2.0, 1.5])}, ylabel="loss", marks={"matching joins": 1})
    """
    for name, (x, y) in curves.items():
        if len(x) != len(y):
            raise ConfigError(f"curve {name!r} needs as many x as y values, got {len(x)} and {len(y)}")
    names = list(curves)
    colours = [_LINES[i % len(_LINES)] for i in range(len(names))]
    left, top = 0.75, canvas.title_height(title)
    below = top + _HEIGHT + 0.55
    figure = canvas.new_figure(below + canvas.legend_height(names, left) + canvas.MARGIN, title)
    axes = canvas.add_axes(figure, left, top, canvas.PAGE_WIDTH - left - 2 * canvas.MARGIN, _HEIGHT)
    for (x, y), colour in zip(curves.values(), colours, strict=True):
        axes.plot(x, y, color=colour, linewidth=1.4, marker="o" if len(x) == 1 else "", markersize=5)
    axes.grid(True, color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("epoch", size=9)
    axes.set_ylabel(ylabel, size=9, parse_math=False)
    axes.set_xlim(left=start)
    _draw_marks(axes, marks)
    canvas.draw_legend(figure, names, colours, left, below)
    return figure


def _draw_marks(axes: Axes, marks: Mapping[str, float]) -> None:
    low, high = axes.get_xlim()
    for name, x in marks.items():
        on_left = x - low > 0.2 * (high - low)  # away from what the mark starts, where there is room
        axes.axvline(x, color=HIGHLIGHT, linewidth=1.0, linestyle=(0, (4, 3)))
        # The text is vertical, so that two marks close together do not run into each other.
        axes.annotate(
            name,
            (x, 1),
            (-3 if on_left else 3, -3),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            rotation=90,
            size=8,
            color=HIGHLIGHT,
            va="top",
            ha="right" if on_left else "left",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.6},
            parse_math=False,
        )


def read_metrics_csv(path: str | Path) -> dict[str, tuple[list[float], list[float]]]:
    """Curves (epochs, values) by name from a `metrics.csv` of Lightning's CSVLogger, in the order of its columns.

    The columns `epoch` and `step` are positions; empty cells and columns without values are left out. If a name has n
    values in epoch e, they get the positions e, e + 1/n, ... Raises DataError with file and line.
    """
    path = Path(path)
    try:
        reader = csv.DictReader(read_text(path, "the metrics.csv of a run").splitlines(keepends=True))
        rows = [(reader.line_num, row) for row in reader]
        columns = list(reader.fieldnames or ())
    except csv.Error as error:
        raise DataError(f"{path}: cannot read the metrics ({error}); expected the metrics.csv of a run") from error
    if "epoch" not in columns:
        raise DataError(f"{path}:1: expected a column 'epoch', got {columns}; is this the metrics.csv of a run?")
    by_name: dict[str, dict[float, list[float]]] = {
        name: defaultdict(list) for name in columns if name not in ("epoch", "step")
    }
    for line, row in rows:
        for name, by_epoch in by_name.items():
            if row[name]:
                by_epoch[_number(path, line, "epoch", row["epoch"])].append(_number(path, line, name, row[name]))
    return {
        name: (
            [epoch + i / len(values) for epoch, values in by_epoch.items() for i in range(len(values))],
            [value for values in by_epoch.values() for value in values],
        )
        for name, by_epoch in by_name.items()
        if by_epoch
    }


def _number(path: Path, line: int, name: str, cell: str) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        raise DataError(f"{path}:{line}: expected a number in column {name!r}, got {cell!r}") from None
