"""How one video was segmented: scores, keypoints, cuts, timelines, and the annotations that its segments follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from keyseg.keypoints.points import ActionKeypoints
from keyseg.timeline import FloatArray, LabelMap, TimeBase, TimelineError
from keyseg.viz import canvas
from keyseg.viz.colours import class_colours
from keyseg.viz.followed import Followed, draw_followed, followed_key
from keyseg.viz.rows import Row, check_ids, check_rows
from keyseg.viz.timelines import write_classes

_EDGE = "#333333"
_CURVE_LINE = "#777777"
_STRIP = 0.1
_SCALE = 0.4
_CURVE = 0.8
_ROW = 0.34
_BAR = 0.74
_GAP = 0.12
_AXIS = 0.5
_NAMES_LINE = 0.15
_KEY_ROW = 0.2
_FOLLOWED = "training annotation"
# The figure is too narrow to show more image columns than this.
_COLUMNS = 1500


def plot_prediction(
    scores: npt.ArrayLike,
    rows: Sequence[Row],
    labels: LabelMap,
    timebase: TimeBase,
    *,
    boundary: npt.ArrayLike | None = None,
    cuts: npt.ArrayLike = (),
    proposed: ActionKeypoints | None = None,
    chosen: ActionKeypoints | None = None,
    followed: Followed | None = None,
    title: str = "",
) -> Figure:
    """Scores of the classes (C, T) as an image, and below it what was made of them; a panel only for what is given.

    scores: an action heatmap or class probabilities in [0, 1], T in feature steps. rows: timelines in frames, the
    prediction last. boundary: (T,) in [0, 1], drawn as a curve, with a thin line at each of `cuts` (steps) and a bold
    one at each cut of the prediction. proposed, chosen: action keypoints in the colour of their class, larger with
    their confidence, the chosen ones filled. followed: the training annotations that the segments follow. A step covers
    [i, i + 1): an action centre (s + e - 1) / 2 is drawn in the middle of its step, a cut at the start of its step.
    Raises TimelineError where shapes, class ids or lengths do not fit together.
    """
    image = np.asarray(scores, np.float64)
    curve = None if boundary is None else np.asarray(boundary, np.float64)
    _check(image, curve, rows, labels, timebase)
    points = [ActionKeypoints.of([]) if each is None else each for each in (proposed, chosen)]
    for each in points:
        check_ids(each.label, labels, "action keypoints")
    step = float(timebase.sample_rate / timebase.fps)
    total = image.shape[1] * step
    names = [name for name, _ in rows] + [_FOLLOWED] * (followed is not None)
    row, size = (0.2, 8.0) if len(labels) <= 20 else (0.145, 6.5)
    left = canvas.MARGIN + 0.2 + _STRIP
    left += max(canvas.text_width(labels.names, size), canvas.text_width(["boundary", *names], 8))
    width = canvas.PAGE_WIDTH - left - _SCALE - canvas.MARGIN
    key = _key(points, curve is not None, np.size(cuts) > 0) | (followed_key(followed) if followed else {})
    key_rows = -(-len(key) // 4)
    lines = followed.names_of_numbers() if followed else []
    top, height = canvas.title_height(title), row * len(labels)
    bars = top + height + _GAP + (0 if curve is None else _CURVE + _GAP)
    below = bars + _ROW * len(names) + _AXIS
    figure = canvas.new_figure(below + _NAMES_LINE * len(lines) + _KEY_ROW * key_rows + canvas.MARGIN, title)
    axes = canvas.add_axes(figure, left, top, width, height)
    _draw_image(axes, image, step, total)
    for each, filled in zip(points, (False, True), strict=True):
        _draw_points(axes, each, step, class_colours(labels), filled=filled)
    canvas.name_rows(axes, labels.names, size, gap=0.1 + _STRIP)
    _draw_strip(canvas.add_axes(figure, left - _STRIP - 0.04, top, _STRIP, height), labels)
    _draw_scale(canvas.add_axes(figure, left + width + 0.1, top, 0.1, min(height, 1.6)))
    if curve is not None:
        axes = canvas.add_axes(figure, left, top + height + _GAP, width, _CURVE)
        best = rows[-1][1].boundaries[1:-1] / float(timebase.fps)
        _draw_curve(axes, curve, np.asarray(cuts, np.float64) * step, best, step, total)
    axes = canvas.add_axes(figure, left, bars, width, _ROW * len(names))
    _draw_rows(axes, rows, labels, timebase, width, total)
    if followed is not None:
        draw_followed(axes, followed, step, len(rows), _BAR, width / (total or 1))
    canvas.name_rows(axes, names, 8)
    axes.set_ylim(len(names) - 0.5, -0.5)
    down = figure.get_size_inches()[1]
    for i, line in enumerate(lines):
        y = 1 - (below + _NAMES_LINE * (i + 0.5)) / down
        canvas.draw_text(figure, 0.5, y, line, size=7, ha="center", va="center", color=_EDGE)
    if key:
        canvas.draw_key(figure, key, rows=key_rows)
    return figure


def _check(
    image: FloatArray, curve: FloatArray | None, rows: Sequence[Row], labels: LabelMap, timebase: TimeBase
) -> None:
    if image.ndim != 2 or len(image) != len(labels) or (curve is not None and curve.shape != image.shape[1:]):
        raise TimelineError(
            f"scores and boundary must have shapes (C, T) and (T,) with C = {len(labels)} classes,"
            f" got {image.shape} and {None if curve is None else curve.shape}"
        )
    frames = check_rows(rows, labels)
    if timebase.steps(frames) != image.shape[1]:
        raise TimelineError(
            f"the timelines have {frames} frames, {timebase.steps(frames)} steps at sample_rate {timebase.sample_rate},"
            f" but the scores have {image.shape[1]} steps; give the time base of the features"
        )


def _draw_image(axes: Axes, image: FloatArray, step: float, total: float) -> None:
    classes = len(image)
    if image.size:
        block = -(-image.shape[1] // _COLUMNS)
        # The maximum of each block of steps: a mean would wash out narrow peaks.
        columns = np.maximum.reduceat(image, np.arange(0, image.shape[1], block), axis=1)
        extent = (0, columns.shape[1] * block * step, classes - 0.5, -0.5)
        axes.imshow(columns, cmap="Greys", vmin=0, vmax=1, aspect="auto", extent=extent, interpolation="nearest")
    axes.set_ylim(classes - 0.5, -0.5)
    axes.hlines(np.arange(classes - 1) + 0.5, 0, total, colors="#dddddd", linewidth=0.4)
    _hide_times(axes, total)


def _hide_times(axes: Axes, total: float) -> None:
    """The time axis of a panel whose times are written at the one below."""
    canvas.time_axis(axes, total)
    axes.set_xlabel("")
    axes.tick_params(labelbottom=False)


def _draw_points(axes: Axes, points: ActionKeypoints, step: float, colours: Sequence[str], *, filled: bool) -> None:
    share = np.clip(points.confidence, 0, 1)
    faces = to_rgba_array([colours[label] for label in points.label])
    style: dict[str, Any] = {"facecolors": faces, "edgecolors": _EDGE, "linewidths": 0.6}
    if not filled:
        style = {"facecolors": "none", "edgecolors": faces, "linewidths": 0.8}
    size = (6 + 30 * share) * np.clip(80 / max(len(points), 1), 0.4, 1)
    axes.scatter((points.time + 0.5) * step, points.label, s=size, zorder=3, clip_on=False, **style)


def _draw_strip(axes: Axes, labels: LabelMap) -> None:
    axes.barh(np.arange(len(labels)), 1, height=1, color=class_colours(labels), edgecolor="white", linewidth=0.4)
    axes.set(xlim=(0, 1), ylim=(len(labels) - 0.5, -0.5), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _draw_scale(axes: Axes) -> None:
    axes.imshow(np.linspace(1, 0, 64)[:, None], cmap="Greys", vmin=0, vmax=1, aspect="auto", extent=(0, 1, 0, 1))
    axes.set(xticks=[], yticks=[0, 1])
    axes.yaxis.tick_right()
    axes.tick_params(labelsize=8, length=2)


def _draw_curve(axes: Axes, curve: FloatArray, cuts: FloatArray, best: FloatArray, step: float, total: float) -> None:
    at = np.arange(len(curve)) * step
    axes.fill_between(at, curve, color="#d8d8d8", linewidth=0)
    axes.plot(at, curve, color=_CURVE_LINE, linewidth=0.8)
    axes.vlines(cuts, 0, 1, colors=_EDGE, linewidth=0.4)
    axes.vlines(best, 0, 1, colors="black", linewidth=1.5)
    axes.set(ylim=(0, 1.05), yticks=[0, 1])
    axes.yaxis.tick_right()
    axes.spines["right"].set_visible(True)
    axes.spines["left"].set_visible(False)
    canvas.draw_text(axes, -0.012, 0.5, "boundary", size=8, ha="right", va="center", transform=axes.transAxes)
    _hide_times(axes, total)


def _draw_rows(
    axes: Axes, rows: Sequence[Row], labels: LabelMap, timebase: TimeBase, width: float, total: float
) -> None:
    colours = class_colours(labels)
    for y, (_, segmentation) in enumerate(rows):
        canvas.draw_bar(axes, segmentation, colours, timebase, y, _BAR)
        write_classes(axes, segmentation, labels, colours, float(timebase.fps), y, width)
    axes.spines["left"].set_visible(False)
    canvas.time_axis(axes, total)


def _key(points: Sequence[ActionKeypoints], curve: bool, cuts: bool) -> dict[str, Any]:
    dot: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 5, "markeredgecolor": _EDGE}
    bar: dict[str, Any] = {"linestyle": "none", "marker": "|", "markersize": 9}
    key: dict[str, Any] = {}
    if len(points[0]):
        key["action keypoint"] = Line2D([], [], markerfacecolor="none", **dot)
    if len(points[1]):
        key["chosen keypoint"] = Line2D([], [], markerfacecolor="#999999", **dot)
    if cuts:
        key["proposed cut"] = Line2D([], [], color=_EDGE, markeredgewidth=0.5, **bar)
    if curve:
        key["chosen cut"] = Line2D([], [], color="black", markeredgewidth=1.6, **bar)
    return key
