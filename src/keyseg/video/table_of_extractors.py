"""Extractors that have a name of their own: those of keyseg, and those that installed packages add."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from keyseg.timeline import ConfigError
from keyseg.timeline.open_table import OpenTable
from keyseg.video.extractor import Extractor, Image, Rows
from keyseg.video.motion import Motion

MakeExtractor = Callable[[str | None], Extractor]
"""Makes an extractor for a device: `cuda` or `cpu`, or None for what suits the machine."""


def _refuse_poses(device: str | None) -> Extractor:
    raise ConfigError("poses reads tracks of body points: keyseg features TRACKS --poses --track-fps RATE")


EXTRACTORS: OpenTable[MakeExtractor] = OpenTable(
    "keyseg.extractors", Callable, {"motion": lambda device: Motion(), "poses": _refuse_poses}
)
"""Entry points of packages are classes or functions that are called with a device and return an `Extractor`."""


def extractor_named(name: str, device: str | None = None) -> Extractor:
    """An extractor of the table. Raises ConfigError naming the package whose extractor cannot be used, and KeyError.

    >>> extractor_named("motion").dimension
    376
    """
    make = EXTRACTORS[name]
    with EXTRACTORS.blaming(name):
        extractor = make(device)
    if name in EXTRACTORS.ours:
        return extractor
    if not isinstance(extractor, Extractor):
        lacking = ", ".join(field for field in _FIELDS if not hasattr(extractor, field))
        raise EXTRACTORS.refusal(name, f"the {type(extractor).__name__} that it makes has no {lacking}")
    if extractor.name != name:
        raise EXTRACTORS.refusal(name, f"the extractor that it makes has the name {extractor.name!r}")
    return extractor


def checked_rows(extractor: Extractor, frames: Iterable[Image]) -> Iterator[Rows]:
    """The blocks of rows as an extractor makes them.

    Raises ConfigError naming the package whose extractor fails, or makes something else.
    """
    with EXTRACTORS.blaming(extractor.name):
        for block in extractor.rows(frames):
            if np.ndim(block) != 2 or np.shape(block)[1] != extractor.dimension:
                raise ValueError(f"rows of shape {np.shape(block)}, expected (n, {extractor.dimension})")
            yield block


_FIELDS = (*Extractor.__annotations__, "rows")
