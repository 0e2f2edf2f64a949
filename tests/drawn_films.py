"""Films for tests, written in a moment, and a bundle that reads films and knows nothing."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS = 6  # of the number that a numbered picture shows, as dark and bright columns


def write_film(path: Path, pictures: Iterable[np.ndarray], *, fps: int = 10, codec: str = "libx264", sound: str = ""):
    """A film of pictures (H, W, 3), with a tone if a codec for it is named."""
    pictures = list(pictures)
    with av.open(str(path), "w") as film:
        quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
        stream = film.add_stream(codec, rate=fps, options=quiet)
        tone = film.add_stream(sound, rate=48_000, layout="stereo") if sound else None
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, each = "yuv420p", 48_000 // fps
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            film.mux(stream.encode(frame))
            if tone is not None:
                wave = np.sin(np.arange(number * each, (number + 1) * each) / 10)[None].repeat(2, 0) * 0.3
                piece = av.AudioFrame.from_ndarray(wave.astype(np.float32), format="fltp", layout="stereo")
                piece.rate, piece.pts, piece.time_base = 48_000, number * each, Fraction(1, 48_000)
                film.mux(tone.encode(piece))
        film.mux(stream.encode())
        if tone is not None:
            film.mux(tone.encode())
    return path


def numbered(count: int, height: int = 120, width: int = 192) -> list[np.ndarray]:
    """Pictures that show their number in columns."""
    pictures = []
    for number in range(count):
        picture = np.full((height, width, 3), 20, np.uint8)
        for bit in range(BITS):
            if number >> bit & 1:
                picture[:, width * bit // BITS : width * (bit + 1) // BITS] = 235
        pictures.append(picture)
    return pictures


def number_of(picture: np.ndarray) -> int:
    """The number that a picture shows."""
    width = picture.shape[1]
    columns = [picture[:, width * b // BITS + 2 : width * (b + 1) // BITS - 2].mean() > 127 for b in range(BITS)]
    return sum(int(bright) << bit for bit, bright in enumerate(columns))


def write_untrained_bundle(folder: Path, classes: tuple[str, ...] = ("background", "go left", "go right")) -> Path:
    """A bundle of MS-TCN++ that reads films at 10 frames a second, with the weights that it begins with."""
    import torch

    from keyseg.inference.bundle import save_bundle
    from keyseg.inference.predictor import Predictor
    from keyseg.inference.systems import SYSTEMS
    from keyseg.timeline import LabelMap, TimeBase
    from keyseg.video.extraction import origin_of
    from keyseg.video.extractors import make_extractor

    extractor, system = make_extractor("motion"), SYSTEMS["ms-tcn++"]
    torch.manual_seed(3)
    network = system.network(system.config(channels=8), input_dim=extractor.dimension, classes=len(classes))
    predictor = Predictor(
        system=system.name,
        model=network,
        labels=LabelMap(classes, ("background",)),
        timebase=TimeBase(10),
        decoder=system.decoder(),
        orientation="TD",
        origin=origin_of(extractor, Fraction(10)),
    )
    return save_bundle(predictor, folder, {}, seen=())
