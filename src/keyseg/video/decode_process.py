"""The process that decodes a video: `python -m keyseg.video.decode_process REQUEST < VIDEO`, messages on stdout.

It may crash, hang or run out of memory on a hostile file without harm to anything else.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import sys
import time
import traceback
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from keyseg.timeline.limits import restrict_memory
from keyseg.video.decode_client import SMALLER, WANTED
from keyseg.video.decoding import Decoding, Loss, ffmpeg_message
from keyseg.video.joining import unread_file
from keyseg.video.live_decoding import send_live_frames
from keyseg.video.opening import (
    CONTAINERS,
    ENCODER_DELAY,
    Refusal,
    clock_start,
    declared_end,
    displayed,
    displayed_size,
    has_late_pictures,
    picture_stream,
    stream_notes,
)
from keyseg.video.protocol import (
    ALIVE,
    BUG,
    END,
    ERROR,
    FRAMES,
    HEAD,
    INFO,
    FrameRequest,
    KeyFrameRequest,
    LiveRequest,
    VideoInfo,
)
from keyseg.video.sampling import Sampler, ShownPicture
from keyseg.video.seeking import pictures_at

# The file is read through a Python object, which needs no protocol; with none allowed, nothing else can be opened.
ONLY_THIS_FILE = {"protocol_whitelist": "none", "format_whitelist": CONTAINERS}
_ALIVE_SECONDS = 2.0
_THUMBNAIL = (160, 480)  # most rows and columns of a key frame
_SPARE_MIB = 32
_MOST_NOTES = 5  # on places in a video
# A file ends early if this much is missing, and more than one picture.
_EARLY_SECONDS = Fraction(1, 2)
# Recordings of broadcasts may start with pictures that need an earlier one.
_BROADCASTS = ("mpegts", "mpeg", "mpegvideo")
_KEEP = "fetch it again, or keep what can be decoded with --damaged (the last good picture replaces lost ones)"
_JOIN = "join files with: ffmpeg -f concat -i LIST OUT.mp4"
_READ_ON = f"read all its parts one after the other with --damaged, or {_JOIN}"


class ReaderGoneError(Exception):
    """Nobody reads the messages any more."""


class Output:
    """Writes messages, and a sign of life after a long silence."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._last = file, time.monotonic()
        self._reformatter = VideoReformatter()

    def send(self, kind: bytes, content: Any = None) -> None:
        """Write a message with a JSON value; blocks while the reader is busy."""
        self._write(kind, json.dumps(content, default=str).encode())

    def send_picture(self, picture: VideoFrame, size: tuple[int, int], pts: int, frames: int) -> None:
        """Write a picture as displayed, scaled to a size (H, W), that some frames show."""
        image = displayed(picture, size, self._reformatter)
        self._write(FRAMES, image.data.cast("B"), pts, frames, size[1])

    def alive(self) -> None:
        """Give a sign of life if nothing was written for a while."""
        if time.monotonic() - self._last > _ALIVE_SECONDS:
            self.send(ALIVE)

    def _write(self, kind: bytes, body: bytes | memoryview, pts: int = 0, frames: int = 0, width: int = 0) -> None:
        head = HEAD.pack(kind, pts, frames, width, len(body))
        try:
            self._file.write(head)
            self._file.write(body)
            self._file.flush()
        except OSError as error:  # Windows reports a broken pipe as an invalid argument
            raise ReaderGoneError from error
        self._last = time.monotonic()


class FrameJob:
    """One video as frames at a steady rate, from the open file to the last message."""

    def __init__(self, request: FrameRequest, container: InputContainer, video: BinaryIO, output: Output) -> None:
        self._request, self._output, self._container, self._video = request, output, container, video
        self._limits, self._size = request.limits, request.image_size
        self._stream = picture_stream(container, self._limits.pixels)
        self._declared, self._shared = declared_end(container, self._stream)
        self._decoding = Decoding(container, self._stream, self._limits.pixels, output.alive)
        start = clock_start(container, self._stream)
        self._sampler = Sampler(request.fps, Fraction(self._stream.time_base or 1), first_pts=start, end_pts=start or 0)

    def run(self) -> None:
        """Send the file's properties, its frames, and its gaps."""
        sampler = self._sampler
        for event in self._decoding:
            if isinstance(event, Loss):
                if not sampler.shows and self._container.format.name in _BROADCASTS:
                    continue
                if memory_is_short():
                    raise MemoryError  # some decoders report it as damage
                is_seam = event.pts == event.end_pts
                if not self._request.damaged:
                    advice = _READ_ON if is_seam else _KEEP
                    raise Refusal(f"damaged {self._place(event.pts)} ({event.reason}); {advice}")
                if is_seam:
                    sampler.mark(event.pts, event.reason)
                else:
                    sampler.lose(event.pts, event.end_pts, event.reason)
                continue
            first = not sampler.shows
            shown = sampler.show(event.frame, event.pts, event.end_pts)
            if first:
                self._begin(event.frame)
            if sampler.seconds(event.end_pts) > self._limits.seconds:
                raise Refusal(f"longer than the limit of {self._limits.seconds} s; cut it into parts")
            self._send(shown)
        if not sampler.shows:
            raise Refusal(f"there is a video stream in this file, but no picture could be decoded; {WANTED}")
        unread = self._unread()
        self._send(sampler.finish(*self._end()))
        self._output.send(END, {"gaps": sorted(sampler.gaps), "notes": [*self._notes(), *unread]})

    def _notes(self) -> list[str]:
        """What a user should know of a video that is not damaged: frames that nobody filmed, or that are left out."""
        sampler, decoding = self._sampler, self._decoding
        notes = [f"at {float(sampler.seconds(odd.pts)):.2f} s {odd.reason}" for odd in decoding.oddities[:_MOST_NOTES]]
        if len(decoding.oddities) > _MOST_NOTES:
            notes.append(f"and {len(decoding.oddities) - _MOST_NOTES} more places like these")
        return [*stream_notes(self._container, self._stream), *notes, *self._end_notes()]

    def _unread(self) -> list[str]:
        """Notes on what is joined to the file and not read. Raises Refusal if the file itself is misread due to it."""
        kind, notes = self._container.format.name, []
        size = unread_file(self._video, kind, self._decoding.read_bytes, self._output.alive)
        if size is not None and kind == "mxf":
            raise Refusal(f"another file of {size:,} bytes is joined to its end, and FFmpeg mixes them up; {_JOIN}")
        if size is not None:
            notes.append(f"another file of {size:,} bytes is joined to its end and is not read; {_JOIN}")
        if has_late_pictures(self._container):
            rest = self._video.seek(0, os.SEEK_END) - self._decoding.read_bytes
            notes.append(
                "another picture stream begins inside the file, as in joined files, and is not read (up to"
                f" {rest:,} bytes at the end of the file); {_JOIN}"
            )
        return notes

    def _end_notes(self) -> list[str]:
        end, media = self._sampler.seconds(self._sampler.end_pts), self._from_start(self._decoding.media_end)
        if media - end < ENCODER_DELAY or self._decoding.joined:  # the clock of the sound is then another
            return []
        early = f"{float(media - end):.2f} s before the file"
        return [f"the pictures end at {float(end):.2f} s, {early}, and so does the timeline"]

    def _begin(self, frame: VideoFrame) -> None:
        """Send the file's properties, now that the first picture is known."""
        height, width = displayed_size(frame)
        self._size = self._size or (height, width)
        info = VideoInfo(
            width=width,
            height=height,
            time_base=self._sampler.time_base,
            start_pts=self._sampler.first_pts or 0,
            declared_seconds=self._declared_seconds(),
            fps=self._stream.average_rate or self._stream.guessed_rate,
            codec=self._stream.codec_context.codec.canonical_name,
            pixel_format=frame.format.name,
            container=self._container.format.name,
        )
        self._output.send(INFO, vars(info))

    def _send(self, pictures: list[ShownPicture]) -> None:
        assert self._size is not None
        for shown in pictures:
            self._output.send_picture(shown.picture, self._size, shown.pts, shown.frames)

    def _place(self, pts: int) -> str:
        whole = self._declared_seconds()
        return f"at {float(self._sampler.seconds(pts)):.2f} s" + (f" of {float(whole):.2f} s" if whole else "")

    def _declared_seconds(self) -> Fraction | None:
        """Declared length of the pictures, from frame 0 on."""
        if self._declared is None or self._shared:
            return None
        return max(Fraction(0), self._from_start(self._declared)) or None

    def _from_start(self, seconds: Fraction) -> Fraction:
        """Seconds after frame 0 from those on the stream's clock."""
        return seconds - (self._sampler.first_pts or 0) * self._sampler.time_base

    def _end(self) -> tuple[Fraction, str]:
        """Seconds after frame 0 at which the video ends, and why its end is missing if it is. Raises Refusal."""
        end, limit = self._sampler.seconds(self._sampler.end_pts), self._limits.seconds
        if self._declared is not None:
            declared = self._from_start(self._declared)
            reached = max(end, self._from_start(self._decoding.others_end)) if self._shared else end
            if declared - reached > max(_EARLY_SECONDS, self._decoding.usual_seconds):
                reason = f"the pictures end at {float(end):.2f} s, but the file declares {float(declared):.2f} s"
                if not self._request.damaged:
                    raise Refusal(f"it was cut short: {reason}; {_KEEP}")
                if declared > limit:
                    raise Refusal(f"{reason}, longer than the limit of {limit} s")
                return declared, reason
        if end > limit:
            raise Refusal(f"damaged, longer than the limit of {limit} s")
        return end, ""


def send_key_frames(request: KeyFrameRequest, container: InputContainer, output: Output) -> None:
    """Send the picture at each time of a request, scaled down to the size of a thumbnail, in its shape."""
    stream = picture_stream(container, request.limits.pixels)
    for frame in pictures_at(container, stream, request.seconds, request.limits.pixels, output.alive):
        height, width = displayed_size(frame)
        scale = min(_THUMBNAIL[0] / height, _THUMBNAIL[1] / width, 1.0)
        size = max(1, round(scale * height)), max(1, round(scale * width))
        output.send_picture(frame, size, frame.pts or 0, 1)
    output.send(END)


def answer_request(request: FrameRequest | KeyFrameRequest | LiveRequest, video: BinaryIO, output: Output) -> None:
    """Answer a request with messages, the last of them `END` or `ERROR`."""
    av.logging.set_level(av.logging.ERROR)  # damage to containers is reported in the log only
    av.logging.set_skip_repeated(False)
    try:
        if isinstance(request, LiveRequest):
            send_live_frames(request, output)
            return
        # FFmpeg reads through the file object and can open nothing else.
        with av.open(video, "r", options={**ONLY_THIS_FILE, "max_pixels": str(request.limits.pixels)}) as container:
            if isinstance(request, KeyFrameRequest):
                send_key_frames(request, container, output)
            else:
                FrameJob(request, container, video, output).run()
    except Refusal as error:
        output.send(ERROR, str(error))
    except ReaderGoneError:
        raise
    except Exception as error:
        if isinstance(error, MemoryError) or memory_is_short():
            limit = request.limits.memory_mib
            output.send(ERROR, f"decoding it needs more memory than the limit of {limit} MiB; {SMALLER}")
        elif _is_of_the_file(error):
            reason = ffmpeg_message(error)
            if "not on whitelist" in reason:
                reason = f"it is none of the kinds {CONTAINERS}"
            output.send(ERROR, f"cannot read the video ({reason}); {WANTED}")
        else:
            output.send(BUG, traceback.format_exc())


def _is_of_the_file(error: Exception) -> bool:
    """Whether an error says something about the file: FFmpeg's and the system's, and values that PyAV refuses."""
    if isinstance(error, (av.FFmpegError, OSError)):
        return True
    raised_in = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    return isinstance(error, ValueError) and Path(__file__).parent not in raised_in.parents


def memory_is_short() -> bool:
    """Whether this process came close to its memory limit; known on Linux only."""
    if sys.platform == "linux":
        with contextlib.suppress(ImportError, OSError, StopIteration):
            import resource

            limit, _ = resource.getrlimit(resource.RLIMIT_AS)
            status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
            peak_kib = int(next(line.split()[1] for line in status if line.startswith("VmPeak:")))
            return limit != resource.RLIM_INFINITY and limit / 2**20 - peak_kib / 1024 < _SPARE_MIB
    return False


def _main() -> None:
    """Decode the file on standard input; the request is from the process that started this one."""
    request = pickle.loads(bytes.fromhex(sys.argv[1]))
    restrict_memory(request.limits.memory_mib)
    with contextlib.suppress(ReaderGoneError, KeyboardInterrupt):
        answer_request(request, os.fdopen(0, "rb"), Output(os.fdopen(1, "wb")))


if __name__ == "__main__":
    _main()
