"""Re-assembly rule by rule: which keypoints went into which, and the segments that come of it (figure 1)."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from keyseg.timeline import IntArray, LabelMap, Segmentation, TimeBase, TimelineError
from keyseg.viz.bars import draw_bar
from keyseg.viz.canvas import (
    MARGIN,
    WIDTH,
    add_axes,
    draw_legend,
    frame_axis,
    legend_height,
    new_figure,
    text_width,
    title_height,
    write,
    write_title,
)
from keyseg.viz.colours import class_colours
from keyseg.viz.rows import check_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from keyseg.keypoints import Step

FloatArray = npt.NDArray[np.float64]

_BOUNDARY = "#767676"
_ROW = 0.9
_BAR = 0.42
# Of a row, above the first.
_ABOVE = 0.36
_RULE_WIDTH = 30
_RULE_SIZE = 7.5
_NAME_SIZE = 9.0
_KEY = 0.3
# Where the path of a deleted point ends, in rows below it.
_STUB = 0.42
# Points, as of type, across a marker of confidence 0 and 1; their numbers need the smaller of them.
_SMALLEST, _LARGEST = 12.5, 18.0


def plot_reassembly(steps: Sequence[Step], labels: LabelMap, *, title: str = "") -> Figure:
    """One row a step of Algorithm 1, from the keypoints down to the painted segments, over an axis of frames.

    Action points have their class's colour, boundary points and the sentinels at 0 and T are grey; size and number are
    the confidence. Lines lead from each point to the one that it became a part of, or end in a cross where a rule
    deleted it. steps: from `reassembly_steps`. Raises TimelineError without steps and for a class id that is unknown.
    """
    result = _check(steps, labels)
    colours = class_colours(labels)
    shown = sorted({int(i) for step in steps for i in step.actions.label} | {int(i) for i in result.labels})
    names = [labels.names[i] for i in shown]
    titles = [_words(step) for step in steps]
    left = MARGIN + 0.25 + max(text_width(rule, _RULE_SIZE) for _, rule in titles)
    left = max(left, MARGIN + 0.3 + text_width([name for name, _ in titles], _NAME_SIZE))
    top, height, width = title_height(title), _ROW * (len(steps) - 0.5 + _ABOVE), WIDTH - left - 2 * MARGIN
    below = top + height + 0.58
    figure = new_figure(below + legend_height(names, WIDTH - left - MARGIN) + _KEY + MARGIN)
    write_title(figure, title)
    axes = add_axes(figure, left, top, width, height)
    room = _lay_out(axes, result.length, len(steps), titles)
    for y, (before, after) in enumerate(pairwise(steps)):
        _draw_links(axes, y, before, after, colours, room)
    most = max(len(step.actions) + len(step.boundaries) for step in steps)
    scale = float(np.clip(width * 72 / (_LARGEST * max(most, 1)), 0.3, 1))
    for y, step in enumerate(steps[:-1]):
        _draw_dots(axes, np.array([0.0, result.length]), y, np.full(2, 8.0 * scale), ["white"] * 2, _BOUNDARY)
        _draw_points(axes, y, step, colours, room, scale)
    draw_bar(axes, result, colours, TimeBase(Fraction(1)), len(steps) - 1, _BAR)
    draw_legend(figure, names, [colours[i] for i in shown], left, below)
    _draw_key(figure)
    return figure


def _check(steps: Sequence[Step], labels: LabelMap) -> Segmentation:
    result = steps[-1].segmentation if steps else None
    if result is None:
        raise TimelineError(
            "expected the steps of one re-assembly with the painted segments at the end, got"
            f" {len(steps)} steps {'without them' if steps else ''}; give all that reassembly_steps returns"
        )
    check_labels(result, labels, "re-assembly")
    most = max((int(step.actions.label.max()) for step in steps if len(step.actions)), default=0)
    if most >= len(labels):
        raise TimelineError(
            f"an action keypoint has class id {most}, ids go from 0 to {len(labels) - 1};"
            " use the label map of this data set"
        )
    return result


def _words(step: Step) -> tuple[str, list[str]]:
    """What stands beside a row: a name, and the rule with its lines of Algorithm 1."""
    rule = textwrap.wrap(step.rule, _RULE_WIDTH)
    return step.title, [*rule, f"(lines {step.lines})"] if step.lines else rule


def _lay_out(axes: Axes, length: int, rows: int, titles: Sequence[tuple[str, list[str]]]) -> tuple[float, float]:
    """Axis, row titles and time lines; returns the outermost places for points, in frames."""
    frame_axis(axes, length)
    pad = 0.02 * (length or 1)
    ticks = [tick for tick in axes.get_xticks() if 0 <= tick <= (length or 1)]
    axes.set(xlim=(-pad, (length or 1) + pad), xticks=ticks, ylim=(rows - 0.5, -_ABOVE), yticks=[])
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_bounds(0, length or 1)
    axes.hlines(np.arange(rows - 1), 0, length, colors="#d0d0d0", linewidth=1.0, zorder=1)
    style: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "ha": "right"}
    for y, (name, rule) in enumerate(titles):
        size = 0.15 * len(rule)
        write(axes, -0.015, y - size / 2 / _ROW, name, size=_NAME_SIZE, va="center", weight="bold", **style)
        for i, line in enumerate(rule):
            at = y + (0.17 + 0.13 * i - size / 2) / _ROW
            write(axes, -0.015, at, line, size=_RULE_SIZE, va="center", color="#444444", **style)
    return -pad, length + pad


def _places(step: Step, room: tuple[float, float]) -> tuple[FloatArray, FloatArray]:
    """x of action and boundary points: frame f covers [f, f + 1). Points far outside the video stand at its edge."""
    return np.clip(step.actions.time + 0.5, *room), np.clip(step.boundaries.time, *room)


def _draw_links(
    axes: Axes, y: int, before: Step, after: Step, colours: Sequence[str], room: tuple[float, float]
) -> None:
    """From row `y` to the row below; into the bar at its upper edge."""
    bottom = y + 1 if after.segmentation is None else y + 1 - _BAR / 2
    hues = [colours[i] for i in before.actions.label], [_BOUNDARY] * len(before.boundaries)
    links = zip(
        _places(before, room), _places(after, room), (after.actions_into, after.boundaries_into), hues, strict=True
    )
    for starts, ends, into, hue in links:
        _draw_paths(axes, starts, ends, into, hue, y, bottom)


def _draw_paths(
    axes: Axes, starts: FloatArray, ends: FloatArray, into: IntArray, colours: Sequence[str], y: int, bottom: float
) -> None:
    from matplotlib.collections import LineCollection

    stays = into >= 0
    parts = np.bincount(into[stays], minlength=len(ends))
    lines = [[(x, y), (ends[i], bottom) if i >= 0 else (x, y + _STUB)] for x, i in zip(starts, into, strict=True)]
    widths = [2.0 if i >= 0 and parts[i] > 1 else 0.9 for i in into]
    axes.add_collection(LineCollection(lines, colors=colours, linewidths=widths, zorder=2))
    gone = starts[~stays]
    axes.scatter(gone, np.full(len(gone), y + _STUB), s=22, c="#222222", marker="x", linewidths=1.2, zorder=3)


def _draw_points(
    axes: Axes, y: int, step: Step, colours: Sequence[str], room: tuple[float, float], scale: float
) -> None:
    x = np.concatenate(_places(step, room))
    confidence = np.clip(np.concatenate([step.actions.confidence, step.boundaries.confidence]), 0, 1)
    faces = [colours[i] for i in step.actions.label] + [_BOUNDARY] * len(step.boundaries)
    across = scale * (_SMALLEST + (_LARGEST - _SMALLEST) * confidence)
    order = np.argsort(confidence, kind="stable")  # the most confident on top
    _draw_dots(axes, x[order], y, across[order], [faces[i] for i in order], "white")
    for i in np.flatnonzero(_apart(axes, x) >= _SMALLEST) if scale == 1 else ():
        text = f"{confidence[i]:.2f}".rstrip("0").rstrip(".").lstrip("0") or "0"
        write(axes, x[i], y, text, size=6, ha="center", va="center_baseline", color=_ink(faces[i]), zorder=6)


def _draw_dots(axes: Axes, x: FloatArray, y: int, across: FloatArray, faces: Sequence[str], edge: str) -> None:
    """Dots on row `y`, `across` points wide."""
    axes.scatter(x, np.full(len(x), y), s=across**2, c=faces, edgecolors=edge, linewidths=0.8, zorder=4, clip_on=False)


def _apart(axes: Axes, x: FloatArray) -> FloatArray:
    """Distance of each place to the nearest other, in points of type."""
    low, high = axes.get_xlim()
    inches = axes.get_position().width * axes.get_figure().get_size_inches()[0]  # type: ignore[union-attr]
    order = np.argsort(x)
    gaps = np.concatenate(([np.inf], np.diff(x[order]), [np.inf])) * 72 * inches / (high - low)
    found = np.empty(len(x))
    found[order] = np.minimum(gaps[:-1], gaps[1:])
    return found


def _ink(face: str) -> str:
    """Black or white, which can be read on a colour."""
    red, green, blue = (int(face[i : i + 2], 16) for i in (1, 3, 5))
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 140 else "black"


def _draw_key(figure: Figure) -> None:
    from matplotlib.legend_handler import HandlerTuple
    from matplotlib.lines import Line2D

    dot: dict[str, Any] = {"linestyle": "none", "marker": "o"}
    handles: dict[str, Any] = {
        "boundary": Line2D([], [], color=_BOUNDARY, markersize=7, **dot),
        "start and end": Line2D([], [], markerfacecolor="white", markeredgecolor=_BOUNDARY, markersize=7, **dot),
        "number, size: confidence": tuple(Line2D([], [], color="#444444", markersize=size, **dot) for size in (5, 9)),
        "merged": Line2D([], [], color="#444444", linewidth=2.0),
        "deleted": Line2D([], [], linestyle="none", marker="x", color="#222222", markersize=5),
    }
    figure.legend(
        list(handles.values()),
        list(handles),
        handler_map={tuple: HandlerTuple(ndivide=None)},
        loc="lower center",
        ncols=len(handles),
        frameon=False,
        fontsize=8,
    )
