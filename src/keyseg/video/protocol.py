"""The messages between a reader and its decoding process, over a pipe.

A message is a head and a body. Frames: `INFO` with JSON, `FRAMES` with the bytes of an image for each picture shown,
`END` with the gaps as JSON. Key frames: for each time `INFO` with the image's size and `FRAMES` with its bytes, then
`END`. `ALIVE`, without a body, may come at any time; `FAILED`, with JSON, ends everything.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from fractions import Fraction

from keyseg.video.limits import Limits

HEAD = struct.Struct("<cqII")  # kind, time stamp of a picture, number of frames that show it, bytes of the body
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


def request_to_json(request: Request) -> str:
    """A request for the command line of the process."""
    return json.dumps({**vars(request), "limits": vars(request.limits)}, default=str)


def request_from_json(text: str) -> Request:
    """The inverse of `request_to_json`."""
    values = json.loads(text)
    limits = Limits(**values["limits"])
    if "seconds" in values:
        height, width = values["largest"]
        return KeyFrameRequest(tuple(map(Fraction, values["seconds"])), (height, width), limits)
    size = values["image_size"]
    return FrameRequest(Fraction(values["fps"]), (size[0], size[1]) if size else None, limits, values["damaged"])
