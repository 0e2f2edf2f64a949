"""Heatmaps of one video with the keypoints that were read from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from keyseg.timeline import LabelMap, Segmentation, TimeBase, TimelineError
from keyseg.viz.bars import draw_bar
from keyseg.viz.canvas import (
    MARGIN,
    WIDTH,
    add_axes,
    name_rows,
    new_figure,
    shorten,
    text_width,
    time_axis,
    title_height,
    write,
    write_title,
)
from keyseg.viz.colours import class_colours
from keyseg.viz.rows import check_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from keyseg.keypoints.points import ActionKeypoints, BoundaryKeypoints

_POINT = "#d55e00"
_BOUNDARY = "#555555"
_STRIP = 0.1
_SCALE = 0.55
_REFERENCE = 0.3
_CURVE = 0.9
_GAP = 0.12
# More image columns than this cannot be told apart at the width of the figure.
_COLUMNS = 1500


def plot_heatmaps(
    action_heatmap: npt.ArrayLike,
    boundary_heatmap: npt.ArrayLike,
    actions: ActionKeypoints,
    boundaries: BoundaryKeypoints,
    labels: LabelMap,
    timebase: TimeBase,
    *,
    reference: Segmentation | None = None,
    title: str = "",
) -> Figure:
    """Action heatmap (C, T) as an image, boundary heatmap (T,) as a curve below, both with their keypoints, in [0, 1].

    T and the times of the keypoints are in feature steps; markers grow and darken with confidence. A step covers
    [i, i + 1): action centres (s + e - 1) / 2 stand in its middle, a boundary where its step begins. reference: the
    ground truth in frames, drawn on top. Raises TimelineError where shapes, class ids or lengths do not belong.
    """
    image, curve = np.asarray(action_heatmap, np.float64), np.asarray(boundary_heatmap, np.float64)
    _check(image, curve, actions, labels, timebase, reference)
    row, size = (0.2, 8.0) if len(labels) <= 20 else (0.145, 6.5)
    left = (
        MARGIN + 0.2 + _STRIP + max(text_width([shorten(n) for n in labels.names], size), text_width(["boundary"], 8))
    )
    width = WIDTH - left - _SCALE - MARGIN
    bar, top = title_height(title), title_height(title) + (0 if reference is None else _REFERENCE + _GAP)
    height = row * len(labels)
    figure = new_figure(top + height + _GAP + _CURVE + 0.55)
    write_title(figure, title)
    step = float(timebase.sample_rate / timebase.fps)
    total = len(curve) * step
    if reference is not None:
        _draw_reference(add_axes(figure, left, bar, width, _REFERENCE), reference, labels, timebase, total)
    axes = add_axes(figure, left, top, width, height)
    _draw_image(axes, image, actions, step, total)
    name_rows(axes, labels.names, size, gap=0.1 + _STRIP)
    _draw_strip(add_axes(figure, left - _STRIP - 0.04, top, _STRIP, height), labels)
    _draw_scale(axes, add_axes(figure, WIDTH - MARGIN - _SCALE + 0.1, top, 0.1, min(height, 1.6)))
    lower = add_axes(figure, left, top + height + _GAP, width, _CURVE)
    _draw_curve(lower, curve, boundaries, step, total)
    return figure


def _check(
    image: npt.NDArray[np.float64],
    curve: npt.NDArray[np.float64],
    actions: ActionKeypoints,
    labels: LabelMap,
    timebase: TimeBase,
    reference: Segmentation | None,
) -> None:
    if image.ndim != 2 or curve.ndim != 1 or image.shape != (len(labels), len(curve)):
        raise TimelineError(
            f"heatmaps must have shapes (C, T) and (T,) with C = {len(labels)} classes,"
            f" got {image.shape} and {curve.shape}"
        )
    if len(actions) and int(actions.label.max()) >= len(labels):
        raise TimelineError(
            f"an action keypoint has class id {actions.label.max()}, ids go from 0 to {len(labels) - 1}"
        )
    if reference is not None:
        check_labels(reference, labels, "reference")
        if timebase.steps(reference.length) != len(curve):
            raise TimelineError(
                f"the reference has {reference.length} frames, {timebase.steps(reference.length)} steps at sample_rate"
                f" {timebase.sample_rate}, but the heatmaps have {len(curve)} steps; give the time base of the features"
            )


def _draw_reference(axes: Axes, reference: Segmentation, labels: LabelMap, timebase: TimeBase, total: float) -> None:
    draw_bar(axes, reference, class_colours(labels), timebase, 0, 1)
    axes.set_ylim(0.5, -0.5)
    axes.spines[:].set_visible(False)
    name_rows(axes, ["ground truth"], 8)
    time_axis(axes, total, named=False)
    axes.set_xticks([])


def _draw_image(
    axes: Axes, image: npt.NDArray[np.float64], actions: ActionKeypoints, step: float, total: float
) -> None:
    classes = len(image)
    if image.size:
        block = -(-image.shape[1] // _COLUMNS)
        # The largest value of each block of steps: averaging would wash narrow peaks out.
        columns = np.maximum.reduceat(image, np.arange(0, image.shape[1], block), axis=1)
        extent = (0, columns.shape[1] * block * step, classes - 0.5, -0.5)
        axes.imshow(columns, cmap="Blues", vmin=0, vmax=1, aspect="auto", extent=extent, interpolation="nearest")
    axes.set_ylim(classes - 0.5, -0.5)
    axes.hlines(np.arange(classes - 1) + 0.5, 0, total, colors="#dddddd", linewidth=0.4)
    _draw_points(axes, (actions.time + 0.5) * step, actions.label, actions.confidence, filled=True)
    time_axis(axes, total, named=False)
    axes.tick_params(labelbottom=False)


def _draw_points(
    axes: Axes,
    seconds: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64] | npt.NDArray[np.int64],
    confidence: npt.NDArray[np.float64],
    *,
    filled: bool,
) -> None:
    if not len(seconds):
        return
    share = np.clip(confidence, 0, 1)
    face, edge = (_POINT, "white") if filled else ("white", _BOUNDARY)
    axes.scatter(
        seconds,
        y,
        s=(8 + 32 * share) * np.clip(80 / len(seconds), 0.4, 1),
        c=face,
        edgecolors=edge,
        linewidths=0.8,
        alpha=0.4 + 0.6 * share,  # type: ignore[arg-type]  # the stub lacks arrays
        zorder=3,
        clip_on=False,
    )


def _draw_strip(axes: Axes, labels: LabelMap) -> None:
    axes.barh(np.arange(len(labels)), 1, height=1, color=class_colours(labels), edgecolor="white", linewidth=0.4)
    axes.set(xlim=(0, 1), ylim=(len(labels) - 0.5, -0.5), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _draw_scale(axes: Axes, place: Axes) -> None:
    place.imshow(np.linspace(1, 0, 64)[:, None], cmap="Blues", vmin=0, vmax=1, aspect="auto", extent=(0, 1, 0, 1))
    place.set(xticks=[], yticks=[0, 1])
    place.yaxis.tick_right()
    place.tick_params(labelsize=8, length=2)


def _draw_curve(
    axes: Axes, curve: npt.NDArray[np.float64], boundaries: BoundaryKeypoints, step: float, total: float
) -> None:
    at = np.arange(len(curve)) * step
    axes.fill_between(at, curve, color="#cccccc", linewidth=0)
    axes.plot(at, curve, color=_BOUNDARY, linewidth=0.9)
    nearest_step = np.clip(np.round(boundaries.time).astype(np.int64), 0, max(len(curve) - 1, 0))
    heights = curve[nearest_step] if len(curve) else np.zeros(len(boundaries))
    _draw_points(axes, boundaries.time * step, heights, boundaries.confidence, filled=False)
    axes.set(ylim=(0, 1.05), yticks=[0, 1])
    axes.yaxis.tick_right()
    axes.spines["right"].set_visible(True)
    axes.spines["left"].set_visible(False)
    write(axes, -0.012, 0.5, "boundary", size=8, ha="right", va="center", transform=axes.transAxes)
    time_axis(axes, total)
