"""The messages between a reader and its decoding process.

The process takes a pickled request on its command line and answers on its standard output. A message is a head and a
body: for `FRAMES` the bytes of an image (H, W, 3), for the others JSON. Frames: `INFO` with the file's properties,
`FRAMES` for each picture shown, `END` with the gaps. Key frames: `FRAMES` for each time, then `END`. `ALIVE` may come
at any time; `FAILED`, with the reason, ends everything.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

from keyseg.video.limits import Limits

# Kind, time stamp of a picture, number of frames that show it, its width, bytes of the body.
HEAD = struct.Struct("<cqIII")
INFO, FRAMES, ALIVE, END, FAILED = b"I", b"F", b"A", b"E", b"X"


@dataclass(frozen=True)
class FrameRequest:
    """Frames at a steady rate. image_size: (height, width) as displayed, or None. damaged: continue after damage."""

    fps: Fraction
    image_size: tuple[int, int] | None
    limits: Limits
    damaged: bool


@dataclass(frozen=True)
class KeyFrameRequest:
    """The pictures at some times. seconds: the times. largest: (height, width) that none may exceed."""

    seconds: tuple[Fraction, ...]
    largest: tuple[int, int]
    limits: Limits


Request = FrameRequest | KeyFrameRequest
