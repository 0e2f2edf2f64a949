"""Simple shapes with smooth edges, painted on an image: the elements of the toy kitchen's pictures.

A point is a complex number, x + iy in pixels with y downward; a rotation by `angle` is a product with exp(i angle).
"""

from __future__ import annotations

import cmath
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


class Colour(NamedTuple):
    """Red, green and blue, 0 to 255."""

    red: float
    green: float
    blue: float

    def lit(self, factor: float) -> Colour:
        """The same colour, darker below 1 and brighter above."""
        return Colour(*(min(255.0, factor * value) for value in self))


class Canvas:
    """An image to paint on. pixels: (H, W, 3) float32 from 0 to 255. offset: shifts everything that is painted."""

    def __init__(self, pixels: Floats, offset: complex = 0j) -> None:
        self.pixels = pixels
        self.offset = offset

    def ellipse(self, centre: complex, radii: tuple[float, float], colour: Colour, angle: float = 0.0) -> None:
        """Paint a filled ellipse."""
        patch = self._patch(centre, max(radii))
        if patch is None:
            return
        pixels, x, y = patch
        x, y = _turned(x, y, angle)
        # The distance to the edge: exact for a circle, and close enough for an edge one pixel wide.
        inside = (1 - np.sqrt((x / radii[0]) ** 2 + (y / radii[1]) ** 2)) * min(radii)
        _blend(pixels, inside, colour)

    def box(
        self, centre: complex, half: tuple[float, float], colour: Colour, angle: float = 0.0, rounding: float = 2.0
    ) -> None:
        """Paint a filled rectangle with round corners. half: half of its width and height."""
        patch = self._patch(centre, abs(complex(*half)))
        if patch is None:
            return
        pixels, x, y = patch
        x, y = _turned(x, y, angle)
        right, below = np.abs(x) - (half[0] - rounding), np.abs(y) - (half[1] - rounding)
        inside = rounding - np.hypot(np.maximum(right, 0), np.maximum(below, 0))
        _blend(pixels, np.minimum(inside, rounding - np.maximum(right, below)), colour)

    def stroke(self, start: complex, end: complex, radius: float, colour: Colour) -> None:
        """Paint a straight line with round ends."""
        middle, along = (start + end) / 2, end - start
        patch = self._patch(middle, abs(along) / 2 + radius)
        if patch is None:
            return
        pixels, x, y = patch
        x, y = _turned(x, y, cmath.phase(along))
        beyond = np.maximum(np.abs(x) - abs(along) / 2, 0)
        _blend(pixels, radius - np.hypot(beyond, y), colour)

    def _patch(self, centre: complex, reach: float) -> tuple[Floats, Floats, Floats] | None:
        """The part of the image around a point, with x (1, w) and y (h, 1) relative to it; None if it is outside."""
        height, width, _ = self.pixels.shape
        x, y = (centre + self.offset).real, (centre + self.offset).imag
        left, right = max(0, int(x - reach) - 1), min(width, int(x + reach) + 2)
        top, bottom = max(0, int(y - reach) - 1), min(height, int(y + reach) + 2)
        if left >= right or top >= bottom:
            return None
        columns = np.arange(left, right, dtype=np.float32) - np.float32(x)
        rows = np.arange(top, bottom, dtype=np.float32) - np.float32(y)
        return self.pixels[top:bottom, left:right], columns[None, :], rows[:, None]


def _turned(x: Floats, y: Floats, angle: float) -> tuple[Floats, Floats]:
    """Coordinates in axes that are rotated by `angle`."""
    if angle == 0:
        return x, y
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return cos * x + sin * y, cos * y - sin * x


def _blend(pixels: Floats, inside: npt.NDArray[np.floating], colour: Colour) -> None:
    """Blend a colour into pixels; inside: how far each is inside the shape, in pixels."""
    coverage = np.clip(inside + np.float32(0.5), 0, 1)[:, :, None]
    pixels += coverage * (np.array(colour, np.float32) - pixels)
