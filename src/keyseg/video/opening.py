"""Opening a video file: one regular file, containers of one file only, the video stream, and which way is up."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from keyseg.timeline import DataError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# Containers of one file. Playlists and lists of files (hls, dash, concat) refer to other places, so they are left out.
_CONTAINERS = "mov,mp4,matroska,webm,avi,mpeg,mpegts,mpegvideo,flv,asf,ogg,mxf,dv"
# The file is read through a Python object, which needs no protocol; with none allowed, nothing else can be opened.
_ONLY_THIS_FILE = {"protocol_whitelist": "none", "format_whitelist": _CONTAINERS}
WANTED = (
    "expected one whole file such as .mp4, .mkv or .avi, not a playlist: fetch it again, or convert it with:"
    " ffmpeg -i IN OUT.mp4"
)
_ENCODER_DELAY = Fraction(1, 10)  # seconds


def open_file(path: Path) -> BinaryIO:
    """Open a regular file, never a device or a pipe. Raises DataError."""
    try:
        # Opening a FIFO would block until it has a writer.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise _no_file(path) from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot open this video file ({error})") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise _no_file(path)
    return os.fdopen(handle, "rb")


def _no_file(path: Path) -> DataError:
    return DataError(f"{path}: no such video file; give the path of a file on this machine, not an address")


def open_container(file: BinaryIO, max_pixels: int | None = None) -> InputContainer:
    """The container in an open file; FFmpeg reads through the file object and can open nothing else."""
    import av

    size = {"max_pixels": str(max_pixels)} if max_pixels else {}
    return av.open(file, "r", options={**_ONLY_THIS_FILE, **size})


def picture_stream(container: InputContainer) -> VideoStream | None:
    """The first video stream that is not a cover picture."""
    from av.stream import Disposition

    still = Disposition.attached_pic | Disposition.timed_thumbnails
    return next((stream for stream in container.streams.video if not stream.disposition & still), None)


def clock_start(container: InputContainer, stream: VideoStream) -> int | None:
    """When the file's clock starts, in ticks of the stream, if the sound starts well before the pictures; else None.

    Sound encoders need up to a tenth of a second to begin, so less than that does not count.
    """
    if container.start_time is None or stream.start_time is None:
        return None
    clock, start = Fraction(stream.time_base or 1), Fraction(container.start_time, 1_000_000)
    return round(start / clock) if stream.start_time * clock - start >= _ENCODER_DELAY else None


@dataclass(frozen=True)
class DeclaredEnd:
    """When the pictures end according to the file. shared: it is the end of the longest stream, maybe the sound."""

    seconds: Fraction
    shared: bool = False


def declared_end(container: InputContainer, stream: VideoStream) -> DeclaredEnd | None:
    """The end in the header, on the stream's clock; None where FFmpeg would only guess it from the data."""
    clock, kind = Fraction(stream.time_base or 1), container.format.name
    if kind.startswith("mov,") or kind in ("avi", "mxf"):
        # FFmpeg shortens the duration of an AVI that is cut; the number of frames stays that of the header.
        ticks = max(stream.duration or 0, stream.frames if kind == "avi" else 0)
        return DeclaredEnd(((stream.start_time or 0) + ticks) * clock) if ticks > 0 else None
    if kind not in ("matroska,webm", "flv"):
        return None
    tag = _clock_time(stream.metadata.get("DURATION", ""))
    if tag:
        return DeclaredEnd(tag)
    if container.duration is None or stream.duration is not None:  # a stream has one only where it is a guess
        return None
    return DeclaredEnd(Fraction(container.duration, 1_000_000), shared=len(container.streams) > 1)


def _clock_time(text: str) -> Fraction | None:
    """Seconds of a text such as 00:01:02.500000000."""
    try:
        hours, minutes, seconds = text.strip("\0 ").split(":")
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
    except ValueError:
        return None


@dataclass(frozen=True)
class DisplayTransform:
    """How a decoded picture becomes the displayed one: first rows and columns swapped, then mirrored."""

    transpose: bool = False
    mirror_columns: bool = False
    mirror_rows: bool = False

    def decoded_size(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) of a decoded picture from that of the displayed one, or the other way round."""
        return (width, height) if self.transpose else (height, width)

    def apply(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The displayed picture (H, W, 3) from the decoded one."""
        if self.transpose:
            image = image.swapaxes(0, 1)
        return image[:: -1 if self.mirror_rows else 1, :: -1 if self.mirror_columns else 1]


def display_transform(frame: VideoFrame) -> DisplayTransform:
    """The transform in the display matrix; any rotation counts as the nearest multiple of 90 degrees."""
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return DisplayTransform()
    # A point (x, y), y down, is displayed at (a x + c y, b x + d y).
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        return DisplayTransform(True, mirror_columns=c < 0, mirror_rows=b < 0)
    return DisplayTransform(False, mirror_columns=a < 0, mirror_rows=d < 0)
