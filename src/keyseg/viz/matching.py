"""The matching of a keypoint graph to the graph of an annotation."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from keyseg.timeline import FloatArray, IntArray, TimelineError
from keyseg.viz import canvas

_ACTION = "#0072b2"
_BOUNDARY = "#767676"
_DUSTBIN = "#d55e00"
# Matches below this share are not drawn: a soft assignment has M x N of them.
_FAINTEST = 0.03
_SOURCE, _TARGET = 1.0, 0.0
_ARC = 0.09


def plot_matching(
    source_time: npt.ArrayLike,
    source_kind: npt.ArrayLike,
    source_confidence: npt.ArrayLike,
    target_time: npt.ArrayLike,
    target_kind: npt.ArrayLike,
    assignment: npt.ArrayLike,
    *,
    length: float,
    neighbours: int = 2,
    title: str = "",
) -> Figure:
    """Keypoint graph above, annotation graph below, and between them lines as wide and dark as their share S[i, j].

    source_*: (M,) time in steps, kind (0 action, 1 boundary), confidence; target_*: (N,). assignment: (M, N + 1) in
    [0, 1]; its last column, the dustbin, is drawn as bars on top. length: T in steps. neighbours: links that a node has
    on each side, drawn as arcs. Action nodes are filled, boundary nodes hollow and grey (supplement, figure 1).
    Raises TimelineError where shapes differ or a kind is unknown.
    """
    times = np.asarray(source_time, np.float64), np.asarray(target_time, np.float64)
    kinds = np.asarray(source_kind).astype(np.int64), np.asarray(target_kind).astype(np.int64)
    confidence, share = np.asarray(source_confidence, np.float64), np.asarray(assignment, np.float64)
    _check(times, kinds, confidence, share)
    top, left, width = canvas.title_height(title), 1.15, canvas.PAGE_WIDTH - 1.15 - 2 * canvas.MARGIN
    figure = canvas.new_figure(top + 4.25, title)
    _draw_dustbin(canvas.add_axes(figure, left, top, width, 0.5), times[0], share[:, -1], length)
    axes = canvas.add_axes(figure, left, top + 0.55, width, 2.85)
    _draw_links(axes, times[0], _SOURCE, 1.0, neighbours)
    _draw_links(axes, times[1], _TARGET, -1.0, neighbours)
    _draw_matches(axes, times, kinds[0], share[:, :-1])
    size = float(np.clip(2000 / max(len(times[0]), len(times[1]), 1), 12, 50))
    _draw_nodes(axes, times[0], _SOURCE, kinds[0], size * (0.3 + 0.7 * np.clip(confidence, 0, 1)))
    _draw_nodes(axes, times[1], _TARGET, kinds[1], np.full(len(times[1]), size))
    canvas.name_rows(axes, ("annotation", "keypoints"), 9, gap=0.015 * width)
    reach = _ARC * (neighbours + 1)
    axes.set(xlim=(0, length or 1), ylim=(_TARGET - reach, _SOURCE + reach))
    axes.set_xlabel("time (steps)", size=9)
    axes.spines["left"].set_visible(False)
    dot: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 6}
    key = {
        "action keypoint": Line2D([], [], color=_ACTION, **dot),
        "boundary keypoint": Line2D([], [], markerfacecolor="white", markeredgecolor=_BOUNDARY, **dot),
        "match, wider and darker with its share": Line2D([], [], color=_ACTION, linewidth=2),
        "share in the dustbin (no match)": Line2D([], [], color=_DUSTBIN, linewidth=2.5),
    }
    canvas.draw_key(figure, key)
    return figure


def _check(
    times: tuple[FloatArray, FloatArray], kinds: tuple[IntArray, IntArray], confidence: FloatArray, share: FloatArray
) -> None:
    for side, time, kind in zip(("source", "target"), times, kinds, strict=True):
        if time.ndim != 1 or time.shape != kind.shape:
            raise TimelineError(
                f"{side} time and kind must both have shape (nodes,), got {time.shape} and {kind.shape}"
            )
        unknown = kind[~np.isin(kind, (0, 1))]
        if len(unknown):
            raise TimelineError(f"{side} kind must be 0 (action) or 1 (boundary), got {unknown[0]}")
    if confidence.shape != times[0].shape:
        raise TimelineError(f"source confidence must have shape {times[0].shape}, got {confidence.shape}")
    expected = (len(times[0]), len(times[1]) + 1)
    if share.shape != expected:
        raise TimelineError(
            f"assignment must have shape (M, N + 1) = {expected}, last column the dustbin, got {share.shape}"
        )
    # Sinkhorn in single precision leaves sums slightly above 1.
    if not ((share >= 0) & (share <= 1.001)).all():
        raise TimelineError(
            f"assignment must lie in [0, 1], got {share.min():.3g} to {share.max():.3g};"
            " if it is a log assignment, pass its exp"
        )


def _draw_dustbin(axes: Axes, time: FloatArray, share: FloatArray, length: float) -> None:
    axes.vlines(time, 0, np.clip(share, 0, 1), colors=_DUSTBIN, linewidth=2.5)
    axes.set(xlim=(0, length or 1), ylim=(0, 1), xticks=[], yticks=[0, 1])
    axes.spines["bottom"].set_color("#999999")
    axes.tick_params(labelsize=7, length=2)
    axes.yaxis.tick_right()
    axes.spines["left"].set_visible(False)
    axes.spines["right"].set(visible=True, color="#999999")
    canvas.draw_text(axes, -0.015, 0.5, "dustbin", size=9, ha="right", va="center", transform=axes.transAxes)


def _draw_links(axes: Axes, time: FloatArray, y: float, side: float, neighbours: int) -> None:
    ordered, half_turn = np.sort(time), np.linspace(0, np.pi, 17)
    for hop in range(1, neighbours + 1):
        begin, end = ordered[:-hop, None], ordered[hop:, None]
        x = (begin + end) / 2 - (end - begin) / 2 * np.cos(half_turn)
        arc = np.broadcast_to(y + side * _ARC * hop * np.sin(half_turn), x.shape)
        lines = list(np.stack([x, arc], axis=-1))
        axes.add_collection(LineCollection(lines, colors="#b5b5b5", linewidths=0.7, zorder=1))


def _draw_matches(axes: Axes, times: tuple[FloatArray, FloatArray], kind: IntArray, share: FloatArray) -> None:
    i, j = np.nonzero(share >= _FAINTEST)
    weight = np.clip(share[i, j], 0, 1)
    ends = np.stack([np.full(len(i), _SOURCE), np.full(len(i), _TARGET)], axis=1)
    lines = np.stack([np.stack([times[0][i], times[1][j]], axis=1), ends], axis=-1)
    colours = to_rgba_array([_ACTION, _BOUNDARY])[kind[i]]
    colours[:, 3] = 0.12 + 0.83 * weight
    axes.add_collection(LineCollection(list(lines), colors=colours, linewidths=0.4 + 1.8 * weight, zorder=2))


def _draw_nodes(axes: Axes, time: FloatArray, y: float, kind: IntArray, size: FloatArray) -> None:
    # Boundaries are smaller and on top: otherwise the centre of a short segment would hide them.
    for which, face, edge, scale in ((0, _ACTION, "white", 1.0), (1, "white", _BOUNDARY, 0.6)):
        at, area = time[kind == which], scale * size[kind == which]
        style: dict[str, Any] = {"facecolors": face, "edgecolors": edge, "linewidths": 1.0}
        axes.scatter(at, np.full(len(at), y), s=area, zorder=3, clip_on=False, **style)
