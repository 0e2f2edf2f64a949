"""The sheet that figures are drawn on: inches from the top left, literal text, a legend in columns.

Figures are built on matplotlib's objects, never on pyplot, so they need no display and may be drawn in any thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keyseg.viz.clock import clock_unit, time_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 9.0
MARGIN = 0.12
_SWATCH = 0.13
_LEGEND_SIZE = 8.0
_LEGEND_ROW = 0.19
_LONGEST_NAME = 40


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """A white figure of `width` x `height` inches on the Agg canvas."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def add_axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place in inches, `top` measured downward from the top of the figure, without top and right spines."""
    across, down = figure.get_size_inches()
    axes = figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    return axes


def write(place: Axes | Figure, x: float, y: float, text: str, **style: Any) -> None:
    """Text as it is: a `$` in a name starts no formula."""
    place.text(x, y, text, parse_math=False, **style)


def write_title(figure: Figure, title: str) -> None:
    """The title, centred in the band that `title_height` leaves for it."""
    if title:
        height = figure.get_size_inches()[1]
        write(figure, 0.5, 1 - 0.5 * title_height(title) / height, title, size=11, ha="center", va="center")


def title_height(title: str) -> float:
    """Inches above the axes."""
    return 0.4 if title else MARGIN


def shorten(name: str) -> str:
    """A name that fits beside a row: its start and end where it is too long."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 13]}…{name[-12:]}"


def text_width(texts: Sequence[str], size: float) -> float:
    """Inches that the widest text takes; 0 for none."""
    from matplotlib.font_manager import FontProperties

    renderer = new_figure(1.0).canvas.get_renderer()  # type: ignore[attr-defined]
    font = FontProperties(size=size)
    widths = [renderer.get_text_width_height_descent(text, font, False)[0] for text in texts]
    return float(max(widths, default=0.0) / renderer.dpi)


def name_rows(axes: Axes, names: Sequence[str], size: float, gap: float = 0.06) -> None:
    """Write row names left of the axes, `gap` inches away, at y = 0, 1, ..."""
    from matplotlib.transforms import ScaledTranslation

    away = ScaledTranslation(-gap, 0, axes.get_figure().dpi_scale_trans)  # type: ignore[union-attr]
    place = axes.get_yaxis_transform() + away
    for y, name in enumerate(names):
        write(axes, 0, y, shorten(name), size=size, ha="right", va="center", transform=place)
    axes.set_yticks([])


def time_axis(axes: Axes, total: float, *, named: bool = True) -> None:
    """Make x a time axis from 0 to `total` seconds, in seconds or mm:ss."""
    ticks = time_ticks(total)
    axes.set_xlim(0, total or 1.0)
    axes.set_xticks([at for at, _ in ticks], labels=[text for _, text in ticks])
    if named:
        axes.set_xlabel(f"time ({clock_unit(total)})", size=9)


def frame_axis(axes: Axes, frames: int) -> None:
    """Make x an axis of frames, for a video whose frame rate is not known."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(0, frames or 1)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, steps=(1, 2, 5, 10), integer=True))
    axes.set_xlabel("time (frames)", size=9)


def legend_shape(names: Sequence[str], width: float) -> tuple[int, int]:
    """Columns and rows of a legend in `width` inches; (0, 0) for no names."""
    if not names:
        return 0, 0
    column = text_width([shorten(name) for name in names], _LEGEND_SIZE) + _SWATCH + 0.25
    columns = min(len(names), max(1, int(width / column)))
    rows = -(-len(names) // columns)
    return -(-len(names) // rows), rows


def legend_height(names: Sequence[str], width: float) -> float:
    """Inches that `draw_legend` takes."""
    return legend_shape(names, width)[1] * _LEGEND_ROW


def draw_legend(figure: Figure, names: Sequence[str], colours: Sequence[str], left: float, top: float) -> None:
    """Swatches with names in columns, read downward, from a place in inches to the right margin."""
    from matplotlib.patches import Rectangle

    across, down = figure.get_size_inches()
    rows = legend_shape(names, across - left - MARGIN)[1]
    step = text_width([shorten(name) for name in names], _LEGEND_SIZE) + _SWATCH + 0.25
    for i, (name, colour) in enumerate(zip(names, colours, strict=True)):
        x, y = left + (i // rows) * step, down - top - (i % rows + 0.5) * _LEGEND_ROW
        corner = (x / across, (y - _SWATCH / 2) / down)
        figure.add_artist(Rectangle(corner, _SWATCH / across, _SWATCH / down, facecolor=colour, edgecolor="none"))
        write(figure, (x + _SWATCH + 0.06) / across, y / down, shorten(name), size=_LEGEND_SIZE, va="center_baseline")
