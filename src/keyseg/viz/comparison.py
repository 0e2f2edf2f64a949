"""Systems against the ground truth: bars, key frames of the video, boxes where one is better (figure 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from keyseg.timeline import ConfigError, LabelMap, Segmentation, TimeBase, TimelineError
from keyseg.video.extractor import Image
from keyseg.viz.canvas import MARGIN, WIDTH, add_axes, title_height
from keyseg.viz.rows import Row, check_rows
from keyseg.viz.timelines import plot_timelines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FloatArray = npt.NDArray[np.float64]

_TALLEST = 0.95
_GAP = 0.06
_LEAD = 0.3
_LINE = "#555555"


def plot_comparison(
    rows: Sequence[Row],
    labels: LabelMap,
    timebase: TimeBase | None,
    *,
    boxes: Sequence[tuple[int, int]] = (),
    key_frames: Sequence[tuple[int, Image]] = (),
    title: str = "",
) -> Figure:
    """`plot_timelines` under a strip of key frames, each joined by a line to its time.

    key_frames: (frame, image) in any order, images (H, W, 3) uint8 such as `read_key_frames` returns. They stand as
    near to their times as they can without covering each other. rows, labels, timebase, boxes: as for `plot_timelines`.
    Raises TimelineError as it does, and for a key frame outside the video or an image of another kind.
    """
    length = check_rows(rows, labels)
    pictures = sorted(key_frames, key=lambda pair: pair[0])
    shapes = _ratios(pictures, length)
    room = WIDTH - 2 * MARGIN - _GAP * (len(pictures) - 1)
    height = min(_TALLEST, room / shapes.sum()) if len(pictures) else 0.0
    above = height + _LEAD if len(pictures) else 0.0
    figure = plot_timelines(rows, labels, timebase, title=title, boxes=boxes, above=above)
    if len(pictures):
        fps = 1.0 if timebase is None else float(timebase.fps)
        times = (np.array([frame for frame, _ in pictures]) + 0.5) / fps
        _draw_strip(figure, figure.axes[0], [image for _, image in pictures], times, shapes, height, title)
    return figure


def _ratios(pictures: Sequence[tuple[int, Image]], length: int) -> FloatArray:
    """Width by height of each image. Raises TimelineError if one is no image of the video."""
    for frame, image in pictures:
        if not 0 <= frame < length:
            raise TimelineError(f"a key frame needs 0 <= frame < {length} (the frames of the video), got {frame}")
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise TimelineError(
                f"key frame {frame}: expected an image (H, W, 3) of uint8, got {image.shape} of {image.dtype}"
            )
    return np.array([image.shape[1] / image.shape[0] for _, image in pictures])


def _draw_strip(
    figure: Figure,
    bars: Axes,
    images: Sequence[Image],
    times: FloatArray,
    shapes: FloatArray,
    height: float,
    title: str,
) -> None:
    across, down = figure.get_size_inches()
    place = bars.get_position()
    low, high = bars.get_xlim()
    ends = across * (place.x0 + place.width * (times - low) / (high - low))
    top = title_height(title)
    middles = _spread(ends, shapes * height, MARGIN, across - MARGIN)
    for image, middle, end, width in zip(images, middles, ends, shapes * height, strict=True):
        axes = add_axes(figure, middle - width / 2, top, width, height)
        axes.imshow(image, aspect="auto", interpolation="antialiased")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(visible=True, color=_LINE, linewidth=0.6)
        _draw_lead(figure, (middle / across, 1 - (top + height) / down), (end / across, place.y1))


def _draw_lead(figure: Figure, start: tuple[float, float], end: tuple[float, float]) -> None:
    from matplotlib.lines import Line2D

    (x0, y0), (x1, y1) = start, end
    figure.add_artist(Line2D([x0, x1], [y0, y1], color=_LINE, linewidth=0.8, marker=7, markevery=[1], markersize=4))


def _spread(wanted: FloatArray, widths: FloatArray, low: float, high: float) -> FloatArray:
    """Middles in order, as near to `wanted` (least squares) as pieces of these widths can stand side by side."""
    from scipy.optimize import isotonic_regression

    # Where each middle stood if all pieces were pushed to the left of 0: what is left may only grow.
    packed = np.cumsum(widths + _GAP) - widths / 2 - _GAP
    free = high - low - (widths.sum() + _GAP * (len(widths) - 1))
    shift = isotonic_regression(wanted - packed).x
    return np.clip(shift, low, low + max(free, 0.0)) + packed


def differing_ranges(
    reference: Segmentation,
    better: Segmentation,
    others: Sequence[Segmentation],
    *,
    share: float = 0.8,
    gap: int = 10,
    shortest: int = 15,
    most: int = 3,
) -> list[tuple[int, int]]:
    """Frame ranges [start, end), in time order, for boxes: there `better` is right and every one of `others` is wrong.

    `better` equals the reference in all frames of a range, each other differs in at least `share` of them. Ranges where
    all others are wrong at once are joined over at most `gap` frames where that still holds; of those with `shortest`
    frames or more, the `most` longest are returned. Raises TimelineError where lengths differ or there is no other.
    """
    _check_ranges(reference, [better, *others], share)
    truth = reference.to_frames()
    right = better.to_frames() == truth
    wrong = np.stack([other.to_frames() != truth for other in others])
    ranges: list[tuple[int, int]] = []
    for run in Segmentation.from_frames((right & wrong.all(axis=0)).astype(np.int64)):
        if not run.label:
            continue
        start, end = run.start_frame, run.end_frame
        if ranges and start - ranges[-1][1] <= gap:
            first = ranges[-1][0]
            if right[first:end].all() and (wrong[:, first:end].mean(axis=1) >= share).all():
                ranges.pop()
                start = first
        ranges.append((start, end))
    lasting = [(start, end) for start, end in ranges if end - start >= shortest]
    return sorted(sorted(lasting, key=lambda pair: (pair[0] - pair[1], pair[0]))[:most])


def _check_ranges(reference: Segmentation, compared: Sequence[Segmentation], share: float) -> None:
    if len(compared) < 2:
        raise TimelineError("expected at least one system to compare with, got none")
    for segmentation in compared:
        if segmentation.length != reference.length:
            raise TimelineError(
                f"systems of one video have one length, but the reference has {reference.length} frames and a system"
                f" {segmentation.length}; cut or resample one of them first"
            )
    if not 0 < share <= 1:
        raise ConfigError(f"share is a part of a range, above 0 and at most 1, got {share}")
