"""Reading a video by time: frames at a steady rate, and key frames, decoded in a process that may be killed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Self

from keyseg.data.feature_origin import Gap
from keyseg.timeline import ConfigError, TimelineError
from keyseg.video.decode_client import DecodingProcess
from keyseg.video.extractor import Image
from keyseg.video.protocol import END, FrameRequest, KeyFrameRequest, Limits, LiveRequest, VideoInfo


@dataclass(frozen=True)
class SampledFrame:
    """What is on screen at a time.

    image: (H, W, 3) uint8 RGB, upright, in the requested size; read-only, since frames of one picture share it. pts:
    when the picture came on screen, in ticks.
    """

    image: Image
    pts: int


def probe(path: Path | str) -> VideoInfo:
    """The size, length and codec of a video file. Decodes one picture. Raises DataError if there is none."""
    with VideoReader(path, Fraction(1), damaged=True) as reader:
        return reader.info


class VideoReader:
    """The frames of a video file, once, from start to end: a context manager to iterate over.

    Frame i is the picture on screen i / fps seconds after the file's clock starts, as players show it: the last picture
    that starts by then, give or take the 1 ms to which containers round. If the sound starts at least a tenth of a
    second before the pictures, the first picture fills the time until it appears. There is a frame for each i / fps
    before the last picture ends, and at least one. So the source may have any frame rate, even a variable one, and a
    picture may be shown many times or never.

    image_size: (height, width) to scale to, or None for the displayed size; pixels are treated as square. limits: what
    decoding may take. damaged: continue after damage. The last good picture (at the start, the first one) then fills
    the time until the next key frame, a file that ends early is filled up to its declared length, and `gaps` says where
    and why; otherwise damage is a DataError. Damage is what the container or the decoder notices: flipped bits may go
    unnoticed, and so may a missing end in formats that declare no length (MPEG-TS, MPEG-PS, Ogg, WMV, live Matroska).

    Files joined end to end are read on one clock. Where the clock of the file goes back, there is a gap of no frames,
    since players may show other times there.

    `notes` says what is no damage but may not be expected: pictures that end before the sound (so does the timeline) or
    begin after it, several picture streams (the default one is read), pauses in a transport stream, and joined files
    that FFmpeg does not read. `gaps` and `notes` are known after the last frame.

    The file, a regular one, is opened here; a separate process decodes it, can open nothing else and is killed on exit.
    Raises DataError if the file cannot be decoded, ConfigError if an option is out of range.
    """

    def __init__(
        self,
        path: Path | str,
        fps: Fraction,
        image_size: tuple[int, int] | None = None,
        *,
        limits: Limits = Limits(),  # noqa: B008 (frozen)
        damaged: bool = False,
    ) -> None:
        if fps <= 0:
            raise ConfigError(f"fps must be positive, got {fps}")
        if image_size is not None and min(image_size) < 1:
            raise ConfigError(f"image_size is (height, width), both at least 1, got {image_size}")
        self._path: Path | str = Path(path)
        self._request: FrameRequest | LiveRequest = FrameRequest(Fraction(fps), image_size, limits, damaged)
        self._process: DecodingProcess | None = None
        self.info: VideoInfo
        self.gaps: tuple[Gap, ...] = ()
        self.notes: tuple[str, ...] = ()

    @classmethod
    def live(cls, name: str, request: LiveRequest) -> Self:
        """A reader of what is no file; see `keyseg.video.live`. name: of the source in messages."""
        reader = cls(name, request.fps, request.image_size)
        reader._path, reader._request = name, request
        return reader

    def __enter__(self) -> Self:
        self._process = DecodingProcess(self._path, self._request)
        try:
            *_, values = self._process.message()
            exact = {key: values[key] and Fraction(values[key]) for key in ("time_base", "declared_seconds", "fps")}
            self.info = VideoInfo(**values | exact)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.close()

    def __iter__(self) -> Iterator[SampledFrame]:
        while True:
            if self._process is None:
                raise ConfigError("a VideoReader is read once, inside `with VideoReader(...) as frames`")
            kind, pts, frames, content = self._process.message()
            if kind == END:
                self.gaps = tuple(Gap(start_frame=a, end_frame=b, reason=why) for a, b, why in content["gaps"])
                self.notes = tuple(content["notes"])
                self.__exit__()
                return
            for _ in range(frames):
                yield SampledFrame(content, pts)


def read_key_frames(video_path: str | Path, times_seconds: Sequence[float]) -> list[tuple[float, Image]]:
    """The frame on screen at each time as (seconds, (H, W, 3) uint8 RGB), in the order of the times.

    Times are presentation times, as in players, so a variable frame rate does no harm. Images have at most 160 rows and
    480 columns and are upright. Seeks, so a long video is not decoded as a whole, unless it is a transport or programme
    stream, whose clock may start anew. The decoding process can open this one regular file only. Raises DataError if
    there is no such file, no video in it, or no frame at a time.
    """
    for seconds in times_seconds:
        if not (math.isfinite(seconds) and seconds >= 0):
            raise TimelineError(f"a key frame's time must be >= 0 seconds, got {seconds}")
    ascending = sorted(set(times_seconds))
    request = KeyFrameRequest(tuple(map(Fraction, ascending)), Limits())
    with closing(DecodingProcess(Path(video_path), request)) as process:
        images = {seconds: process.message()[3].copy() for seconds in ascending}
        process.message()  # the end; without any times, too, the file must be a video
    return [(seconds, images[seconds]) for seconds in times_seconds]
