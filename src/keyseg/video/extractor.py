"""The interface of feature extractors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from keyseg.timeline import ConfigError

Image = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.float32]


@runtime_checkable
class Extractor(Protocol):
    """Turns the frames of a video into rows of features, one row per `sample_rate` frames.

    name, version: of the computation; another version means other numbers. dimension: D. clip_length: frames that a row
    is computed from. sample_rate: frames between two rows. image_size: (height, width) of the frames it takes. options:
    whatever else decides the numbers.
    """

    name: str
    version: str
    dimension: int
    clip_length: int
    sample_rate: int
    image_size: tuple[int, int]
    options: Mapping[str, str]

    def rows(self, frames: Iterable[Image]) -> Iterator[Rows]:
        """Features of N frames, (H, W, 3) uint8 RGB, in blocks (n, D) with ceil(N / sample_rate) rows in all.

        Row j describes frames [j * sample_rate, (j + 1) * sample_rate). Frames are read as they are needed: memory does
        not grow with N.
        """
        ...


def checked_frames(extractor: Extractor, frames: Iterable[Image]) -> Iterator[Image]:
    """The frames as they come. Raises ConfigError on one of another size or type than the extractor takes."""
    shape = (*extractor.image_size, 3)
    for number, frame in enumerate(frames):
        if frame.shape != shape or frame.dtype != np.uint8:
            raise ConfigError(
                f"{extractor.name} takes frames of shape {shape}, uint8 RGB, got {frame.shape} {frame.dtype} at frame"
                f" {number}; let the reader resize to image_size"
            )
        yield frame
