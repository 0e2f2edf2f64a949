"""Key frames: thumbnails of a video file at given times, read with PyAV."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from keyseg.timeline import DataError, TimelineError
from keyseg.video.opening import WANTED, clock_start, display_transform, open_container, open_file, picture_stream
from keyseg.video.sampling import ROUNDING

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

Image = npt.NDArray[np.uint8]

_HEIGHT, _WIDTH = 160, 480
# Seconds to go back, one after the other, while a seek ends behind the frame that was wanted.
_RETREATS = (0, 2, 10, 60)
# Then from the start: some containers seek by the time of decoding, a little earlier; some refuse a time before 0.
_STARTS = (-10, 0)
_LAST_TICK = 2**62


def read_key_frames(video_path: str | Path, times_seconds: Sequence[float]) -> list[tuple[float, Image]]:
    """The frame on screen at each time as (seconds, (H, W, 3) uint8 RGB), in the order of the times.

    Times count as players do, by presentation time, so a frame rate that varies does no harm. Images have at most 160
    rows and 480 columns, upright. Reads one regular file and nothing that it names. Raises DataError where there is no
    such file, no video in it, or no frame at a time.
    """
    for seconds in times_seconds:
        if not (math.isfinite(seconds) and seconds >= 0):
            raise TimelineError(f"a key frame's time must be >= 0 seconds, got {seconds}")
    import av

    path = Path(video_path)
    with open_file(path) as file:
        try:
            with open_container(file) as container:
                stream = picture_stream(container)
                if stream is None:
                    raise DataError(f"{path}: there is no video stream in this file; give the one with the pictures")
                return [(s, _thumbnail(_frame_at(path, container, stream, Fraction(s)))) for s in times_seconds]
        except (av.FFmpegError, OSError, ValueError) as error:
            raise DataError(f"{path}: cannot read the video ({error}); {WANTED}") from error


def _frame_at(path: Path, container: InputContainer, stream: VideoStream, seconds: Fraction) -> VideoFrame:
    """The last frame that starts at a time or before it, while it lasts."""
    shown: VideoFrame | None = None
    for frame, start in _frames_from(container, stream, seconds):
        if shown is not None and start > seconds + ROUNDING:
            return shown
        shown, end = frame, start + _duration(frame, stream)
    if shown is None:
        raise DataError(f"{path}: no frame with a time could be read; convert the video with: ffmpeg -i IN OUT.mp4")
    if seconds >= end:
        raise DataError(
            f"{path}: the video ends at {float(end):.2f} s, a key frame at {float(seconds):.6g} s was asked for;"
            " is the frame rate of the annotation right?"
        )
    return shown


def _frames_from(
    container: InputContainer, stream: VideoStream, seconds: Fraction
) -> Iterator[tuple[VideoFrame, Fraction]]:
    """Frames and their start in seconds, from one at or before a time if there is one."""
    import av

    clock, first = Fraction(stream.time_base or 1), clock_start(container, stream)
    first = first if first is not None else stream.start_time or 0
    tries = [*((seconds - back, False) for back in _RETREATS), *((Fraction(start), True) for start in _STARTS)]
    for begin, is_start in tries:
        try:
            container.seek(min(first + int(begin / clock), _LAST_TICK), stream=stream)
        except av.FFmpegError:
            continue
        reached = False
        for frame in container.decode(stream):
            if frame.pts is None:
                continue
            start = (frame.pts - first) * clock
            if not reached and start > seconds + ROUNDING and not is_start:
                break
            reached = True
            yield frame, start
        if reached:
            return


def _duration(frame: VideoFrame, stream: VideoStream) -> Fraction:
    if frame.duration and frame.time_base:
        return frame.duration * Fraction(frame.time_base)
    return 1 / Fraction(stream.average_rate or 25)


def _thumbnail(frame: VideoFrame) -> Image:
    up = display_transform(frame)
    height, width = up.decoded_size(frame.height, frame.width)
    scale = min(_HEIGHT / height, _WIDTH / width, 1.0)
    rows, columns = up.decoded_size(max(1, round(scale * height)), max(1, round(scale * width)))
    image = frame.to_ndarray(format="rgb24", width=columns, height=rows, interpolation="AREA")
    return np.ascontiguousarray(up.turn(np.asarray(image, np.uint8)))
