"""The process that decodes a video: `python -m keyseg.video.decode_process REQUEST < VIDEO`, messages on stdout.

It may crash, hang or run out of memory on a hostile file without harm to anything else.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from fractions import Fraction
from typing import TYPE_CHECKING, BinaryIO

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from keyseg.video.decoding import Decoding, Loss, Picture, Refusal, ffmpeg_message, set_up_decoder
from keyseg.video.limits import VideoInfo, memory_is_short, restrict_memory
from keyseg.video.opening import (
    WANTED,
    DeclaredEnd,
    clock_start,
    declared_end,
    display_transform,
    open_container,
    picture_stream,
)
from keyseg.video.protocol import (
    ALIVE,
    END,
    FAILED,
    FRAMES,
    HEAD,
    INFO,
    FrameRequest,
    KeyFrameRequest,
    Request,
    request_from_json,
)
from keyseg.video.sampling import Sampler, ShownPicture
from keyseg.video.seeking import picture_at

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_ALIVE_SECONDS = 2.0
# A file ends early if this much is missing, and more than one picture.
_EARLY_SECONDS = Fraction(1, 2)
# Recordings of broadcasts may start with pictures that need an earlier one.
_BROADCASTS = ("mpegts", "mpeg", "mpegvideo")
_KEEP = "fetch it again, or keep what can be decoded with --damaged (the last good picture replaces lost ones)"
_SMALLER = "make it smaller, for example with: ffmpeg -i IN -vf scale=1920:-2 OUT.mp4"


class Output:
    """Writes messages, and a sign of life after a long silence."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._last = file, time.monotonic()

    def send(self, kind: bytes, body: bytes | memoryview = b"", pts: int = 0, frames: int = 0) -> None:
        """Write one message; blocks while the reader is busy."""
        self._file.write(HEAD.pack(kind, pts, frames, len(body)))
        self._file.write(body)
        self._file.flush()
        self._last = time.monotonic()

    def alive(self) -> None:
        """Give a sign of life if nothing was written for a while."""
        if time.monotonic() - self._last > _ALIVE_SECONDS:
            self.send(ALIVE)


class FrameJob:
    """One video as frames at a steady rate, from the open file to the last message."""

    def __init__(self, request: FrameRequest, container: InputContainer, output: Output) -> None:
        self._request, self._output, self._container = request, output, container
        self._stream = _stream_within(container, request.limits.pixels)
        self._declared: DeclaredEnd | None = declared_end(container, self._stream)
        start = clock_start(container, self._stream)
        self._sampler: Sampler[VideoFrame] = Sampler(
            request.fps, Fraction(self._stream.time_base or 1), first_pts=start, end_pts=start or 0
        )
        self._reformatter, self._size = VideoReformatter(), (0, 0)

    def run(self) -> None:
        """Send the file's properties, its frames, and its gaps."""
        sampler, limit = self._sampler, self._request.limits.seconds
        decoding = Decoding(self._container, self._stream, self._request.limits.pixels)
        for event in decoding:
            self._output.alive()
            if isinstance(event, Loss):
                if not sampler.shows and self._container.format.name in _BROADCASTS:
                    continue
                if memory_is_short():
                    raise MemoryError  # some decoders report it as damage
                if not self._request.damaged:
                    raise Refusal(f"damaged {self._place(event.pts)} ({event.reason}); {_KEEP}")
                sampler.lose(event.pts, event.end_pts, event.reason)
            elif isinstance(event, Picture):
                shown = sampler.show(event.frame, event.pts, event.end_pts)
                if self._size == (0, 0):
                    self._begin(event.frame)
                if sampler.seconds(event.end_pts) > limit:
                    raise Refusal(f"longer than the limit of {limit} s; cut it into parts")
                self._send(shown)
        if not sampler.shows:
            raise Refusal(f"there is a video stream in this file, but no picture could be decoded; {WANTED}")
        self._send(sampler.finish(*self._end(decoding)))
        self._output.send(END, json.dumps(sampler.gaps).encode())

    def _begin(self, frame: VideoFrame) -> None:
        """Send the file's properties, now that the first picture is known."""
        height, width = display_transform(frame).decoded_size(frame.height, frame.width)
        self._size = self._request.image_size or (height, width)
        info = VideoInfo(
            width=width,
            height=height,
            time_base=self._sampler.time_base,
            start_pts=self._sampler.first_pts or 0,
            declared_seconds=self._declared_seconds(),
            codec=self._stream.codec_context.codec.canonical_name,
            pixel_format=frame.format.name,
            container=self._container.format.name,
        )
        self._output.send(INFO, json.dumps({**vars(info), "image_size": self._size}, default=str).encode())

    def _send(self, pictures: list[ShownPicture[VideoFrame]]) -> None:
        for shown in pictures:
            image = displayed(shown.picture, self._size, self._reformatter)
            self._output.send(FRAMES, image.data.cast("B"), shown.pts, shown.frames)

    def _place(self, pts: int) -> str:
        whole = self._declared_seconds()
        return f"at {float(self._sampler.seconds(pts)):.2f} s" + (f" of {float(whole):.2f} s" if whole else "")

    def _declared_seconds(self) -> Fraction | None:
        """Declared length of the pictures, from frame 0 on."""
        if self._declared is None or self._declared.shared:
            return None
        return max(Fraction(0), self._declared.seconds - self._start()) or None

    def _start(self) -> Fraction:
        """When frame 0 begins, on the stream's clock."""
        return (self._sampler.first_pts or 0) * self._sampler.time_base

    def _end(self, decoding: Decoding) -> tuple[Fraction, str]:
        """Seconds after frame 0 at which the video ends, and why its end is missing if it is. Raises Refusal."""
        sampler, limit = self._sampler, self._request.limits.seconds
        end = sampler.seconds(sampler.end_pts)
        missing = self._missing(end, decoding)
        if missing and not self._request.damaged:
            raise Refusal(f"it was cut short: {missing[1]}; {_KEEP}")
        if max(end, missing[0] if missing else end) > limit:
            raise Refusal(f"{missing[1] if missing else 'damaged'}, longer than the limit of {limit} s")
        return missing or (end, "")

    def _missing(self, end: Fraction, decoding: Decoding) -> tuple[Fraction, str] | None:
        """Seconds after frame 0 at which the video should end, and a message, if it ends well before."""
        if self._declared is None:
            return None
        declared, reached = self._declared.seconds - self._start(), end
        if self._declared.shared:
            reached = max(reached, decoding.others_end - self._start())
        if declared - reached <= max(_EARLY_SECONDS, decoding.usual_seconds):
            return None
        return declared, f"the pictures end at {float(end):.2f} s, but the file declares {float(declared):.2f} s"


def send_key_frames(request: KeyFrameRequest, container: InputContainer, output: Output) -> None:
    """Send the picture at each time of a request, scaled down to the largest size, in its shape."""
    stream, reformatter = _stream_within(container, request.limits.pixels), VideoReformatter()
    set_up_decoder(stream, request.limits.pixels)
    for seconds in request.seconds:
        frame = picture_at(container, stream, seconds, output.alive)
        height, width = display_transform(frame).decoded_size(frame.height, frame.width)
        scale = min(request.largest[0] / height, request.largest[1] / width, 1.0)
        size = max(1, round(scale * height)), max(1, round(scale * width))
        output.send(INFO, json.dumps({"image_size": size}).encode())
        output.send(FRAMES, displayed(frame, size, reformatter).data.cast("B"), frame.pts or 0, 1)
    output.send(END, b"[]")


def displayed(frame: VideoFrame, size: tuple[int, int], reformatter: VideoReformatter) -> np.ndarray:
    """A picture as displayed, scaled to a size (H, W): (H, W, 3) uint8."""
    transform = display_transform(frame)
    height, width = transform.decoded_size(*size)
    rgb = reformatter.reformat(frame, width, height, "rgb24", interpolation="AREA", threads=1)
    return np.ascontiguousarray(transform.apply(np.asarray(rgb.to_ndarray(), np.uint8)))


def _stream_within(container: InputContainer, most_pixels: int) -> VideoStream:
    """The stream of the pictures. Raises Refusal if there is none, or none that can be decoded within the limit."""
    stream = picture_stream(container)
    if stream is None:
        raise Refusal("there is no video stream in this file; give the one with the pictures")
    if stream.codec_context is None:
        raise Refusal(f"its pictures are in a format that FFmpeg cannot decode; {WANTED}")
    if stream.codec_context.width * stream.codec_context.height > most_pixels:
        size = f"{stream.codec_context.width} x {stream.codec_context.height}"
        raise Refusal(f"pictures of {size} are larger than the limit of {most_pixels} pixels; {_SMALLER}")
    return stream


def answer_request(request: Request, video: BinaryIO, output: Output) -> None:
    """Answer a request with messages, the last of them `END` or `FAILED`."""
    av.logging.set_level(av.logging.ERROR)  # damage to containers is reported in the log only
    av.logging.set_skip_repeated(False)
    try:
        with open_container(video, request.limits.pixels) as container:
            if isinstance(request, KeyFrameRequest):
                send_key_frames(request, container, output)
            else:
                FrameJob(request, container, output).run()
    except Refusal as error:
        output.send(FAILED, json.dumps(str(error)).encode())
    except MemoryError:
        need = f"decoding it needs more memory than the limit of {request.limits.memory_mib} MiB; {_SMALLER}"
        output.send(FAILED, json.dumps(need).encode())
    except BrokenPipeError:  # the reader is gone
        raise
    except (av.FFmpegError, OSError, ValueError) as error:
        output.send(FAILED, json.dumps(f"cannot read the video ({ffmpeg_message(error)}); {WANTED}").encode())


def _main() -> None:
    """Decode the file on standard input."""
    request = request_from_json(sys.argv[1])
    restrict_memory(request.limits.memory_mib)
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        answer_request(request, os.fdopen(0, "rb"), Output(os.fdopen(1, "wb")))


if __name__ == "__main__":
    _main()
