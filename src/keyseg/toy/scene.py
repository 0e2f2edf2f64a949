"""The pictures of the toy kitchen: a pose painted over a table, in the colours and the light of one video."""

from __future__ import annotations

import cmath
import math

import numpy as np

from keyseg.toy.acting import GRIPS, LID_HEIGHTS, TOOLS, Layout, Pose
from keyseg.toy.drawing import Canvas, Colour
from keyseg.video.extractor import Image

WIDTH, HEIGHT = 240, 180

_STEEL = Colour(176, 182, 190)
_DARK = Colour(52, 50, 54)
_CHINA = Colour(232, 230, 224)
_SKINS = (Colour(238, 194, 164), Colour(214, 160, 122), Colour(164, 112, 80), Colour(112, 76, 56))
_TABLES = (Colour(156, 118, 82), Colour(176, 148, 112), Colour(122, 96, 76), Colour(150, 152, 150))
# Noise is drawn once per video, on a sheet larger than the picture by this; each frame shows a part of it.
_SPARE = 64


class Look:
    """The colours, the light and the clutter of one video, drawn at random.

    gain: of red, green and blue. flicker: relative, of the light.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        def shade(colour: Colour) -> Colour:
            return Colour(*(float(np.clip(value + rng.uniform(-12, 12), 0, 255)) for value in colour))

        def any_colour() -> Colour:
            return Colour(*(float(value) for value in rng.uniform(50, 225, 3)))

        self.clutter = [
            (complex(rng.uniform(150, 232), rng.uniform(8, 48)), float(rng.uniform(4, 11)), any_colour())
            for _ in range(int(rng.integers(1, 4)))
        ]
        warm, bright = rng.uniform(-0.06, 0.06), rng.uniform(0.85, 1.1)
        self.gain = (bright * (1 + warm), bright, bright * (1 - warm))
        self.table = shade(_TABLES[rng.integers(len(_TABLES))])
        self.skin = shade(_SKINS[rng.integers(len(_SKINS))])
        self.sleeve = any_colour()
        self.board = shade(Colour(206, 176, 134))
        self.food = any_colour()
        self.bottle = shade(Colour(216, 214, 200))
        self.jar = shade(Colour(176, 120, 84))
        self.lid = any_colour()
        self.handle = shade(_DARK)
        self.flicker = float(rng.uniform(0.0, 0.04))
        self.noise = float(rng.uniform(1.5, 3.5))


class Scene:
    """Paints the frames of one video. The table without each tool is painted once, and then copied."""

    def __init__(self, layout: Layout, look: Look, rng: np.random.Generator) -> None:
        self._layout, self._look = layout, look
        grain = np.repeat(rng.standard_normal((HEIGHT // 4, 1, 1)), 4, axis=0)
        self._wood = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
        self._wood[:, :, :3] = (np.array(look.table) + 5 * grain).clip(0, 255)
        sheet = look.noise * rng.standard_normal((HEIGHT + _SPARE, WIDTH + _SPARE, 3))
        self._noise = sheet.astype(np.float32)
        self._tables: dict[tuple[str | None, complex], Image] = {}

    def frame(
        self, pose: Pose, rng: np.random.Generator, jitter: complex, visitor: complex | None, beat: float
    ) -> Image:
        """One frame, (H, W, 3) uint8 RGB.

        jitter: offset of the camera, in whole pixels. visitor: position of someone else's hand, or None. beat: phase of
        the flicker.
        """
        canvas = Canvas(self._table(pose.tool, jitter), jitter)
        self._vessel(canvas, pose)
        self._tool(canvas, pose)
        self._hand(canvas, pose.left, 40 + 215j, -0.2)
        self._hand(canvas, pose.right, 218 + 215j, pose.turn)
        if visitor is not None:
            self._hand(canvas, visitor, 255 - 40j, math.pi * 0.8)
        top, left = rng.integers(_SPARE, size=2)
        light = np.eye(4, 3) * self._look.gain * np.float32(1 + self._look.flicker * math.sin(beat))
        picture = canvas.pixels.astype(np.float32) @ light.astype(np.float32)
        picture += self._noise[top : top + HEIGHT, left : left + WIDTH]
        return picture.clip(0, 255).astype(np.uint8)

    def _table(self, missing: str | None, jitter: complex) -> Image:
        key = (missing, jitter)
        if key not in self._tables:
            look, layout = self._look, self._layout
            rows = (np.arange(HEIGHT) - int(jitter.imag)).clip(0, HEIGHT - 1)
            canvas = Canvas(self._wood[rows], jitter)
            middle = sum(layout.slots.values()) / len(TOOLS)
            canvas.box(middle + 4j, (46, 27), look.table.lit(0.72), rounding=6)
            for at, size, colour in look.clutter:
                canvas.ellipse(at, (size, size), colour)
            canvas.ellipse(layout.board + 3j, (44, 29), look.table.lit(0.75))
            canvas.ellipse(layout.board, (43, 28), look.board)
            canvas.ellipse(layout.board + 2, (17, 10), look.food)
            for name in TOOLS:
                if name != missing:
                    self._tool(canvas, Pose(0j, 0j, tool=name, tool_at=layout.slots[name]))
            self._tables[key] = canvas.pixels
        return self._tables[key]

    def _tool(self, canvas: Canvas, pose: Pose) -> None:
        look, at, turned = self._look, pose.tool_at, cmath.rect(1, pose.tilt)
        if pose.tool == "spatula":
            self._spatula(canvas, at)
        elif pose.tool is not None:
            wide = pose.tool == "jar"
            colour = look.jar if wide else look.bottle
            half = (12.0, 12.0) if wide else (8.0, 16.0)
            canvas.box(at, half, colour.lit(0.8), pose.tilt, 4)
            canvas.box(at - 2 * turned, (half[0] - 3, half[1] - 2), colour, pose.tilt, 4)
            mouth = at - 1j * (half[1] + 2) * turned
            canvas.box(mouth, (9.0, 3.0) if wide else (3.5, 5.0), colour.lit(0.9), pose.tilt, 1)
            closed = at - 1j * LID_HEIGHTS[pose.tool]
            self._lid(canvas, closed if pose.lid is None else pose.lid, 10.0 if wide else 6.0, pose.lid_turn)
            if pose.tilt > 1.2:
                start = at - 1j * (half[1] + 7) * turned
                canvas.stroke(start, complex(start.real + 2, self._layout.board.imag), 1.6, look.bottle.lit(1.1))
        if pose.spreading:
            self._spatula(canvas, pose.right - GRIPS["spatula"])

    def _spatula(self, canvas: Canvas, at: complex) -> None:
        canvas.stroke(at + 3 + 6j, at + 10 + 19j, 2.6, self._look.handle)
        canvas.stroke(at - 6 - 11j, at + 3 + 6j, 2.2, _STEEL)
        canvas.ellipse(at - 6 - 11j, (4.5, 5.5), _STEEL.lit(0.95), -0.5)

    def _lid(self, canvas: Canvas, at: complex, size: float, turn: float) -> None:
        canvas.ellipse(at, (size, 0.5 * size + 1), self._look.lid)
        mark = complex(math.cos(turn), 0.5 * math.sin(turn)) * (size - 2)
        canvas.stroke(at - mark, at + mark, 0.9, self._look.lid.lit(0.55))

    def _vessel(self, canvas: Canvas, pose: Pose) -> None:
        at, beat, look = pose.vessel_at, pose.phase, self._look
        if pose.vessel == "kettle":
            canvas.stroke(at - 16, at - 30 - 12j, 3.5, _STEEL.lit(0.8))
            canvas.ellipse(at, (20, 17), _STEEL)
            canvas.ellipse(at - 12j, (9, 3), _DARK)
            for i in range(3):
                rise = (beat / 4 + i / 3) % 1 if beat else 0.0
                if rise:
                    puff = at - 32 - 14j - complex(4 * math.sin(7 * rise), 34 * rise)
                    canvas.ellipse(puff, (3 + 4 * rise, 3 + 4 * rise), Colour(225, 228, 232))
        elif pose.vessel == "toaster":
            canvas.box(at - 18j - 7j * math.sin(0.6 * beat), (11, 11), Colour(206, 152, 84), rounding=4)
            canvas.box(at, (20, 15), _STEEL.lit(0.9), rounding=5)
            canvas.box(at - 12j, (14, 2), _DARK, rounding=1)
        elif pose.vessel == "basin":
            canvas.ellipse(at, (32, 22), _STEEL.lit(0.75))
            canvas.ellipse(at, (28, 18), Colour(112, 164, 204))
            ripple = 1 + 0.25 * math.sin(beat)
            canvas.ellipse(at + 2j, (14 * ripple, 8 * ripple), Colour(150, 192, 222))
        elif pose.vessel == "egg":
            canvas.ellipse(at, (7, 9.5), Colour(240, 224, 204), 0.4)
        elif pose.vessel == "pan":
            canvas.stroke(at + 20, at + 44 + 10j, 3.5, look.handle)
            canvas.ellipse(at, (27, 18), _DARK)
            canvas.ellipse(at + 4 * math.sin(beat), (15, 9), Colour(222, 186, 104))
        elif pose.vessel == "plate":
            canvas.ellipse(at, (31, 19), _CHINA)
            canvas.ellipse(at, (22, 12), _CHINA.lit(0.9))
            canvas.ellipse(at, (13, 7), look.food)

    def _hand(self, canvas: Canvas, at: complex, elbow: complex, turn: float) -> None:
        """A forearm from the edge of the picture, a palm, a thumb and fingers; it points up and left if turn is 0."""
        look, arm = self._look, elbow - at
        canvas.stroke(at + 0.32 * arm, elbow, 11, look.sleeve)
        canvas.stroke(at, at + 0.4 * arm, 8, look.skin.lit(0.92))
        canvas.ellipse(at, (10.5, 10), look.skin)
        for i, (angle, length) in enumerate(((0.35, 14), (0.0, 16), (-0.35, 16), (-0.7, 14), (1.25, 11))):
            finger = cmath.rect(length, -1.95 + turn + angle)
            canvas.stroke(at + 0.4 * finger, at + finger, 2.9, look.skin.lit(0.96 if i % 2 else 1.03))
