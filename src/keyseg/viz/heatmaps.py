"""Heatmaps of one video with the keypoints that were read from them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from keyseg.keypoints.points import ActionKeypoints, BoundaryKeypoints
from keyseg.timeline import FloatArray, IntArray, LabelMap, Segmentation, TimeBase, TimelineError
from keyseg.viz import canvas
from keyseg.viz.colours import class_colours
from keyseg.viz.rows import check_ids

_POINT = "#d55e00"
_BOUNDARY = "#555555"
_STRIP = 0.1
_SCALE = 0.55
_REFERENCE = 0.3
_CURVE = 0.9
_GAP = 0.12
# The figure is too narrow to show more image columns than this.
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
    """Action heatmap (C, T) as an image, boundary heatmap (T,) as a curve below it, both in [0, 1] with keypoints.

    T and the times of the keypoints are in feature steps; markers grow and darken with confidence. A step covers
    [i, i + 1): an action centre (s + e - 1) / 2 is drawn in the middle of its step, a boundary at the start of its
    step. reference: the ground truth in frames, drawn on top.
    Raises TimelineError where shapes, class ids or lengths do not fit together.
    """
    image, curve = np.asarray(action_heatmap, np.float64), np.asarray(boundary_heatmap, np.float64)
    if image.ndim != 2 or curve.ndim != 1 or image.shape != (len(labels), len(curve)):
        raise TimelineError(
            f"heatmaps must have shapes (C, T) and (T,) with C = {len(labels)} classes,"
            f" got {image.shape} and {curve.shape}"
        )
    check_ids(actions.label, labels, "action keypoints")
    row, size = (0.2, 8.0) if len(labels) <= 20 else (0.145, 6.5)
    left = canvas.MARGIN + 0.2 + _STRIP
    left += max(canvas.text_width(labels.names, size), canvas.text_width(["boundary"], 8))
    width = canvas.PAGE_WIDTH - left - _SCALE - canvas.MARGIN
    bar = canvas.title_height(title)
    top, height = bar + (0 if reference is None else _REFERENCE + _GAP), row * len(labels)
    figure = canvas.new_figure(top + height + _GAP + _CURVE + 0.55, title)
    step = float(timebase.sample_rate / timebase.fps)
    total = len(curve) * step
    if reference is not None:
        _draw_reference(canvas.add_axes(figure, left, bar, width, _REFERENCE), reference, labels, timebase, len(curve))
    axes = canvas.add_axes(figure, left, top, width, height)
    _draw_image(axes, image, actions, step, total)
    canvas.name_rows(axes, labels.names, size, gap=0.1 + _STRIP)
    _draw_strip(canvas.add_axes(figure, left - _STRIP - 0.04, top, _STRIP, height), labels)
    right = canvas.PAGE_WIDTH - canvas.MARGIN - _SCALE
    _draw_scale(canvas.add_axes(figure, right + 0.1, top, 0.1, min(height, 1.6)))
    _draw_curve(canvas.add_axes(figure, left, top + height + _GAP, width, _CURVE), curve, boundaries, step, total)
    return figure


def _draw_reference(axes: Axes, reference: Segmentation, labels: LabelMap, timebase: TimeBase, expected: int) -> None:
    check_ids(reference.labels, labels, "reference")
    steps = timebase.steps(reference.length)
    if steps != expected:
        raise TimelineError(
            f"the reference has {reference.length} frames, {steps} steps at sample_rate {timebase.sample_rate},"
            f" but the heatmaps have {expected} steps; give the time base of the features"
        )
    canvas.draw_bar(axes, reference, class_colours(labels), timebase, 0, 1)
    axes.set_ylim(0.5, -0.5)
    axes.spines[:].set_visible(False)
    canvas.name_rows(axes, ["ground truth"], 8)
    axes.set(xlim=(0, steps * float(timebase.sample_rate / timebase.fps) or 1), xticks=[])


def _draw_image(axes: Axes, image: FloatArray, actions: ActionKeypoints, step: float, total: float) -> None:
    classes = len(image)
    if image.size:
        block = -(-image.shape[1] // _COLUMNS)
        # The maximum of each block of steps: a mean would wash out narrow peaks.
        columns = np.maximum.reduceat(image, np.arange(0, image.shape[1], block), axis=1)
        extent = (0, columns.shape[1] * block * step, classes - 0.5, -0.5)
        axes.imshow(columns, cmap="Blues", vmin=0, vmax=1, aspect="auto", extent=extent, interpolation="nearest")
    axes.set_ylim(classes - 0.5, -0.5)
    axes.hlines(np.arange(classes - 1) + 0.5, 0, total, colors="#dddddd", linewidth=0.4)
    _draw_points(axes, (actions.time + 0.5) * step, actions.label, actions.confidence, _POINT, "white")
    canvas.time_axis(axes, total)
    axes.set_xlabel("")
    axes.tick_params(labelbottom=False)


def _draw_points(
    axes: Axes, seconds: FloatArray, y: FloatArray | IntArray, confidence: FloatArray, face: str, edge: str
) -> None:
    if not len(seconds):
        return  # matplotlib takes no empty array of alphas
    share = np.clip(confidence, 0, 1)
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


def _draw_scale(axes: Axes) -> None:
    axes.imshow(np.linspace(1, 0, 64)[:, None], cmap="Blues", vmin=0, vmax=1, aspect="auto", extent=(0, 1, 0, 1))
    axes.set(xticks=[], yticks=[0, 1])
    axes.yaxis.tick_right()
    axes.tick_params(labelsize=8, length=2)


def _draw_curve(axes: Axes, curve: FloatArray, boundaries: BoundaryKeypoints, step: float, total: float) -> None:
    at = np.arange(len(curve)) * step
    axes.fill_between(at, curve, color="#cccccc", linewidth=0)
    axes.plot(at, curve, color=_BOUNDARY, linewidth=0.9)
    nearest_step = np.clip(np.round(boundaries.time).astype(np.int64), 0, max(len(curve) - 1, 0))
    heights = curve[nearest_step] if len(curve) else np.zeros(len(boundaries))
    _draw_points(axes, boundaries.time * step, heights, boundaries.confidence, "white", _BOUNDARY)
    axes.set(ylim=(0, 1.05), yticks=[0, 1])
    axes.yaxis.tick_right()
    axes.spines["right"].set_visible(True)
    axes.spines["left"].set_visible(False)
    canvas.draw_text(axes, -0.012, 0.5, "boundary", size=8, ha="right", va="center", transform=axes.transAxes)
    canvas.time_axis(axes, total)
