"""Timelines of one video as bars: a row a system, as in figure 2 of the supplement."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from keyseg.timeline import LabelMap, TimeBase, TimelineError
from keyseg.viz.bars import draw_bar
from keyseg.viz.canvas import (
    MARGIN,
    WIDTH,
    add_axes,
    draw_legend,
    frame_axis,
    legend_height,
    legend_shape,
    name_rows,
    new_figure,
    shorten,
    text_width,
    time_axis,
    title_height,
    write_title,
)
from keyseg.viz.colours import HIGHLIGHT, class_colours
from keyseg.viz.rows import Row, check_rows, occurring

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW = 0.42
_BAR = 0.72
_NAME_SIZE = 9.0
_AXIS = 0.48


def plot_timelines(
    rows: Sequence[Row],
    labels: LabelMap,
    timebase: TimeBase | None,
    *,
    title: str = "",
    boxes: Sequence[tuple[int, int]] = (),
    above: float = 0.0,
) -> Figure:
    """Bars of one video, a row (name, segmentation) a system, over a time axis, with the classes that occur below.

    timebase: None where the frame rate is not known: the axis then counts frames.
    boxes: frame ranges [start, end) that a frame is drawn around, over all rows. above: inches left free over the bars.
    Raises TimelineError if there is no row, lengths differ, a class id is unknown or a box lies outside the video.
    """
    length = check_rows(rows, labels)
    scale = timebase or TimeBase(Fraction(1))
    _check_boxes(boxes, length)
    colours = class_colours(labels)
    shown = occurring(rows)
    names = [labels.names[i] for i in shown]
    left = MARGIN + 0.1 + text_width([shorten(name) for name, _ in rows], _NAME_SIZE)
    top, height = title_height(title) + above, _ROW * len(rows)
    below = top + height + _AXIS + 0.1
    # A long legend takes the whole width of the figure, a short one stands under the bars.
    legend_left = left if legend_shape(names, WIDTH - left - MARGIN)[1] <= 3 else MARGIN + 0.1
    figure = new_figure(below + legend_height(names, WIDTH - legend_left - MARGIN) + MARGIN)
    write_title(figure, title)
    axes = add_axes(figure, left, top, WIDTH - left - 2 * MARGIN, height)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    for y, (_, segmentation) in enumerate(rows):
        draw_bar(axes, segmentation, colours, scale, y, _BAR)
    name_rows(axes, [name for name, _ in rows], _NAME_SIZE)
    axes.spines["left"].set_visible(False)
    if timebase is None:
        frame_axis(axes, length)
    else:
        time_axis(axes, float(timebase.start_seconds(length)))
    _draw_boxes(axes, boxes, scale, len(rows))
    draw_legend(figure, names, [colours[i] for i in shown], legend_left, below)
    return figure


def _check_boxes(boxes: Sequence[tuple[int, int]], length: int) -> None:
    for start, end in boxes:
        if not 0 <= start < end <= length:
            raise TimelineError(
                f"a box needs 0 <= start < end <= {length} (the frames of the video), got [{start}, {end})"
            )


def _draw_boxes(axes: Axes, boxes: Sequence[tuple[int, int]], timebase: TimeBase, rows: int) -> None:
    from matplotlib.patches import Rectangle

    for start, end in boxes:
        begin, finish = float(timebase.start_seconds(start)), float(timebase.start_seconds(end))
        corner, height = (begin, -0.46), rows - 0.08
        axes.add_patch(
            Rectangle(corner, finish - begin, height, fill=False, edgecolor=HIGHLIGHT, lw=1.6, clip_on=False, zorder=3)
        )
