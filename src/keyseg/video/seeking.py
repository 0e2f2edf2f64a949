"""Single pictures at given times, found by seeking. Used in the decoding process only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from keyseg.video.decoding import FALLBACK_RATE
from keyseg.video.opening import Refusal, clock_start, packets_of
from keyseg.video.sampling import ROUNDING

# Seconds to seek before the time, one after the other, as long as the first picture comes too late.
_RETREATS = (0, 2, 10, 60)
# Then from the start: some containers seek by decoding time, which is a little earlier; some refuse a time before 0.
_STARTS = (-10, 0)
_LAST_TICK = 2**62


def picture_at(
    container: InputContainer, stream: VideoStream, seconds: Fraction, alive: Callable[[], None]
) -> VideoFrame:
    """The last picture that starts at a time or before it and still lasts. alive: called while decoding.

    Raises Refusal if there is none.
    """
    shown: VideoFrame | None = None
    for frame, start in _frames_from(container, stream, seconds, alive):
        if shown is not None and start > seconds + ROUNDING:
            return shown
        shown, end = frame, start + _duration(frame, stream)
    if shown is None:
        raise Refusal("no frame with a time could be read; convert the video with: ffmpeg -i IN OUT.mp4")
    if seconds >= end:
        raise Refusal(
            f"the video ends at {float(end):.2f} s, but a key frame at {float(seconds):.6g} s was requested; is the"
            " frame rate of the annotation right?"
        )
    return shown


def _frames_from(
    container: InputContainer, stream: VideoStream, seconds: Fraction, alive: Callable[[], None]
) -> Iterator[tuple[VideoFrame, Fraction]]:
    """Pictures and their starts in seconds, from one at or before a time if there is one."""
    clock, first = Fraction(stream.time_base or 1), clock_start(container, stream)
    first = first if first is not None else stream.start_time or 0
    tries = [*((seconds - back, False) for back in _RETREATS), *((Fraction(start), True) for start in _STARTS)]
    for begin, is_start in tries:
        try:
            container.seek(min(first + int(begin / clock), _LAST_TICK), stream=stream)
        except av.FFmpegError:
            continue
        reached = False
        for frame in _decoded(container, stream, alive):
            if frame.pts is None:
                continue
            start = (frame.pts - first) * clock
            if not reached and start > seconds + ROUNDING and not is_start:
                break
            reached = True
            yield frame, start
        if reached:
            return


def _decoded(container: InputContainer, stream: VideoStream, alive: Callable[[], None]) -> Iterator[VideoFrame]:
    for packet in packets_of(container, stream):
        alive()
        yield from packet.decode()


def _duration(frame: VideoFrame, stream: VideoStream) -> Fraction:
    if frame.duration and frame.time_base:
        return frame.duration * Fraction(frame.time_base)
    return 1 / Fraction(stream.average_rate or FALLBACK_RATE)
