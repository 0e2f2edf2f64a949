"""Key frames: thumbnails of a video file at given times, decoded in a separate process."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np

from keyseg.timeline import TimelineError
from keyseg.video.decode_client import DecodingProcess
from keyseg.video.extractor import Image
from keyseg.video.limits import Limits
from keyseg.video.protocol import END, FRAMES, INFO, KeyFrameRequest

_LARGEST = (160, 480)


def read_key_frames(video_path: str | Path, times_seconds: Sequence[float]) -> list[tuple[float, Image]]:
    """The frame on screen at each time as (seconds, (H, W, 3) uint8 RGB), in the order of the times.

    Times are presentation times, as in players, so a variable frame rate does no harm. Images have at most 160 rows and
    480 columns and are upright. Seeks, so a long video is not decoded as a whole. The decoding process can open this
    one regular file only. Raises DataError if there is no such file, no video in it, or no frame at a time.
    """
    for seconds in times_seconds:
        if not (math.isfinite(seconds) and seconds >= 0):
            raise TimelineError(f"a key frame's time must be >= 0 seconds, got {seconds}")
    request = KeyFrameRequest(tuple(map(Fraction, times_seconds)), _LARGEST, Limits())
    images: list[Image] = []
    with closing(DecodingProcess(Path(video_path), request)) as process:
        while True:
            kind, _, _, body = process.message(INFO, END)
            if kind == END:
                return list(zip(times_seconds, images, strict=True))
            height, width = json.loads(body)["image_size"]
            images.append(np.frombuffer(process.message(FRAMES)[3], np.uint8).reshape(height, width, 3))
