"""What a feature extractor is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.float32]


class Extractor(Protocol):
    """Turns the frames of a video into rows of features, a row a sample_rate.

    name, version: of what is computed; another version means other numbers. dimension: D. clip_length: frames that a
    row looks at. sample_rate: frames a row. image_size: (height, width) that it wants its frames in. options: what else
    decides the numbers.
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

        Row j stands for frames [j * sample_rate, (j + 1) * sample_rate). Reads frames as it goes: memory does not grow with N.
        """
        ...
