"""Simple shapes with smooth edges, painted on an image: the elements of the toy kitchen's pictures.

A point is a complex number, x + iy in pixels with y downward; a rotation by `angle` is a product with exp(i angle).
"""

from __future__ import annotations

import cmath
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Inside = npt.NDArray[np.floating]


class Colour(NamedTuple):
    """Red, green and blue, 0 to 255."""

    red: float
    green: float
    blue: float

    def lit(self, factor: float) -> Colour:
        """The same colour, darker below 1 and brighter above."""
        return Colour(*(min(255.0, factor * value) for value in self))


@dataclass
class Canvas:
    """An image to paint on. pixels: (H, W, 3) float32 from 0 to 255. offset: shifts everything that is painted."""

    pixels: Floats
    offset: complex = 0j

    def ellipse(self, centre: complex, radii: tuple[float, float], colour: Colour, angle: float = 0.0) -> None:
        """Paint a filled ellipse."""

        def inside(x: Floats, y: Floats) -> Inside:
            # The distance to the edge: exact for a circle, and close enough for an edge one pixel wide.
            return (1 - np.sqrt((x / radii[0]) ** 2 + (y / radii[1]) ** 2)) * min(radii)

        self._paint(centre, max(radii), angle, colour, inside)

    def box(
        self, centre: complex, half: tuple[float, float], colour: Colour, angle: float = 0.0, rounding: float = 2.0
    ) -> None:
        """Paint a filled rectangle with round corners. half: half of its width and height."""

        def inside(x: Floats, y: Floats) -> Inside:
            right, below = np.abs(x) - (half[0] - rounding), np.abs(y) - (half[1] - rounding)
            corner = rounding - np.hypot(np.maximum(right, 0), np.maximum(below, 0))
            return np.minimum(corner, rounding - np.maximum(right, below))

        self._paint(centre, abs(complex(*half)), angle, colour, inside)

    def stroke(self, start: complex, end: complex, radius: float, colour: Colour) -> None:
        """Paint a straight line with round ends."""
        middle, along = (start + end) / 2, end - start

        def inside(x: Floats, y: Floats) -> Inside:
            return radius - np.hypot(np.maximum(np.abs(x) - abs(along) / 2, 0), y)

        self._paint(middle, abs(along) / 2 + radius, cmath.phase(along), colour, inside)

    def _paint(
        self, centre: complex, reach: float, angle: float, colour: Colour, inside: Callable[[Floats, Floats], Inside]
    ) -> None:
        """Blend a colour into the pixels around a point.

        inside: how far inside the shape a pixel is, in pixels, from its place (x, y) in axes rotated by `angle`.
        """
        height, width, _ = self.pixels.shape
        x, y = (centre + self.offset).real, (centre + self.offset).imag
        left, right = max(0, int(x - reach) - 1), min(width, int(x + reach) + 2)
        top, bottom = max(0, int(y - reach) - 1), min(height, int(y + reach) + 2)
        if left >= right or top >= bottom:
            return
        across = (np.arange(left, right, dtype=np.float32) - np.float32(x))[None, :]
        down = (np.arange(top, bottom, dtype=np.float32) - np.float32(y))[:, None]
        if angle != 0:
            cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
            across, down = cos * across + sin * down, cos * down - sin * across
        coverage = np.clip(inside(across, down) + np.float32(0.5), 0, 1)[:, :, None]
        pixels = self.pixels[top:bottom, left:right]
        pixels += coverage * (np.array(colour, np.float32) - pixels)
