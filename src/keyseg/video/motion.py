"""The extractor `motion`: colours, edges and movement, without weights to fetch and without torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import numpy as np

from keyseg.timeline import ConfigError
from keyseg.video.extractor import Image, Rows, checked_frames
from keyseg.video.motion_histograms import (
    COLOURS,
    DIRECTIONS,
    EDGES,
    FASTEST,
    GRID,
    MotionArray,
    cell_means,
    colour_histogram,
    edge_histogram,
    flow,
    flow_sums,
    halved,
    high_passed,
    opening_and_turning,
)

# Slow motion is seen in small pixels over several frames, fast motion in large pixels from frame to frame.
_SLOW_LAG, _FAST_LAG = 3, 1
_AROUND = 4  # frames on either side of a row's frame that it is computed from
_NOISE = 2  # grey levels: changes up to this come from camera and codec
_GREY = np.array([0.299, 0.587, 0.114], np.float32)
_CELLS = GRID[0] * GRID[1]
_LOOKS = 4 * COLOURS + _CELLS * EDGES


class Motion:
    """Rows (D,) in [-1, 1] from frames (120, 160, 3): the look of a frame, and the motion in the 9 frames around it.

    A row holds colours in 4 cells and edges in 12 cells, then, for slow and for fast motion, its directions and the
    energy of change in 12 cells, and opening and turning of the whole picture and of 12 cells. The first and the last
    frame are repeated beyond the ends. block: frames computed at once, which does not change the rows.

    >>> frames = [np.zeros((120, 160, 3), np.uint8)] * 5
    >>> [block.shape for block in Motion().rows(frames)]
    [(5, 376)]
    """

    name = "motion"
    version = "1"
    dimension = _LOOKS + 2 * (_CELLS * (DIRECTIONS + 1) + 2 * (1 + _CELLS))
    clip_length = 2 * _AROUND + 1
    sample_rate = 1
    image_size = (120, 160)

    def __init__(self, *, block: int = 16) -> None:
        if block < 1:
            raise ConfigError(f"a block must have at least 1 frame, got {block}")
        self.options: Mapping[str, str] = {}
        self._block = block

    def rows(self, frames: Iterable[Image]) -> Iterator[Rows]:
        """Features of N frames in blocks (n, D), N rows in all. Raises ConfigError on frames of another size."""
        kept: MotionArray | None = None
        for values in self._frame_by_frame(_repeated(checked_frames(self, frames), _AROUND)):
            kept = values if kept is None else np.concatenate([kept, values])
            ready = len(kept) - 2 * _AROUND
            if ready > 0:
                looks, sums = kept[_AROUND : _AROUND + ready, :_LOOKS], kept[:, _LOOKS:]
                yield np.concatenate([looks, _pooled(sums)], 1)
                kept = kept[ready:]

    def _frame_by_frame(self, frames: Iterator[Image]) -> Iterator[MotionArray]:
        """The look of each frame and its motion since earlier frames, (n, _LOOKS + M), one block at a time."""
        before: tuple[MotionArray, MotionArray] | None = None
        while block := list(islice(frames, self._block)):
            small = halved(np.stack(block))
            fine = small @ _GREY
            look = np.concatenate([colour_histogram(halved(small)), edge_histogram(fine)], 1)
            views = high_passed(fine), high_passed(halved(fine))
            if before is None:
                before = np.repeat(views[0][:1], _SLOW_LAG, 0), views[1][:1]
            slow = np.concatenate([before[0], views[0]])
            fast = np.concatenate([before[1], views[1]])
            yield np.concatenate([look, _moved(slow, _SLOW_LAG), _moved(fast, _FAST_LAG)], 1)
            before = slow[-_SLOW_LAG:], fast[-_FAST_LAG:]


def _repeated(frames: Iterator[Image], times: int) -> Iterator[Image]:
    """The frames, with `times` more copies of the first and of the last one."""
    last: Image | None = None
    for frame in frames:
        if last is None:
            yield from [frame] * times
        yield frame
        last = frame
    if last is not None:
        yield from [last] * times


def _moved(pictures: MotionArray, lag: int) -> MotionArray:
    """Sums of motion, (n, M / 2), from pictures (n + lag, H, W) to those `lag` frames later."""
    first, second = pictures[:-lag], pictures[lag:]
    sums = flow_sums(*flow(first, second))
    contrast = (np.abs(first).mean((1, 2)) + np.abs(second).mean((1, 2))) / 2 + _NOISE
    change = cell_means(np.maximum(np.abs(second - first) - _NOISE, 0)) / contrast[:, None]
    return np.concatenate([sums, change[..., None]], 2).reshape(len(first), -1)


def _pooled(sums: MotionArray) -> MotionArray:
    """Motion of windows of frames, (n, D'), from its sums per frame, (n + 2 * _AROUND, M)."""
    rows = len(sums) - 2 * _AROUND
    parts = []
    for view, lag in zip(np.split(sums, 2, axis=1), (_SLOW_LAG, _FAST_LAG), strict=True):
        # Pairs that begin before the window are left out.
        pairs = range(lag, 2 * _AROUND + 1)
        mean = sum(view[start : start + rows] for start in pairs) / np.float32(len(pairs))
        cells = mean.reshape(rows, _CELLS, -1)
        moments = cells[..., DIRECTIONS:-1]
        moments = np.concatenate([moments.mean(1, keepdims=True), moments], 1)
        parts += [
            np.sqrt(cells[..., :DIRECTIONS] / np.float32(FASTEST)).reshape(rows, -1),
            np.minimum(np.sqrt(cells[..., -1]), 1),
            opening_and_turning(moments).reshape(rows, -1),
        ]
    return np.concatenate(parts, 1)
