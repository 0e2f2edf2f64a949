"""The row of a figure that shows which training annotation each segment of a video follows."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from keyseg.timeline import IntArray
from keyseg.viz import canvas

Arrival = Literal["move", "switch", "jump"]

_SIZE = 6.5
_EDGE = "#333333"
_FACES = ("#f4f4f4", "#dcdcdc")
_BLOCK: dict[str, Any] = {"edgecolor": _EDGE, "linewidth": 0.8}
_FREE: dict[str, Any] = {**_BLOCK, "hatch": "/////"}
_MARKERS: dict[str, dict[str, Any]] = {
    "switch": {"marker": "v", "markersize": 3.5, "markeredgewidth": 0},
    "jump": {"marker": "x", "markersize": 3.5, "markeredgewidth": 1.1},
}
_LINE = 110  # characters of a line of names


@dataclass(frozen=True, eq=False)
class Followed:
    """What M segments follow.

    cuts: (M + 1,) feature steps. annotation, position: (M,) number of the training annotation and of its segment, from
    0, both -1 where a segment follows none. arrival: (M,) how each segment was reached: by a move within the
    annotation of the one before, a switch at a common class, or a jump; that of the first is "move". names: of all
    training annotations, where they are known.
    """

    cuts: IntArray
    annotation: IntArray
    position: IntArray
    arrival: Sequence[Arrival]
    names: Sequence[str] = ()

    def blocks(self) -> Iterator[tuple[int, int]]:
        """First segment and the one after the last of each run of moves."""
        starts = [i for i, arrival in enumerate(self.arrival) if i == 0 or arrival != "move"]
        return pairwise([*starts, len(self.arrival)])

    def title(self, first: int, end: int) -> tuple[str, str]:
        """Number of a block's annotation with the numbers of its segments, and without; all from 1."""
        number, places = self.annotation[first] + 1, sorted(self.position[first:end] + 1)
        span = f"{places[0]}" if places[0] == places[-1] else f"{places[0]}–{places[-1]}"
        return f"{number}: {span}", f"{number}"

    def names_of_numbers(self) -> list[str]:
        """Lines that say which annotation each number is; none where names are not known."""
        shown = sorted({int(index) for index in self.annotation if index >= 0}) if self.names else []
        named = ", ".join(f"{i + 1}\N{NO-BREAK SPACE}{canvas.shorten(self.names[i])}" for i in shown)
        return textwrap.wrap(f"training annotations: {named}", _LINE, break_on_hyphens=False) if named else []


def draw_followed(axes: Axes, followed: Followed, step: float, y: int, height: float, scale: float) -> None:
    """Draw one block per run of moves at height `y`, with a line at every cut; hatched where it follows no annotation.

    step: seconds of a feature step. scale: inches per second. Above a block is a triangle where a switch leads to it, a
    cross where a jump does. A number is written where there is room.
    """
    at = followed.cuts * step
    top, low = y - height / 2, y + height / 2
    for number, (first, end) in enumerate(followed.blocks()):
        start, width = at[first], at[end] - at[first]
        free = followed.annotation[first] < 0
        face = "white" if free else _FACES[number % 2]
        axes.add_patch(Rectangle((start, top), width, height, facecolor=face, **(_FREE if free else _BLOCK)))
        axes.vlines(at[first + 1 : end], top, low, colors=_EDGE, linewidth=0.4)
        if number:
            axes.plot(start, top - 0.1, color=_EDGE, **_MARKERS[followed.arrival[first]])
        texts = [] if free else followed.title(first, end)
        fitting = [text for text in texts if canvas.text_width([text], _SIZE) + 0.05 <= width * scale]
        if fitting:
            style: dict[str, Any] = {"size": _SIZE, "ha": "center", "va": "center_baseline"}
            behind = {"facecolor": face, "edgecolor": "none", "pad": 0.8}  # hides the cuts
            canvas.draw_text(axes, start + width / 2, y, fitting[0], bbox=behind, **style)


def followed_key(followed: Followed) -> dict[str, Any]:
    """What the signs of the row mean, those that occur in it."""
    key: dict[str, Any] = {}
    for arrival, meaning in (("switch", "switch at a common class"), ("jump", "jump")):
        if arrival in followed.arrival[1:]:
            key[meaning] = Line2D([], [], linestyle="none", color=_EDGE, **_MARKERS[arrival])
    if (followed.annotation >= 0).any():
        key["3: 5–8  segments 5–8 of annotation 3"] = Rectangle((0, 0), 1, 1, facecolor=_FACES[1], **_BLOCK)
    if (followed.annotation < 0).any():
        key["no annotation"] = Rectangle((0, 0), 1, 1, facecolor="white", **_FREE)
    return key
