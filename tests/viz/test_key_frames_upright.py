"""Key frames of a video that was filmed on its side."""

from __future__ import annotations

import numpy as np
import pytest

from keyseg.viz import read_key_frames

av = pytest.importorskip("av")


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_key_frames_are_upright_and_small(tmp_path, degrees):
    picture = np.zeros((240, 640, 3), np.uint8)
    picture[:120, :320] = 255
    with av.open(tmp_path / "a.mp4", "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 640, 240, "yuv420p"
        stream.set_display_rotation(degrees)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    ((_, image),) = read_key_frames(tmp_path / "a.mp4", [0])
    assert image.shape == {0: (160, 427, 3), 180: (160, 427, 3)}.get(degrees, (160, 60, 3))
    expected = np.rot90(picture, degrees // 90)
    for down, right in [(0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75)]:
        found, wanted = (p[int(down * p.shape[0]), int(right * p.shape[1])] for p in (image, expected))
        np.testing.assert_allclose(found.astype(int), wanted.astype(int), atol=12)
