"""Timelines of one video as bars, one row per system, below key frames, as in figure 2 of the supplement."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from keyseg.timeline import LabelMap, Segmentation, TimeBase, TimelineError
from keyseg.video.extractor import Image
from keyseg.viz import canvas
from keyseg.viz.colours import HIGHLIGHT, class_colours, ink_on
from keyseg.viz.film_strip import draw_strip, strip_height
from keyseg.viz.rows import Row, check_image, check_rows, occurring_ids

_ROW = 0.42
_BAR = 0.72
_NAME_SIZE = 9.0
_CLASS_SIZE = 7.5
_AXIS = 0.48


def plot_timelines(
    rows: Sequence[Row],
    labels: LabelMap,
    timebase: TimeBase | None,
    *,
    title: str = "",
    boxes: Sequence[tuple[int, int]] = (),
    key_frames: Sequence[tuple[int, Image]] = (),
) -> Figure:
    """Bars of one video over a time axis, one row (name, segmentation) per system, with a legend of their classes.

    timebase: None where the frame rate is not known; the axis then counts frames. boxes: frame ranges [start, end) to
    draw a box around, over all rows. key_frames: (frame, image) in any order, images (H, W, 3) uint8 as
    `read_key_frames` returns them, to draw in a film strip above the bars, each joined by a line to its time. Each is
    placed as near to its time as it can be without covering another; at even times they form one strip as wide as the
    bars. Raises TimelineError if there is no row, lengths differ, a class id is unknown, a box or a key frame lies
    outside the video, or an image is of another kind.

    >>> from keyseg.timeline import Segmentation
    >>> truth = Segmentation.from_frames([0, 0, 1, 1, 1, 0])
    >>> figure = plot_timelines([("ground truth", truth)], LabelMap(("rest", "pour")), TimeBase(Fraction(2)))
    """
    length = check_rows(rows, labels)
    scale = timebase or TimeBase(Fraction(1))
    _check(boxes, key_frames, length)
    key_frames = sorted(key_frames, key=lambda pair: pair[0])
    images = [image for _, image in key_frames]
    colours = class_colours(labels)
    shown = occurring_ids(rows)
    names, row_names = [labels.names[i] for i in shown], [name for name, _ in rows]
    width = canvas.PAGE_WIDTH - 3 * canvas.MARGIN - 0.1 - canvas.text_width(row_names, _NAME_SIZE)
    left = canvas.PAGE_WIDTH - 2 * canvas.MARGIN - width
    above = strip_height(images, width)
    top, height = canvas.title_height(title) + above, _ROW * len(rows)
    below = top + height + _AXIS + 0.1
    # A long legend takes the whole width of the figure, a short one starts below the bars.
    legend_left = left if canvas.legend_rows(names, left) <= 3 else canvas.MARGIN + 0.1
    figure = canvas.new_figure(below + canvas.legend_height(names, legend_left) + canvas.MARGIN, title)
    axes = canvas.add_axes(figure, left, top, width, height)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    for y, (_, segmentation) in enumerate(rows):
        canvas.draw_bar(axes, segmentation, colours, scale, y, _BAR)
        write_classes(axes, segmentation, labels, colours, float(scale.fps), y, width)
    canvas.name_rows(axes, row_names, _NAME_SIZE)
    axes.spines["left"].set_visible(False)
    if timebase is None:
        canvas.frame_axis(axes, length)
    else:
        canvas.time_axis(axes, float(timebase.start_seconds(length)))
    for start, end in boxes:
        begin, finish = float(scale.start_seconds(start)), float(scale.start_seconds(end))
        style: dict[str, Any] = {"fill": False, "edgecolor": HIGHLIGHT, "lw": 1.6, "clip_on": False, "zorder": 3}
        axes.add_patch(Rectangle((begin, -0.46), finish - begin, len(rows) - 0.08, **style))
    canvas.draw_legend(figure, names, [colours[i] for i in shown], legend_left, below)
    if images:
        times = (np.array([frame for frame, _ in key_frames]) + 0.5) / float(scale.fps)
        draw_strip(figure, images, times, canvas.title_height(title), above)
    return figure


def _check(boxes: Sequence[tuple[int, int]], key_frames: Sequence[tuple[int, Image]], length: int) -> None:
    for start, end in boxes:
        if not 0 <= start < end <= length:
            raise TimelineError(
                f"a box needs 0 <= start < end <= {length} (the frames of the video), got [{start}, {end})"
            )
    for frame, image in key_frames:
        if not 0 <= frame < length:
            raise TimelineError(f"a key frame needs 0 <= frame < {length} (the frames of the video), got {frame}")
        check_image(image, f"key frame {frame}")


def write_classes(
    axes: Axes, segmentation: Segmentation, labels: LabelMap, colours: Sequence[str], fps: float, y: int, width: float
) -> None:
    """Write the name of each action into its segments that are wide enough for it."""
    need = {i: canvas.text_width([labels.names[i]], _CLASS_SIZE) + 0.08 for i in set(segmentation.labels.tolist())}
    for segment in segmentation:
        i = segment.label
        if i not in labels.background_ids and need[i] <= width * segment.length / segmentation.length:
            middle = (segment.start_frame + segment.end_frame) / (2 * fps)
            style = {"size": _CLASS_SIZE, "ha": "center", "va": "center_baseline", "color": ink_on(colours[i])}
            canvas.draw_text(axes, middle, y, canvas.shorten(labels.names[i]), **style)
