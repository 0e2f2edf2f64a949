"""Re-assembly rule by rule: which keypoints were merged or deleted, and the segments that result (figure 1)."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from keyseg.keypoints import Step
from keyseg.timeline import FloatArray, LabelMap, TimeBase, TimelineError
from keyseg.viz import canvas
from keyseg.viz.colours import class_colours, ink_on
from keyseg.viz.rows import check_ids

_BOUNDARY = "#767676"
_ROW = 0.9
_BAR = 0.42
# Space above the first row, in rows.
_ABOVE = 0.36
_RULE_WIDTH = 30
_RULE_SIZE = 7.5
_NAME_SIZE = 9.0
_KEY = 0.3
# How far below its row the path of a deleted point ends, in rows.
_STUB = 0.42
# Diameter in points of a marker of confidence 0 and 1; a number needs the smaller of them.
_SMALLEST, _LARGEST = 12.5, 18.0


def plot_reassembly(steps: Sequence[Step], labels: LabelMap, *, title: str = "") -> Figure:
    """One row per step of Algorithm 1, from the keypoints down to the painted segments, over an axis of frames.

    Action points have the colour of their class; boundary points and the sentinels at 0 and T are grey. Size and number
    show the confidence. Lines lead from each point to the one that it became part of, or end in a cross where a rule
    deleted it. steps: from `reassembly_steps`. Raises TimelineError if there are no steps or a class id is unknown.

    >>> from keyseg.keypoints import example_keypoints, reassembly_steps
    >>> labels = LabelMap(("take", "pour", "stir", "put"))
    >>> figure = plot_reassembly(reassembly_steps(*example_keypoints()), labels)
    """
    result = steps[-1].segmentation if steps else None
    if result is None:
        raise TimelineError(
            "expected the steps of one re-assembly with the painted segments at the end, got"
            f" {len(steps)} steps{' without them' if steps else ''}; pass all that reassembly_steps returns"
        )
    for step in steps:
        check_ids(step.actions.label, labels, "action keypoints")
    colours = class_colours(labels)
    shown = sorted({int(i) for step in steps for i in step.actions.label} | {int(i) for i in result.labels})
    names = [labels.names[i] for i in shown]
    # The text beside a row: a name, and the rule with its lines of Algorithm 1.
    titles = [
        (step.title, textwrap.wrap(step.rule, _RULE_WIDTH) + [f"(lines {step.lines})"] * bool(step.lines))
        for step in steps
    ]
    left = canvas.MARGIN + 0.25 + max(canvas.text_width(rule, _RULE_SIZE) for _, rule in titles)
    left = max(left, canvas.MARGIN + 0.3 + canvas.text_width([name for name, _ in titles], _NAME_SIZE))
    top, height = canvas.title_height(title), _ROW * (len(steps) - 0.5 + _ABOVE)
    width, below = canvas.PAGE_WIDTH - left - 2 * canvas.MARGIN, top + height + 0.58
    figure = canvas.new_figure(below + canvas.legend_height(names, left) + _KEY + canvas.MARGIN, title)
    axes = canvas.add_axes(figure, left, top, width, height)
    room = _lay_out(axes, result.length, len(steps), titles)
    for y, (before, after) in enumerate(pairwise(steps)):
        _draw_links(axes, y, before, after, colours, room)
    most = max(len(step.actions) + len(step.boundaries) for step in steps)
    scale = float(np.clip(width * 72 / (_LARGEST * max(most, 1)), 0.3, 1))
    for y, step in enumerate(steps[:-1]):
        _draw_dots(axes, np.array([0.0, result.length]), y, np.full(2, 8.0 * scale), ["white"] * 2, _BOUNDARY)
        _draw_points(axes, y, step, colours, room, scale)
    canvas.draw_bar(axes, result, colours, TimeBase(Fraction(1)), len(steps) - 1, _BAR)
    canvas.draw_legend(figure, names, [colours[i] for i in shown], left, below)
    dot: dict[str, Any] = {"linestyle": "none", "marker": "o"}
    key = {
        "boundary": Line2D([], [], color=_BOUNDARY, markersize=7, **dot),
        "start and end": Line2D([], [], markerfacecolor="white", markeredgecolor=_BOUNDARY, markersize=7, **dot),
        "number, size: confidence": tuple(Line2D([], [], color="#444444", markersize=size, **dot) for size in (5, 9)),
        "merged": Line2D([], [], color="#444444", linewidth=2.0),
        "deleted": Line2D([], [], linestyle="none", marker="x", color="#222222", markersize=5),
    }
    canvas.draw_key(figure, key)
    return figure


def _lay_out(axes: Axes, length: int, rows: int, titles: Sequence[tuple[str, list[str]]]) -> tuple[float, float]:
    """Draw axis, row titles and time lines; return the outermost places for points, in frames."""
    canvas.frame_axis(axes, length)
    pad = 0.02 * (length or 1)
    ticks = [tick for tick in axes.get_xticks() if 0 <= tick <= (length or 1)]
    axes.set(xlim=(-pad, (length or 1) + pad), xticks=ticks, ylim=(rows - 0.5, -_ABOVE), yticks=[])
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_bounds(0, length or 1)
    axes.hlines(np.arange(rows - 1), 0, length, colors="#d0d0d0", linewidth=1.0, zorder=1)
    style: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "center"}
    for y, (name, rule) in enumerate(titles):
        size = 0.15 * len(rule)
        canvas.draw_text(axes, -0.015, y - size / 2 / _ROW, name, size=_NAME_SIZE, weight="bold", **style)
        for i, line in enumerate(rule):
            at = y + (0.17 + 0.13 * i - size / 2) / _ROW
            canvas.draw_text(axes, -0.015, at, line, size=_RULE_SIZE, color="#444444", **style)
    return -pad, length + pad


def _points(step: Step, colours: Sequence[str], room: tuple[float, float]) -> tuple[FloatArray, FloatArray, list[str]]:
    """x, confidence and colour of action points, then of boundary points. Frame f covers [f, f + 1).

    Points far outside the video move to its edge.
    """
    x = np.clip(np.concatenate([step.actions.time + 0.5, step.boundaries.time]), *room)
    confidence = np.clip(np.concatenate([step.actions.confidence, step.boundaries.confidence]), 0, 1)
    return x, confidence, [colours[i] for i in step.actions.label] + [_BOUNDARY] * len(step.boundaries)


def _draw_links(
    axes: Axes, y: int, before: Step, after: Step, colours: Sequence[str], room: tuple[float, float]
) -> None:
    """Draw lines from row `y` to the row below; to the upper edge of the bar if that is the last row."""
    bottom = y + 1 if after.segmentation is None else y + 1 - _BAR / 2
    (starts, _, faces), (ends, _, _) = _points(before, colours, room), _points(after, colours, room)
    boundaries_into = np.where(after.boundaries_into < 0, -1, after.boundaries_into + len(after.actions))
    into = np.concatenate([after.actions_into, boundaries_into])
    parts = np.bincount(into[into >= 0], minlength=len(ends))
    lines = [[(x, y), (ends[i], bottom) if i >= 0 else (x, y + _STUB)] for x, i in zip(starts, into, strict=True)]
    widths = [2.0 if i >= 0 and parts[i] > 1 else 0.9 for i in into]
    axes.add_collection(LineCollection(lines, colors=faces, linewidths=widths, zorder=2))
    deleted = starts[into < 0]
    axes.scatter(deleted, np.full(len(deleted), y + _STUB), s=22, c="#222222", marker="x", linewidths=1.2, zorder=3)


def _draw_points(
    axes: Axes, y: int, step: Step, colours: Sequence[str], room: tuple[float, float], scale: float
) -> None:
    x, confidence, faces = _points(step, colours, room)
    diameters = scale * (_SMALLEST + (_LARGEST - _SMALLEST) * confidence)
    order = np.argsort(confidence, kind="stable")  # the most confident on top
    _draw_dots(axes, x[order], y, diameters[order], [faces[i] for i in order], "white")
    style: dict[str, Any] = {"size": 6, "ha": "center", "va": "center_baseline", "zorder": 6}
    for i in np.flatnonzero(_distances(axes, x) >= _SMALLEST) if scale == 1 else ():
        text = f"{confidence[i]:.2f}".rstrip("0").rstrip(".").lstrip("0") or "0"
        canvas.draw_text(axes, x[i], y, text, color=ink_on(faces[i]), **style)


def _draw_dots(axes: Axes, x: FloatArray, y: int, diameters: FloatArray, faces: Sequence[str], edge: str) -> None:
    style: dict[str, Any] = {"edgecolors": edge, "linewidths": 0.8, "zorder": 4, "clip_on": False}
    axes.scatter(x, np.full(len(x), y), s=diameters**2, c=faces, **style)


def _distances(axes: Axes, x: FloatArray) -> FloatArray:
    """Distance of each place to the nearest other one, in points."""
    low, high = axes.get_xlim()
    inches = axes.get_position().width * axes.get_figure().get_size_inches()[0]  # type: ignore[union-attr]
    order = np.argsort(x)
    gaps = np.concatenate(([np.inf], np.diff(x[order]), [np.inf])) * 72 * inches / (high - low)
    nearest = np.empty(len(x))
    nearest[order] = np.minimum(gaps[:-1], gaps[1:])
    return nearest
