"""Systems against the ground truth: bars, key frames of the video, boxes where one is better (figure 2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from keyseg.timeline import ConfigError, FloatArray, LabelMap, Segmentation, TimeBase, TimelineError
from keyseg.video.extractor import Image
from keyseg.viz import canvas
from keyseg.viz.rows import Row, check_image, check_rows
from keyseg.viz.timelines import bars_width, plot_timelines

_TALLEST = 1.1
_GAP = 0.03
_LEAD = 0.24
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
    """`plot_timelines` below a film strip of key frames, each joined by a line to its time.

    key_frames: (frame, image) in any order, images (H, W, 3) uint8 as `read_key_frames` returns them. Each is placed as
    near to its time as it can be without covering another; at even times they form one strip as wide as the bars.
    rows, labels, timebase, boxes: as for `plot_timelines`. Raises TimelineError as that does, and for a key frame
    outside the video or an image of another kind.
    """
    length = check_rows(rows, labels)
    if not key_frames:
        return plot_timelines(rows, labels, timebase, title=title, boxes=boxes)
    for frame, image in key_frames:
        if not 0 <= frame < length:
            raise TimelineError(f"a key frame needs 0 <= frame < {length} (the frames of the video), got {frame}")
        check_image(image, f"key frame {frame}")
    frames, images = zip(*sorted(key_frames, key=lambda pair: pair[0]), strict=True)
    ratios = np.array([image.shape[1] / image.shape[0] for image in images])
    room = bars_width(rows) - _GAP * len(images)
    height = min(_TALLEST, room / ratios.sum())
    figure = plot_timelines(rows, labels, timebase, title=title, boxes=boxes, above=height + _LEAD)
    fps = 1.0 if timebase is None else float(timebase.fps)
    _draw_strip(figure, images, (np.array(frames) + 0.5) / fps, ratios * height, height, canvas.title_height(title))
    return figure


def _draw_strip(
    figure: Figure, images: Sequence[Image], times: FloatArray, widths: FloatArray, height: float, top: float
) -> None:
    """Draw images `height` inches high above the bars, and a line from each to its time on the bars' axis."""
    across, down = figure.get_size_inches()
    bars = figure.axes[0]
    place, (low, high) = bars.get_position(), bars.get_xlim()
    ends = across * (place.x0 + place.width * (times - low) / (high - low))
    middles = _spread(ends, widths, across * place.x0, across * place.x1)
    for image, middle, end, width in zip(images, middles, ends, widths, strict=True):
        axes = canvas.add_axes(figure, middle - width / 2, top, width, height)
        axes.imshow(image, aspect="auto", interpolation="antialiased")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(visible=True, color=_LINE, linewidth=0.6)
        x, y = [middle / across, end / across], [1 - (top + height) / down, place.y1]
        figure.add_artist(Line2D(x, y, color=_LINE, linewidth=0.8, marker=7, markevery=[1], markersize=4))


def _spread(wanted: FloatArray, widths: FloatArray, low: float, high: float) -> FloatArray:
    """Middles in order, as near to `wanted` (least squares) as pieces of these widths fit side by side."""
    from scipy.optimize import isotonic_regression

    # The middles of all pieces pushed to the left end at 0; the shift away from there can only grow.
    packed = np.cumsum(widths + _GAP) - widths / 2 - _GAP
    free = high - low - (widths.sum() + _GAP * (len(widths) - 1))
    shift = isotonic_regression(wanted - packed).x
    middles: FloatArray = np.clip(shift, low, low + max(free, 0.0)) + packed
    return middles


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
    """Frame ranges [start, end) in time order, for boxes, where `better` is right and every one of `others` is wrong.

    In a range `better` equals the reference in all frames, and each other one differs in `share` of them or more.
    Ranges where all others are wrong at once are joined over gaps of `gap` frames or fewer while that holds; of those
    with `shortest` frames or more the `most` longest are returned. Raises TimelineError if lengths differ or there is
    no other system.

    >>> truth, frame_wise = Segmentation.from_frames([0] * 60), Segmentation.from_frames([0] * 20 + [1] * 30 + [0] * 10)
    >>> differing_ranges(truth, truth, [frame_wise])
    [(20, 50)]
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
                f" has {segmentation.length}; cut or resample one of them first"
            )
    if not 0 < share <= 1:
        raise ConfigError(f"share is a part of a range, above 0 and at most 1, got {share}")
