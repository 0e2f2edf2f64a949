"""Clips made by ffmpeg, in which each picture shows its number, and the decoder without its process."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from fractions import Fraction

import numpy as np
import pytest

from keyseg.video.protocol import Limits

# Eight bars, each black or white: the bits of the picture's number, the lowest on the left.
_BARS = "geq=lum='if(bitand(floor(N/pow(2,floor(X*8/W))),1),220,30)':cb=128:cr=128"


def number(image):
    """The number of a picture (modulo 256), read from the middle of each bar."""
    height, width, _ = image.shape
    bars = image[height // 2, width // 16 :: width // 8, 1][:8]
    return int(sum(1 << place for place, bar in enumerate(bars) if bar > 127))


@pytest.fixture(scope="session")
def ffmpeg():
    """ffmpeg(*options): run ffmpeg, quietly."""
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("ffmpeg is not installed; the clips of these tests are made with it")

    def run(*options):
        subprocess.run(
            [program, "-v", "error", "-y", "-threads", "1", *map(str, options)], check=True, stdin=subprocess.DEVNULL
        )

    return run


@pytest.fixture(scope="session")
def clip(ffmpeg, tmp_path_factory):
    """clip(name, *options of the encoder, rate, pictures, filters, more inputs): a numbered clip, made once.

    seconds: of the source, of which the filters may leave pictures out.
    """
    folder, made = tmp_path_factory.mktemp("clips"), {}

    def make(name, *options, rate=25, pictures=50, size="64x48", filters="", inputs=(), seconds=None):
        key = (name, options, rate, pictures, size, filters, inputs, seconds)
        if key not in made:
            path = folder / str(len(made)) / name
            path.parent.mkdir()
            length = float(Fraction(pictures) / Fraction(rate) + 1 if seconds is None else seconds)
            source = f"color=black:size={size}:rate={rate}:duration={length},format=yuv444p"
            chain = ",".join(part for part in (_BARS, filters) if part)
            ffmpeg("-f", "lavfi", "-i", source, *inputs, "-vf", chain, "-frames:v", pictures, *options, path)
            made[key] = path
        return made[key]

    return make


@pytest.fixture
def decoded():
    """decoded(path, fps, ...): (info, frames as (image, pts), gaps), by the decoder in this process.

    decoded.notes: the notes on the last file.
    """
    from keyseg.video import decode_process, protocol

    def read(path, fps, image_size=None, *, damaged=False, limits=Limits()):  # noqa: B008
        with io.BytesIO() as messages, path.open("rb") as video:
            request = protocol.FrameRequest(Fraction(fps), image_size, limits, damaged)
            decode_process.answer_request(request, video, decode_process.Output(messages))
            return _parse(messages.getvalue())

    def _parse(data):
        info, frames, place = None, [], 0
        while True:
            kind, pts, count, width, length = protocol.HEAD.unpack_from(data, place)
            place += protocol.HEAD.size
            body, place = data[place : place + length], place + length
            if kind == protocol.FRAMES:
                image = np.frombuffer(body, np.uint8).reshape(-1, width, 3)
                frames += [(image, pts)] * count
                continue
            value = json.loads(body)
            if kind == protocol.ERROR:
                raise RuntimeError(value)
            if kind == protocol.INFO:
                info = value
            elif kind == protocol.END:
                assert place == len(data)
                read.notes = value["notes"]
                return info, frames, [tuple(gap) for gap in value["gaps"]]

    return read


@pytest.fixture
def numbers(decoded):
    """numbers(path, fps, ...): the number of the picture that each frame shows."""

    def read(path, fps, **options):
        return [number(image) for image, _ in decoded(path, fps, **options)[1]]

    return read
