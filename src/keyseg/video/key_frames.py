"""Key frames: thumbnails of a video file at given times, decoded in a separate process."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path

from keyseg.timeline import TimelineError
from keyseg.video.decode_client import DecodingProcess
from keyseg.video.extractor import Image
from keyseg.video.limits import Limits
from keyseg.video.protocol import KeyFrameRequest

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
    with closing(DecodingProcess(Path(video_path), request)) as process:
        images = [process.message()[3].copy() for _ in times_seconds]
        process.message()  # the end; without any times, too, the file must be a video
    return list(zip(times_seconds, images, strict=True))
