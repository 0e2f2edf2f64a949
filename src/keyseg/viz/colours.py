"""Colours of classes: one per class id, the same in every video, figure and page."""

from __future__ import annotations

from keyseg.timeline import LabelMap

# The first seven are the colour-blind-safe set of Okabe and Ito (2008). Each later one was chosen greedily on a grid of
# sRGB: the colour whose smallest OKLab distance to all earlier ones (and to white, black and the greys) is largest. The
# distance is the smallest of normal, protanope and deuteranope vision (Machado et al. 2009), and the two colours just
# before weigh more. So the first n colours are far apart for every n, and neighbours in id especially.
# fmt: off
PALETTE: tuple[str, ...] = (
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#f0e442", "#0f4b00", "#8778ff", "#69c387",
    "#96005a", "#5a4be1", "#b4e196", "#a54b3c", "#5a0f78", "#87d2ff", "#3c7878", "#f0c34b", "#ff78d2", "#4b4b78",
    "#96001e", "#ff5a5a", "#c32da5", "#004b4b", "#a5ff96", "#c369d2", "#1e3cc3", "#1e962d", "#7896ff", "#695a87",
    "#ff9678", "#a55ad2", "#b44b69", "#f096b4", "#4b0096", "#781e3c", "#5aa54b", "#874b00", "#6969f0", "#e16987",
    "#b4e1ff", "#1e5ac3", "#00784b", "#b46996", "#ffa5a5", "#e196ff", "#78c34b", "#9678b4", "#a55a00", "#d2b4e1",
    "#4b3c87", "#ffd2b4", "#7887e1", "#78e169", "#2d1eb4", "#a55a87", "#78f0c3", "#784b3c", "#e187b4", "#ffc378",
)
# fmt: on
_GREYS: tuple[str, ...] = ("#dcdcdc", "#c6c6c6", "#ececec", "#b8b8b8")
HIGHLIGHT = "#6b2fa0"


def class_colours(labels: LabelMap) -> tuple[str, ...]:
    """One `#rrggbb` colour per class id: background classes are light grey, up to 60 others are distinct.

    A class keeps its colour whichever classes occur in a video and whichever are background; ids 60 apart share one.

    >>> class_colours(LabelMap(("background", "pour", "stir"), ("background",)))
    ('#dcdcdc', '#e69f00', '#009e73')
    """
    colours = [PALETTE[i % len(PALETTE)] for i in range(len(labels))]
    for order, i in enumerate(sorted(labels.background_ids)):
        colours[i] = _GREYS[order % len(_GREYS)]
    return tuple(colours)


def ink_on(face: str) -> str:
    """Black or white, whichever is readable on a `#rrggbb` colour."""
    red, green, blue = (int(face[i : i + 2], 16) for i in (1, 3, 5))
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 140 else "black"
