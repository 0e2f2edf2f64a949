"""The measurements of `motion`: colours, edges and flow, as histograms over the cells of a grid."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

MotionArray = npt.NDArray[np.floating]  # float32 throughout

GRID = (3, 4)
HUES, EDGES, DIRECTIONS = 6, 6, 8
COLOURS = HUES + 3
MOMENTS = 8

# Noise of camera and codec: of an edge, in grey levels per pixel, and squared where flow is fitted.
_EDGE_NOISE, _SQUARED_NOISE = 2.0, 6.0
_HIGH_PASS = 9  # pixels
_WINDOW = 7  # pixels, over which one velocity is fitted
_SLOWEST, FASTEST = 0.08, 2.5  # pixels: a slower one counts as still, and at most this much more counts
_TINY = np.float32(1e-6)


def halved(images: npt.NDArray[np.integer] | MotionArray) -> MotionArray:
    """Means over 2 x 2 pixels, from (n, H, W, ...) to (n, H / 2, W / 2, ...), float32."""
    kind = np.uint16 if images.dtype == np.uint8 else np.float32
    rows = np.add(images[:, 0::2], images[:, 1::2], dtype=kind)
    return np.add(rows[:, :, 0::2], rows[:, :, 1::2], dtype=kind).astype(np.float32, copy=False) / 4


def high_passed(grey: MotionArray) -> MotionArray:
    """Pictures (n, H, W) minus their local mean: a change of brightness vanishes."""
    return grey - _blurred(grey, _HIGH_PASS)


def cell_means(values: MotionArray, grid: tuple[int, int] = GRID) -> MotionArray:
    """Means over the cells of a grid, from (n, H, W) to (n, cells), row by row."""
    count, height, width = values.shape
    rows, columns = grid
    sums = values.reshape(count, rows, height // rows, width).sum(2).reshape(count, rows, columns, -1).sum(3)
    return np.asarray(sums.reshape(count, -1) / (height // rows * (width // columns)), np.float32)


def lobes(x: MotionArray, y: MotionArray, length: MotionArray, bins: int) -> list[MotionArray]:
    """Lengths of the vectors (x, y) in each of `bins` directions, the first along x, the next turned towards y.

    A vector along a direction gives it its whole length; one between two directions shares its length between them.
    """
    turns = 2 * np.pi * np.arange(bins) / bins
    reach = np.float32(np.cos(2 * np.pi / bins))
    beside = length * reach
    along = (x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn)) - beside for turn in turns)
    return [np.maximum(share, 0) / (1 - reach) for share in along]


def colour_histogram(rgb: MotionArray) -> MotionArray:
    """Shares of hues and of dark, middle and bright grey in pictures (n, H, W, 3): (n, 4 * COLOURS), square roots.

    Hue is relative to the intensity, and dark and bright to the picture's mean, so lighting matters little.
    """
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    total = red + green + blue
    scale = np.float32(1) / (total + 30)
    x = (red - (green + blue) / 2) * (2 * scale)
    y = (green - blue) * np.float32(np.sqrt(3)) * scale
    length = np.sqrt(x * x + y * y)
    limit = np.minimum(1, length) / (length + _TINY)
    shares = lobes(x * limit, y * limit, length * limit, HUES)
    grey = 1 - length * limit
    bright = total / (total.mean((1, 2), keepdims=True) + 10)
    dark = grey * np.clip((1 - bright) * 2, 0, 1)
    light = grey * np.clip((bright - 1) * 2, 0, 1)
    means = [cell_means(share, (2, 2)) for share in (*shares, dark, grey - dark - light, light)]
    roots: MotionArray = np.sqrt(np.maximum(np.concatenate(means, 1), 0))
    return roots


def edge_histogram(grey: MotionArray) -> MotionArray:
    """Strength of edges by direction, whichever side is dark: (n, cells * EDGES), square roots.

    It is relative to the edges of the same cell, and a little to those of the picture, so contrast matters little.
    """
    x, y = gradients(grey)
    squared = x * x + y * y
    length = np.sqrt(squared)
    inverse = 1 / (length + _TINY)
    doubled = lobes((x * x - y * y) * inverse, 2 * x * y * inverse, length, EDGES)
    shares = np.stack([cell_means(share) for share in doubled], 2)
    cells = shares.sum(2, keepdims=True)
    shares /= cells + cells.mean(1, keepdims=True) / 2 + _EDGE_NOISE
    return np.sqrt(shares).reshape(len(grey), -1)


def gradients(grey: MotionArray) -> tuple[MotionArray, MotionArray]:
    """Central differences along x and y, zero at the border."""
    x, y = np.zeros_like(grey), np.zeros_like(grey)
    np.subtract(grey[:, :, 2:], grey[:, :, :-2], out=x[:, :, 1:-1])
    np.subtract(grey[:, 2:], grey[:, :-2], out=y[:, 1:-1])
    return x * np.float32(0.5), y * np.float32(0.5)


def flow(first: MotionArray, second: MotionArray) -> tuple[MotionArray, MotionArray]:
    """Velocities (x, y) in pixels from pictures (n, H, W) to later ones, by least squares in small windows.

    This is the method of Lucas and Kanade (IJCAI 1981) with a penalty on length, so featureless areas do not move.
    """
    x, y = gradients((first + second) * np.float32(0.5))
    change = second - first
    xx, xy, yy = (_blurred(product, _WINDOW) for product in (x * x, x * y, y * y))
    xt, yt = (_blurred(product, _WINDOW) for product in (x * change, y * change))
    penalty = (xx + yy).mean((1, 2), keepdims=True) * np.float32(0.02) + np.float32(_SQUARED_NOISE)
    xx += penalty
    yy += penalty
    scale = -1 / (xx * yy - xy * xy)
    u = (yy * xt - xy * yt) * scale
    v = (xx * yt - xy * xt) * scale
    length = np.sqrt(u * u + v * v)
    kept = np.clip(length - np.float32(_SLOWEST), 0, np.float32(FASTEST)) / (length + _TINY)
    return u * kept, v * kept


def flow_sums(u: MotionArray, v: MotionArray) -> MotionArray:
    """Sums of velocities (n, H, W) that can be averaged over frames: (n, cells, DIRECTIONS + MOMENTS).

    Directions are right, then by eighths of a turn over down, left and up. Moments are, for velocity w of length m at
    position p, the means of m, m p, m |p|^2, w, w . p and w x p; positions are relative to the middle of the picture,
    in picture widths.
    """
    height, width = u.shape[1:]
    down, right = np.mgrid[:height, :width].astype(np.float32)
    down, right = (down - (height - 1) / 2) / width, (right - (width - 1) / 2) / width
    length = np.sqrt(u * u + v * v)
    first, second = (length * right, length * down), length * (right * right + down * down)
    moments = [length, *first, second, u, v, u * right + v * down, v * right - u * down]
    return np.stack([cell_means(value) for value in (*lobes(u, v, length, DIRECTIONS), *moments)], 2)


def opening_and_turning(moments: MotionArray) -> MotionArray:
    """Motion away from its own centre, and clockwise around it: from (..., MOMENTS) to (..., 2) in [-1, 1]."""
    m, mx, my, mpp, u, v, along, across = np.moveaxis(moments, -1, 0)
    inverse = 1 / (m + _TINY)
    x, y = mx * inverse, my * inverse
    spread = np.maximum(mpp - (mx * x + my * y), 0)
    # By Cauchy and Schwarz neither exceeds this; the constant suppresses a few wrong pixels.
    most = np.sqrt(spread * m) + np.float32(2e-4)
    return np.stack([(along - x * u - y * v) / most, (across - x * v + y * u) / most], -1)


def _blurred(values: MotionArray, size: int) -> MotionArray:
    """Means over size x size pixels of pictures (n, H, W); those at the edge are repeated beyond it.

    SciPy's uniform_filter is as fast, but importing it takes as long as a short video.
    """
    _, height, width = values.shape
    rows = np.pad(values, ((0, 0), (size // 2, size // 2), (0, 0)), mode="edge")
    column = _sum(rows[:, at : at + height] for at in range(size))
    columns = np.pad(column, ((0, 0), (0, 0), (size // 2, size // 2)), mode="edge")
    return _sum(columns[:, :, at : at + width] for at in range(size)) * np.float32(1 / size**2)


def _sum(parts: Iterable[MotionArray]) -> MotionArray:
    first, *others = parts
    total = first.copy()
    for part in others:
        total += part
    return total
