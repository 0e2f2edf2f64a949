"""What all rooms' tests share: Hypothesis without a clock, with the same examples in every run; small clips."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("keyseg", deadline=None, derandomize=True)
settings.load_profile("keyseg")


def write_clip(path: Path, pictures: Iterable[np.ndarray], rate: int = 10) -> Path:
    """An H.264 file of pictures, (H, W, 3) uint8 with even sizes, at a constant rate."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = list(pictures)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "12", "preset": "ultrafast"})
        stream.pix_fmt = "yuv420p"
        stream.height, stream.width = pictures[0].shape[:2]
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def make_clip() -> Callable[..., Path]:
    """`write_clip`."""
    return write_clip
