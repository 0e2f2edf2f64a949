"""What the tests of all rooms share: Hypothesis profiles, the marker `slow`, and small video files."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("keyseg", deadline=None, derandomize=True)
settings.register_profile("quick", settings.get_profile("keyseg"), max_examples=15)
settings.load_profile("keyseg")

SLOW_FIXTURES = {"workshop", "trained", "make_clip", "ffmpeg"}
"""Fixtures that train a network or encode a video; every test that uses one, through others too, is slow."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their fixtures, so that `make test-quick` needs no list of tests; files of slow tests come first.

    So of several processes none is left with a long file when the others have nothing more to do.
    """
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """Leave the tests and the libraries that they import, which last to the end, out of every search for garbage."""
    gc.collect()
    gc.freeze()


def write_clip(path: Path, pictures: Iterable[np.ndarray], rate: int = 10) -> Path:
    """Write pictures, (H, W, 3) uint8 with even sizes, to an H.264 file at a constant frame rate."""
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
