"""What a container says about its pictures: which stream, from when to when, and which way is up.

Used in the decoding process only.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from keyseg.video.decode_client import SMALLER, WANTED
from keyseg.video.extractor import Image

_CLOCK = re.compile(r"(\d{1,6}):(\d{1,2}):(\d{1,2}(?:\.\d{1,12})?)", re.ASCII)
ENCODER_DELAY = Fraction(1, 10)  # seconds
# Containers of one file. Playlists and lists of files (hls, dash, concat) refer to other places, so they are left out.
CONTAINERS = "mov,mp4,matroska,webm,avi,mpeg,mpegts,mpegvideo,flv,asf,ogg,mxf,dv"


class Refusal(Exception):
    """Why a video is not decoded, in words that follow its name."""


def picture_stream(container: InputContainer, most_pixels: int) -> VideoStream:
    """The video stream that players show, never a cover picture. Raises Refusal if there is none to decode."""
    streams = _picture_streams(container)
    first = next(iter(streams), None)
    stream = next((stream for stream in streams if stream.disposition & Disposition.default), first)
    if stream is None:
        raise Refusal("there is no video stream in this file; give the one with the pictures")
    if stream.codec_context is None:
        raise Refusal(f"its pictures are in a format that FFmpeg cannot decode; {WANTED}")
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > most_pixels:
        raise Refusal(f"pictures of {width} x {height} are larger than the limit of {most_pixels} pixels; {SMALLER}")
    return stream


def _picture_streams(container: InputContainer) -> list[VideoStream]:
    still = Disposition.attached_pic | Disposition.timed_thumbnails
    return [stream for stream in container.streams.video if not stream.disposition & still]


def packets_of(container: InputContainer, *streams: VideoStream) -> Iterator[Packet[Any]]:
    """Packets of some streams, or of all that the start of the file names, then an empty one for each."""
    # Last, PyAV would empty a stream that began inside the file, which it does not know.
    with contextlib.suppress(IndexError):
        yield from container.demux(*streams)


def has_late_pictures(container: Any) -> bool:
    """Whether a picture stream began inside the file. PyAV does not read those; FFmpeg lists them."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)  # that of the list
    listed = re.findall(r"^ *Stream #0:(\d+).*: Video:", container.dumps_format(), re.MULTILINE)
    av.logging.set_level(level)
    return any(int(index) >= len(container.streams) for index in listed)


def stream_notes(container: InputContainer, stream: VideoStream) -> list[str]:
    """What a user may not expect: which of several picture streams is read, and a late first picture."""
    notes, others = [], len(_picture_streams(container)) - 1
    if others:
        notes.append(f"it has {others + 1} picture streams; stream {stream.index} is read, which players show")
    start = clock_start(container, stream)
    if start is not None and stream.start_time is not None:
        late = float((stream.start_time - start) * Fraction(stream.time_base or 1))
        notes.append(f"the pictures begin {late:.2f} s after the sound; the first one is shown until then")
    if container.format.name == "asf" and container.duration is None:
        notes.append("it is not as long as its header declares; if it was cut short, pictures at its end are missing")
    return notes


def clock_start(container: InputContainer, stream: VideoStream) -> int | None:
    """When the file's clock starts, in ticks of the stream, if the sound starts well before the pictures; else None.

    Sound encoders need up to a tenth of a second to begin, so less than that does not count.
    """
    if container.start_time is None or stream.start_time is None:
        return None
    clock, start = Fraction(stream.time_base or 1), Fraction(container.start_time, 1_000_000)
    return round(start / clock) if stream.start_time * clock - start >= ENCODER_DELAY else None


def declared_end(container: InputContainer, stream: VideoStream) -> tuple[Fraction | None, bool]:
    """The end in the header in seconds on the stream's clock, None where FFmpeg would only guess it from the data.

    Also returns whether it is the end of the longest stream, which may be the sound.
    """
    clock, kind = Fraction(stream.time_base or 1), container.format.name
    if kind.startswith("mov,") or kind in ("avi", "mxf"):
        # FFmpeg shortens the duration of an AVI that is cut; the number of frames stays that of the header.
        ticks = max(stream.duration or 0, stream.frames if kind == "avi" else 0)
        return ((stream.start_time or 0) + ticks) * clock if ticks > 0 else None, False
    if kind not in ("matroska,webm", "flv"):
        return None, False
    if tag := _clock_time(stream.metadata.get("DURATION", "")):
        return tag, False
    if container.duration is None or stream.duration is not None:  # a stream has one only where it is a guess
        return None, False
    return Fraction(container.duration, 1_000_000), len(container.streams) > 1


def _clock_time(text: str) -> Fraction | None:
    """Seconds of a text such as 00:01:02.500000000."""
    match = _CLOCK.fullmatch(text.strip("\0 "))
    return int(match[1]) * 3600 + int(match[2]) * 60 + Fraction(match[3]) if match else None


def displayed_size(frame: VideoFrame) -> tuple[int, int]:
    """(height, width) of a picture as displayed."""
    return (frame.width, frame.height) if _turn(frame)[0] else (frame.height, frame.width)


def displayed(frame: VideoFrame, size: tuple[int, int], reformatter: VideoReformatter) -> Image:
    """A picture as displayed, scaled to a size (H, W): (H, W, 3) uint8."""
    transpose, down, right = _turn(frame)
    height, width = size[::-1] if transpose else size
    rgb = reformatter.reformat(frame, width, height, "rgb24", interpolation="AREA", threads=1)
    image = np.asarray(rgb.to_ndarray(), np.uint8)
    return np.ascontiguousarray((image.swapaxes(0, 1) if transpose else image)[::down, ::right])


def _turn(frame: VideoFrame) -> tuple[bool, int, int]:
    """Whether rows and columns are swapped for display, and the step, 1 or -1, along the rows and columns after that.

    Any rotation counts as the nearest multiple of 90 degrees.
    """
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False, 1, 1
    # A point (x, y), y down, is displayed at (a x + c y, b x + d y).
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
    transpose = abs(b) + abs(c) > abs(a) + abs(d)
    down, right = (b, c) if transpose else (d, a)
    return transpose, -1 if down < 0 else 1, -1 if right < 0 else 1
