"""Frames of a camera or of an address, for as long as they come. Used in the decoding process only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from keyseg.video.decoding import FALLBACK_RATE, ffmpeg_message, set_up_decoder
from keyseg.video.opening import CONTAINERS, Refusal, displayed_size, packets_of, picture_stream
from keyseg.video.protocol import END, INFO, LiveRequest, VideoInfo, without_password
from keyseg.video.sampling import Sampler, ShownPicture

if TYPE_CHECKING:
    from keyseg.video.decode_process import Output

SILENCE_SECONDS = 10
"""A source has stalled if nothing comes for this long, or if its clock leaps by as much."""
_MOST_FAILURES = 100  # pictures in a row that cannot be decoded
_PROTOCOLS = {
    "http": "http,https,tcp,tls",
    "https": "https,tcp,tls",
    "rtsp": "rtsp,rtp,tcp",
    "rtsps": "rtsp,rtp,tcp,tls",
}


def send_live_frames(request: LiveRequest, output: Output, opened: Callable[..., Any] = av.open) -> None:
    """Open a source, and send its properties and its frames until it ends. Raises Refusal when it stalls or breaks off.

    Frame i is the picture on screen i / fps seconds after the first one. Pictures that cannot be decoded are left out,
    so the one before them stays. opened: opens the source, as `av.open` does.
    """
    try:
        with opened(request.address, **_open_options(request)) as container:
            _send(request, container, output)
    except av.FFmpegError as error:
        if isinstance(error, av.ExitError):  # PyAV's word for a time limit
            raise Refusal(f"nothing came for {SILENCE_SECONDS} s; check the source, and start again") from error
        reason = without_password(ffmpeg_message(error))
        raise Refusal(f"it cannot be read, or broke off ({reason}); check the source, and start again") from error


def _open_options(request: LiveRequest) -> dict[str, Any]:
    """How FFmpeg opens the source: with the protocols of its address, and of containers those of one file."""
    scheme = "" if request.device else request.address.partition(":")[0].lower()
    options = {"max_pixels": str(request.limits.pixels), "protocol_whitelist": _PROTOCOLS.get(scheme, "none")}
    if scheme.startswith("http"):
        options["format_whitelist"] = f"{CONTAINERS},mpjpeg"
    elif scheme:
        options |= {"format_whitelist": "rtsp", "rtsp_transport": "tcp"}
    elif request.device == "avfoundation":
        options["framerate"] = "30"  # FFmpeg's own choice is one that few cameras have
    return {"format": request.device or None, "options": options, "timeout": float(SILENCE_SECONDS)}


def _send(request: LiveRequest, container: InputContainer, output: Output) -> None:
    stream = picture_stream(container, request.limits.pixels)
    set_up_decoder(stream, request.limits.pixels)
    sampler = Sampler(request.fps, Fraction(stream.time_base or 1))
    size = request.image_size

    def send(shown: list[ShownPicture]) -> None:
        for one in shown:
            assert size is not None  # known since the first picture
            output.send_picture(one.picture, size, one.pts, one.frames)

    for frame, pts, end in _pictures(container, stream, output.alive):
        first = not sampler.shows
        shown = sampler.show(frame, pts, end)
        if first:
            size = size or displayed_size(frame)
            output.send(INFO, vars(_info(container, stream, frame, pts)))
        send(shown)
    if not sampler.shows:
        raise Refusal("it ended before its first picture; check that it sends pictures, and start again")
    send(sampler.finish(sampler.seconds(sampler.end_pts)))
    output.send(END, {"gaps": [], "notes": []})


def _pictures(
    container: InputContainer, stream: VideoStream, alive: Callable[[], None]
) -> Iterator[tuple[VideoFrame, int, int]]:
    """Good pictures with the ticks at which each comes on screen and is to end, in order. Raises Refusal on a leap of
    the clock, which would mean frames that nobody filmed."""
    clock = Fraction(stream.time_base or 1)
    usual = max(1, round(1 / Fraction(stream.average_rate or stream.guessed_rate or FALLBACK_RATE) / clock))
    last: int | None = None
    failures = 0
    for packet in packets_of(container, stream):
        alive()
        try:
            frames: list[VideoFrame] = [] if packet.is_corrupt else packet.decode()
            failures = 0 if frames else failures
        except (av.InvalidDataError, ValueError) as error:
            failures += 1
            if failures == _MOST_FAILURES:
                raise Refusal(f"its last {failures} pictures cannot be decoded ({ffmpeg_message(error)})") from error
            continue
        for frame in frames:
            pts = frame.pts if frame.pts is not None else (last or 0) + usual
            ahead = 1 if last is None else pts - last
            if abs(ahead * clock) > SILENCE_SECONDS:
                raise Refusal(f"its clock leaps by {float(ahead * clock):.0f} s; start again")
            if frame.is_corrupt or ahead <= 0:
                continue
            last = pts
            yield frame, pts, pts + (frame.duration or usual)


def _info(container: InputContainer, stream: VideoStream, frame: VideoFrame, pts: int) -> VideoInfo:
    height, width = displayed_size(frame)
    return VideoInfo(
        width=width,
        height=height,
        time_base=Fraction(stream.time_base or 1),
        start_pts=pts,
        declared_seconds=None,
        fps=stream.average_rate or stream.guessed_rate,
        codec=stream.codec_context.codec.canonical_name,
        pixel_format=frame.format.name,
        container=container.format.name,
    )
