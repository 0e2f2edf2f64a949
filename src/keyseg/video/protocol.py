"""What a reader and its decoding process say to each other over a pipe.

A message is a head and a body: `INFO` and `FAILED` with JSON, `FRAMES` with the bytes of an image, `ALIVE` without,
`END` with JSON.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from fractions import Fraction

from keyseg.video.limits import Limits

HEAD = struct.Struct("<cqII")  # kind, time stamp of a picture, how many frames show it, bytes of the body
INFO, FRAMES, ALIVE, END, FAILED = b"I", b"F", b"A", b"E", b"X"


@dataclass(frozen=True)
class Request:
    """What the reader asks for. image_size: (height, width) as displayed. damaged: go on after damage."""

    fps: Fraction
    image_size: tuple[int, int] | None
    limits: Limits
    damaged: bool

    def to_json(self) -> str:
        """For the command line of the process."""
        return json.dumps({**vars(self), "fps": str(self.fps), "limits": vars(self.limits)})

    @classmethod
    def from_json(cls, text: str) -> Request:
        """The inverse of `to_json`."""
        values = json.loads(text)
        height_width = values["image_size"]
        return cls(
            Fraction(values["fps"]),
            (height_width[0], height_width[1]) if height_width else None,
            Limits(**values["limits"]),
            values["damaged"],
        )
