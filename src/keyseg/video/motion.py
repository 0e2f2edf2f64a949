"""The extractor `motion`: colours, edges and how things move, without weights to fetch and without torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import numpy as np

from keyseg.timeline import ConfigError
from keyseg.video.extractor import Image, Rows
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

# Slow things show in small pixels over more frames, fast ones in large pixels from frame to frame.
_SLOW_LAG, _FAST_LAG = 3, 1
_AROUND = 4  # frames on either side that a row looks at
_NOISE = 2  # grey levels: changes up to this are those of camera and codec
_GREY = np.array([0.299, 0.587, 0.114], np.float32)
_CELLS = GRID[0] * GRID[1]
_LOOKS = 4 * COLOURS + _CELLS * EDGES


class Motion:
    """Rows of (D,) in [-1, 1] from frames (120, 160, 3): how it looks at the frame, how it moves in 9 frames round it.

    A row: colours in 4 cells, edges in 12 cells, then for slow and for fast motion its directions in 12 cells, the
    energy of change in 12 cells, and opening and turning of the whole picture and of 12 cells. The first and the last
    frame repeat beyond the ends. block: frames computed at once; rows do not depend on it.
    """

    name = "motion"
    version = "1"
    dimension = _LOOKS + 2 * (_CELLS * (DIRECTIONS + 1) + 2 * (1 + _CELLS))
    clip_length = 2 * _AROUND + 1
    sample_rate = 1
    image_size = (120, 160)

    def __init__(self, *, block: int = 32) -> None:
        if block < 1:
            raise ConfigError(f"a block has at least 1 frame, got {block}")
        self.options: Mapping[str, str] = {}
        self._block = block

    def rows(self, frames: Iterable[Image]) -> Iterator[Rows]:
        """Features of N frames in blocks (n, D), N rows in all. Raises ConfigError on frames of another size."""
        kept: MotionArray | None = None
        for seen in self._frame_by_frame(_repeated(self._checked(frames), _AROUND)):
            kept = seen if kept is None else np.concatenate([kept, seen])
            ready = len(kept) - 2 * _AROUND
            if ready > 0:
                looks, sums = kept[_AROUND : _AROUND + ready, :_LOOKS], kept[:, _LOOKS:]
                yield np.concatenate([looks, _pooled(sums)], 1)
                kept = kept[ready:]

    def _checked(self, frames: Iterable[Image]) -> Iterator[Image]:
        for number, frame in enumerate(frames):
            if frame.shape != (*self.image_size, 3) or frame.dtype != np.uint8:
                raise ConfigError(
                    f"motion wants frames of shape {(*self.image_size, 3)}, uint8 RGB, got {frame.shape} {frame.dtype}"
                    f" at frame {number}; let the reader resize to image_size"
                )
            yield frame

    def _frame_by_frame(self, frames: Iterator[Image]) -> Iterator[MotionArray]:
        """What each frame shows, then what moved since the frames before it, (n, _LOOKS + M), a block at a time."""
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
    """The frames, with the first and the last so many times more."""
    last: Image | None = None
    for frame in frames:
        if last is None:
            yield from [frame] * times
        yield frame
        last = frame
    if last is not None:
        yield from [last] * times


def _moved(pictures: MotionArray, lag: int) -> MotionArray:
    """What adds up over frames, (n, M / 2), of pictures (n + lag, H, W)."""
    first, second = pictures[:-lag], pictures[lag:]
    sums = flow_sums(*flow(first, second))
    contrast = (np.abs(first).mean((1, 2)) + np.abs(second).mean((1, 2))) / 2 + _NOISE
    change = cell_means(np.maximum(np.abs(second - first) - _NOISE, 0)) / contrast[:, None]
    return np.concatenate([sums, change[..., None]], 2).reshape(len(first), -1)


def _pooled(sums: MotionArray) -> MotionArray:
    """Motion of a window of frames, (n, D'), from what adds up, (n + 2 * _AROUND, M)."""
    rows = len(sums) - 2 * _AROUND
    found = []
    for view, lag in zip(np.split(sums, 2, axis=1), (_SLOW_LAG, _FAST_LAG), strict=True):
        # Pairs that begin before the window are left out.
        pairs = range(lag, 2 * _AROUND + 1)
        mean = sum(view[start : start + rows] for start in pairs) / np.float32(len(pairs))
        cells = mean.reshape(rows, _CELLS, -1)
        moments = cells[..., DIRECTIONS:-1]
        moments = np.concatenate([moments.mean(1, keepdims=True), moments], 1)
        found += [
            np.sqrt(cells[..., :DIRECTIONS] / np.float32(FASTEST)).reshape(rows, -1),
            np.minimum(np.sqrt(cells[..., -1]), 1),
            opening_and_turning(moments).reshape(rows, -1),
        ]
    return np.concatenate(found, 1)
