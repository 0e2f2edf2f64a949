"""Simple shapes with smooth edges, painted on an image: the elements of the toy kitchen's pictures.

A point is a complex number, x + iy in pixels with y downward, and 0 in the middle of the first pixel; a rotation by
`angle` turns x towards y.
"""

from __future__ import annotations

import cmath
from typing import NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.path import Path
from matplotlib.transforms import Affine2D

from keyseg.video.extractor import Image

_CIRCLE, _SQUARE = Path.unit_circle(), Path([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)], closed=True)
_LINE = Path([(-1, 0), (1, 0)])
_DOTS_PER_INCH = 72.0  # so that a point, the unit of widths, is a pixel


class Colour(NamedTuple):
    """Red, green and blue, 0 to 255."""

    red: float
    green: float
    blue: float

    def lit(self, factor: float) -> Colour:
        """The same colour, darker below 1 and brighter above."""
        return Colour(*(min(255.0, factor * value) for value in self))


class Canvas:
    """An image to paint on. background: (H, W, 4) uint8 RGBA, opaque. offset: shifts everything that is painted."""

    def __init__(self, background: Image, offset: complex = 0j) -> None:
        height, width, _ = background.shape
        self._renderer = RendererAgg(width, height, _DOTS_PER_INCH)
        self._pen = self._renderer.new_gc()
        self._pen.set_capstyle("round")
        self._pen.set_joinstyle("round")
        self._pen.set_snap(False)
        self._offset, self._height = offset, height
        self.pixels = np.asarray(self._renderer.buffer_rgba())
        """What is painted, (H, W, 4) uint8 RGBA."""
        self.pixels[...] = background

    def ellipse(self, centre: complex, radii: tuple[float, float], colour: Colour, angle: float = 0.0) -> None:
        """Paint a filled ellipse."""
        self._paint(_CIRCLE, centre, radii, angle, colour)

    def box(
        self, centre: complex, half: tuple[float, float], colour: Colour, angle: float = 0.0, rounding: float = 2.0
    ) -> None:
        """Paint a filled rectangle with round corners. half: half of its width and height."""
        self._paint(_SQUARE, centre, (half[0] - rounding, half[1] - rounding), angle, colour, edge=rounding)

    def stroke(self, start: complex, end: complex, radius: float, colour: Colour) -> None:
        """Paint a straight line with round ends."""
        along = (end - start) / 2
        self._paint(_LINE, start + along, (abs(along), 1), cmath.phase(along), colour, edge=radius)

    def _paint(
        self, path: Path, centre: complex, size: tuple[float, float], angle: float, colour: Colour, edge: float = 0.0
    ) -> None:
        """Fill a path that is stretched, turned and moved, and go along it with a round pen of radius `edge`."""
        paint = (colour.red / 255, colour.green / 255, colour.blue / 255, 1.0)
        self._pen.set_linewidth(2 * edge)
        self._pen.set_foreground(paint, isRGBA=True)
        along, across = cmath.rect(size[0], angle), 1j * cmath.rect(size[1], angle)
        # Matplotlib's y is upward, and its pixels have their middle at a half.
        at = centre + self._offset + 0.5 + 0.5j
        place = Affine2D.from_values(
            along.real, -along.imag, across.real, -across.imag, at.real, self._height - at.imag
        )
        self._renderer.draw_path(self._pen, path, place, paint)
