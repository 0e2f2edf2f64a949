"""The sheet that figures are drawn on: places in inches from the top left, literal text, bars, a legend in columns.

Figures are built from matplotlib's objects, never with pyplot, so they need no display and can be drawn in any thread.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.legend_handler import HandlerTuple
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from keyseg.timeline import Segmentation, TimeBase
from keyseg.viz.clock import axis_unit, time_ticks

PAGE_WIDTH = 9.0
MARGIN = 0.12
_SWATCH = 0.13
_LEGEND_SIZE = 8.0
_LEGEND_ROW = 0.19
_LONGEST_NAME = 40


@contextmanager
def boxes_for_missing_letters() -> Iterator[None]:
    """No warning about letters that the font lacks: the figure shows boxes instead."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


class Sheet(Figure):
    """A figure that a notebook shows without pyplot."""

    def draw(self, renderer: Any) -> None:
        with boxes_for_missing_letters():
            super().draw(renderer)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def new_figure(height: float, title: str = "", width: float = PAGE_WIDTH) -> Figure:
    """A white figure of `width` x `height` inches on the Agg canvas, its title in the band of `title_height`."""
    figure = Sheet(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    if title:
        draw_text(figure, 0.5, 1 - 0.5 * title_height(title) / height, title, size=11, ha="center", va="center")
    return figure


def title_height(title: str) -> float:
    """Inches between the top of the figure and what is drawn first."""
    return 0.4 if title else MARGIN


def add_axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes without top and right spines; the place is in inches, `top` measured down from the top of the figure."""
    across, down = figure.get_size_inches()
    axes = figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    return axes


def draw_text(place: Axes | Figure, x: float, y: float, text: str, **style: Any) -> None:
    """Write text literally: a `$` in a name starts no formula."""
    place.text(x, y, text, parse_math=False, **style)


def shorten(name: str) -> str:
    """A name that fits beside a row: only the start and the end of one that is too long."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 13]}…{name[-12:]}"


def text_width(texts: Sequence[str], size: float) -> float:
    """Inches that the widest of some shortened texts takes; 0 if there are none."""
    renderer = new_figure(1.0).canvas.get_renderer()  # type: ignore[attr-defined]
    font = FontProperties(size=size)
    with boxes_for_missing_letters():
        widths = [float(renderer.get_text_width_height_descent(shorten(text), font, False)[0]) for text in texts]
    return max(widths, default=0.0) / float(renderer.dpi)


def name_rows(axes: Axes, names: Sequence[str], size: float, gap: float = 0.06) -> None:
    """Write row names left of the axes, `gap` inches away, at y = 0, 1, ..."""
    away = ScaledTranslation(-gap, 0, axes.get_figure().dpi_scale_trans)  # type: ignore[union-attr]
    place = axes.get_yaxis_transform() + away
    for y, name in enumerate(names):
        draw_text(axes, 0, y, shorten(name), size=size, ha="right", va="center", transform=place)
    axes.set_yticks([])


def name_columns(axes: Axes, names: Sequence[str], size: float, gap: float = 0.06) -> None:
    """Write column names below the axes, from the bottom up, `gap` inches away, at x = 0, 1, ..."""
    away = ScaledTranslation(0, -gap, axes.get_figure().dpi_scale_trans)  # type: ignore[union-attr]
    place = axes.get_xaxis_transform() + away
    for x, name in enumerate(names):
        draw_text(axes, x, 0, shorten(name), size=size, ha="center", va="top", rotation=90, transform=place)
    axes.set_xticks([])


def time_axis(axes: Axes, total: float) -> None:
    """Make x a time axis from 0 to `total` seconds, in seconds or mm:ss."""
    ticks = time_ticks(total)
    axes.set_xlim(0, total or 1.0)
    axes.set_xticks([at for at, _ in ticks], labels=[text for _, text in ticks])
    axes.set_xlabel(f"time ({axis_unit(total)})", size=9)


def frame_axis(axes: Axes, frames: int) -> None:
    """Make x an axis of frames, for a video whose frame rate is not known."""
    axes.set_xlim(0, frames or 1)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, steps=(1, 2, 5, 10), integer=True))
    axes.set_xlabel("time (frames)", size=9)


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


def _legend_column(names: Sequence[str]) -> float:
    return text_width(names, _LEGEND_SIZE) + _SWATCH + 0.25


def legend_rows(names: Sequence[str], left: float) -> int:
    """Rows of a legend that reaches from `left` inches to the right margin."""
    columns = max(1, int((PAGE_WIDTH - left - MARGIN) / _legend_column(names)))
    return -(-len(names) // columns)


def legend_height(names: Sequence[str], left: float) -> float:
    """Inches that `draw_legend` takes."""
    return legend_rows(names, left) * _LEGEND_ROW


def draw_legend(figure: Figure, names: Sequence[str], colours: Sequence[str], left: float, top: float) -> None:
    """Swatches with names in columns, read downward, from a place in inches to the right margin."""
    across, down = figure.get_size_inches()
    rows, column = legend_rows(names, left), _legend_column(names)
    for i, (name, colour) in enumerate(zip(names, colours, strict=True)):
        x, y = left + (i // rows) * column, down - top - (i % rows + 0.5) * _LEGEND_ROW
        corner = (x / across, (y - _SWATCH / 2) / down)
        figure.add_artist(Rectangle(corner, _SWATCH / across, _SWATCH / down, facecolor=colour, edgecolor="none"))
        name_x = (x + _SWATCH + 0.06) / across
        draw_text(figure, name_x, y / down, shorten(name), size=_LEGEND_SIZE, va="center_baseline")


def draw_key(figure: Figure, handles: Mapping[str, Any], rows: int = 1) -> None:
    """What each marker and line means, by name, in rows at the bottom; a tuple of handles is drawn side by side."""
    figure.legend(
        list(handles.values()),
        list(handles),
        handler_map={tuple: HandlerTuple(ndivide=None)},
        loc="lower center",
        ncols=-(-len(handles) // rows),
        frameon=False,
        fontsize=8,
    )
