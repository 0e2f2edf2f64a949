"""What a reader and its decoding process exchange: requests with limits, and messages.

The process takes a pickled request on its command line and answers on its standard output. A message is a head and a
body: for `FRAMES` the bytes of an image (H, W, 3), for the others JSON. Frames: `INFO` with the file's properties,
`FRAMES` for each picture shown, `END` with the gaps. Key frames: `FRAMES` for each time, then `END`. `ALIVE` may come
at any time; `ERROR`, with the reason, and `BUG`, with the traceback of a mistake in this package, end everything.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from fractions import Fraction

from keyseg.timeline import ConfigError

# Kind, time stamp of a picture, number of frames that show it, its width, bytes of the body.
HEAD = struct.Struct("<cqIII")
_PASSWORD = re.compile(r"(?<=://)[^/@\s]*@")
INFO, FRAMES, ALIVE, END, ERROR, BUG = b"I", b"F", b"A", b"E", b"X", b"B"


@dataclass(frozen=True)
class VideoInfo:
    """What a video file says about itself.

    width, height: of a picture as displayed, after rotation. time_base: seconds per tick. start_pts: ticks at which
    frame 0 begins. declared_seconds: length of the video stream, or None if the file does not declare it. fps: pictures
    per second, on average where that varies, or None. codec, pixel_format, container: FFmpeg's names.
    """

    width: int
    height: int
    time_base: Fraction
    start_pts: int
    declared_seconds: Fraction | None
    fps: Fraction | None
    codec: str
    pixel_format: str
    container: str


@dataclass(frozen=True)
class Limits:
    """Where decoding stops, so that no file can exhaust the machine.

    pixels: of one picture. seconds: of a whole video. memory_mib: address space of the decoding process. Raises
    ConfigError unless all are positive.
    """

    pixels: int = 8192 * 4352
    seconds: int = 24 * 3600
    memory_mib: int = 2048

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0:
                raise ConfigError(f"the limit {name} must be positive, got {value}")


@dataclass(frozen=True)
class FrameRequest:
    """Frames at a steady rate. image_size: (height, width) as displayed, or None. damaged: continue after damage."""

    fps: Fraction
    image_size: tuple[int, int] | None
    limits: Limits
    damaged: bool


@dataclass(frozen=True)
class KeyFrameRequest:
    """Thumbnails of the pictures at some times, in seconds and ascending."""

    seconds: tuple[Fraction, ...]
    limits: Limits


@dataclass(frozen=True)
class LiveRequest:
    """Frames at a steady rate of what has no end. address: as FFmpeg takes it. device: FFmpeg's input device if it is a
    camera, "" for an address of the network. image_size: (height, width) as displayed, or None."""

    address: str
    device: str
    fps: Fraction
    image_size: tuple[int, int] | None
    limits: Limits


def without_password(text: str) -> str:
    """A text, such as an address, as messages show it: without the user and the password of an address.

    >>> without_password("rtsp://me:secret@camera.local/live"), without_password("film.mp4")
    ('rtsp://camera.local/live', 'film.mp4')
    """
    return _PASSWORD.sub("", text)
