"""Single pictures at given times, found by seeking. Used in the decoding process only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from keyseg.video.decoding import FALLBACK_RATE, Decoding, Picture, set_up_decoder
from keyseg.video.joining import CLOCKED
from keyseg.video.opening import Refusal, clock_start, packets_of
from keyseg.video.sampling import ROUNDING

# Seconds to seek before the time, one after the other, as long as the first picture comes too late.
_RETREATS = (0, 2, 10, 60)
# Then from the start: some containers seek by decoding time, which is a little earlier; some refuse a time before 0.
_STARTS = (-10, 0)
_LAST_TICK = 2**62


class _Timed(NamedTuple):
    """A picture, and when it starts and ends, in seconds."""

    frame: VideoFrame
    start: Fraction
    end: Fraction


def pictures_at(
    container: InputContainer,
    stream: VideoStream,
    times: Sequence[Fraction],
    max_pixels: int,
    alive: Callable[[], None],
) -> Iterator[VideoFrame]:
    """For each time, in ascending order, the last picture that starts by then and still lasts. alive: called while
    decoding.

    Seeks, unless the clock may start anew, as in joined files. Raises Refusal if there is no picture at a time.
    """
    if container.format.name in CLOCKED:
        yield from _shown_at(times, _from_start(container, stream, Decoding(container, stream, max_pixels, alive)))
        return
    set_up_decoder(stream, max_pixels)
    for seconds in times:
        yield from _shown_at([seconds], _around(container, stream, seconds, alive))


def _shown_at(times: Sequence[Fraction], pictures: Iterator[_Timed]) -> Iterator[VideoFrame]:
    shown, later = None, next(pictures, None)
    for seconds in times:
        while later and (shown is None or later.start <= seconds + ROUNDING):
            shown, later = later, next(pictures, None)
        if shown is None:
            raise Refusal("no frame with a time could be read; convert the video with: ffmpeg -i IN OUT.mp4")
        if later is None and seconds >= shown.end:
            raise Refusal(
                f"the video ends at {float(shown.end):.2f} s, but a key frame at {float(seconds):.6g} s was requested;"
                " is the frame rate of the annotation right?"
            )
        yield shown.frame


def _from_start(container: InputContainer, stream: VideoStream, decoding: Decoding) -> Iterator[_Timed]:
    """All good pictures."""
    clock, first = Fraction(stream.time_base or 1), clock_start(container, stream)
    for event in decoding:
        if isinstance(event, Picture):
            first = event.pts if first is None else first
            yield _Timed(event.frame, (event.pts - first) * clock, (event.end_pts - first) * clock)


def _around(
    container: InputContainer, stream: VideoStream, seconds: Fraction, alive: Callable[[], None]
) -> Iterator[_Timed]:
    """Pictures from one at or before a time, if there is one."""
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
            yield _Timed(frame, start, start + _duration(frame, stream))
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
