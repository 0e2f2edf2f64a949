"""Reading a video by time: frames at a steady rate, decoded in a process of their own that may be killed."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt

from keyseg.data.feature_origin import Gap
from keyseg.timeline import ConfigError, DataError
from keyseg.video.limits import Limits, VideoInfo
from keyseg.video.opening import WANTED, open_file
from keyseg.video.protocol import ALIVE, END, FAILED, FRAMES, HEAD, INFO, Request

__all__ = ["Gap", "Limits", "SampledFrame", "VideoInfo", "VideoReader", "probe"]

# Without a sign of life for so long, the decoding process hangs.
_STALL_SECONDS = 60.0
_PIPE_BYTES = 2**20


@dataclass(frozen=True)
class SampledFrame:
    """What is on screen at a time.

    image: (H, W, 3) uint8 RGB, upright, in the size asked for; read only, since frames of one picture share it. pts:
    when the picture came on screen, in ticks.
    """

    image: npt.NDArray[np.uint8]
    pts: int


def probe(path: Path | str) -> VideoInfo:
    """What a video file says of itself. Decodes one picture. Raises DataError where there is none."""
    with VideoReader(path, Fraction(1), damaged=True) as reader:
        return reader.info


class VideoReader:
    """The frames of a video file, once, front to back: a context manager to iterate over.

    Frame i is the picture on screen i / fps seconds after the file's clock starts, as players count: the last one that
    starts by then, a container's rounding of up to 1 ms forgiven. Where the sound starts a tenth of a second before the
    pictures or more, the first one stands in until it appears. There is a frame for each i / fps before the last
    picture leaves, at least one. So the source's rate may vary or be any other; a picture may be shown many times or
    never.

    image_size: (height, width) to scale to, None for the displayed size; pixels count as square. limits: what decoding
    may take. damaged: go on after damage. Then the last good picture (or, at the start, the first) stands in until the
    next key frame, a file that ends early is filled up to the length that it declares, and `gaps` says where and why;
    without it, damage is a DataError. Damage is what the container or the decoder notices: bits that flip may go
    unseen, and so may a cut in formats that do not declare a length (MPEG-TS, MPEG-PS, Ogg, WMV, live Matroska).

    The file is opened here, as one regular file; a process of its own decodes it, may open nothing else and is killed
    on leaving. Raises DataError on a file that cannot be decoded, ConfigError on options out of range.
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
        self._path = Path(path)
        self._request = Request(Fraction(fps), image_size, limits, damaged)
        self._process: subprocess.Popen[bytes] | None = None
        self._size = (0, 0)
        self.info: VideoInfo
        self.gaps: tuple[Gap, ...] = ()

    def __enter__(self) -> Self:
        with open_file(self._path) as file:
            self._process = _start(file, self._request)
        try:
            _, _, _, body = self._message(INFO)
            values = json.loads(body)
            self._size = (values["image_size"][0], values["image_size"][1])
            self.info = _info(values)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def __iter__(self) -> Iterator[SampledFrame]:
        if self._process is None:
            raise ConfigError("a VideoReader is read once, inside `with VideoReader(...) as frames`")
        while True:
            kind, pts, frames, body = self._message(FRAMES, END)
            if kind == END:
                self.gaps = tuple(Gap(start_frame=a, end_frame=b, reason=why) for a, b, why in json.loads(body))
                self.__exit__(None, None, None)
                return
            image = np.frombuffer(body, np.uint8).reshape(*self._size, 3)
            image.flags.writeable = False
            for _ in range(frames):
                yield SampledFrame(image, pts)

    def _message(self, *kinds: bytes) -> tuple[bytes, int, int, bytearray]:
        """The next message that is no sign of life. Raises DataError where the process fails, hangs or dies."""
        while True:
            kind, pts, frames, length = HEAD.unpack(self._bytes(HEAD.size))
            body = self._bytes(length)
            if kind == FAILED:
                raise DataError(f"{self._path}: {json.loads(body)}")
            if kind in kinds:
                return kind, pts, frames, body
            assert kind == ALIVE, kind

    def _bytes(self, length: int) -> bytearray:
        if self._process is None or self._process.stdout is None:
            raise ConfigError("a VideoReader is read inside `with VideoReader(...) as frames`")
        pipe, found, place = self._process.stdout, bytearray(length), 0
        with memoryview(found) as view:
            while place < length:
                if not select.select([pipe], [], [], _STALL_SECONDS)[0]:
                    self._process.kill()
                    raise DataError(
                        f"{self._path}: decoding made no progress for {_STALL_SECONDS:g} s and was stopped; {WANTED}"
                    )
                read = pipe.readinto(view[place:])  # type: ignore[attr-defined]
                if not read:
                    raise self._death()
                place += read
        return found

    def _death(self) -> DataError:
        assert self._process is not None
        code = self._process.wait()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        return DataError(
            f"{self._path}: the process that decodes this video {how}: the file may be damaged or hostile, or need more"
            f" memory than there is (limit {self._request.limits.memory_mib} MiB); {WANTED}"
        )


def _start(file: BinaryIO, request: Request) -> subprocess.Popen[bytes]:
    """The decoding process, with the open file as its input. One thread: a process a video is what scales."""
    command = [sys.executable, "-P", "-m", "keyseg.video.decode_process", request.to_json()]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command,
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env={**os.environ, **threads},
    )
    if sys.platform == "linux" and process.stdout is not None:
        import fcntl

        with contextlib.suppress(OSError):  # the system may allow no more; then images take more turns
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return process


def _info(values: dict[str, Any]) -> VideoInfo:
    declared = values["declared_seconds"]
    return VideoInfo(
        width=values["width"],
        height=values["height"],
        rotation=values["rotation"],
        time_base=Fraction(values["time_base"]),
        start_pts=values["start_pts"],
        declared_seconds=None if declared is None else Fraction(declared),
        codec=values["codec"],
        container=values["container"],
    )
