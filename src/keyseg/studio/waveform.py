"""The shape of a video's sound, measured in a process of its own: `python -m keyseg.studio.waveform < VIDEO`.

As with pictures, a hostile file may harm that process only, which can open no other file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

import av
import numpy as np
from numpy.typing import NDArray

from keyseg.timeline.limits import restrict_memory
from keyseg.video.decode_process import ONLY_THIS_FILE
from keyseg.video.protocol import Limits

MOST_PEAKS = 20_000
_RATE = 8000  # samples per second
_FIRST_SPAN = 64  # samples of a peak of a short sound
_PAUSE = _RATE // 10  # samples: less than that between two packets is rounding

Samples = NDArray[np.int16]


class Peaks:
    """The loudest sample of each of at most `most` equal spans, of samples that come piece by piece.

    Whenever there would be more spans, two become one: time grows with the samples, memory does not.

    >>> peaks = Peaks(most=2)
    >>> for piece in np.split(np.arange(0, 32000, 125, dtype=np.int16), 4):
    ...     peaks.add(piece)
    >>> peaks.values(), peaks.span
    ([124, 249], 128)
    """

    def __init__(self, most: int = MOST_PEAKS) -> None:
        self._most, self.span, self.samples = most, _FIRST_SPAN, 0
        self._peaks = np.zeros(2 * most, np.uint8)

    def add(self, samples: Samples) -> None:
        """The next samples, (N,), N >= 0."""
        loud = np.minimum(np.abs(samples.astype(np.int32)) >> 7, 255).astype(np.uint8)
        while len(loud):
            room = self._most * self.span - self.samples
            part, loud = loud[:room], loud[room:]
            places = (self.samples + np.arange(len(part))) // self.span
            np.maximum.at(self._peaks, places, part)
            self.samples += len(part)
            if len(loud):
                self._halve()

    def skip(self, samples: int) -> None:
        """Silence."""
        while self.samples + samples > self._most * self.span:
            self._halve()
        self.samples += samples

    def values(self) -> list[int]:
        """The peaks so far, 0 to 255."""
        values: list[int] = self._peaks[: -(-self.samples // self.span)].tolist()
        return values

    def _halve(self) -> None:
        self._peaks[: self._most] = self._peaks.reshape(-1, 2).max(1)
        self._peaks[self._most :] = 0
        self.span *= 2


def waveform(video: BinaryIO) -> dict[str, Any]:
    """`{"seconds", "peaks"}` of an open file: its sound from the start of its clock; no peaks if it has no sound.

    Memory does not grow with the length. Raises av.FFmpegError if the file cannot be read.
    """
    peaks = Peaks()
    with av.open(video, "r", options=ONLY_THIS_FILE) as container:
        start = (container.start_time or 0) / 1_000_000
        for seconds, samples in _sound(container):
            pause = round((seconds - start) * _RATE) - peaks.samples
            if pause > _PAUSE:
                peaks.skip(pause)
            peaks.add(samples)
    return {"seconds": peaks.samples / _RATE, "peaks": peaks.values()}


def _sound(container: Any) -> Iterator[tuple[float, Samples]]:
    """Time and samples, mono, of each packet of the first sound; damaged ones are left out."""
    if not container.streams.audio:
        return
    resampler = av.AudioResampler(format="s16", layout="mono", rate=_RATE)
    for packet in container.demux(container.streams.audio[0]):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            continue
        for frame in frames:
            for piece in resampler.resample(frame):
                yield float(piece.time or 0), piece.to_ndarray()[0]


if __name__ == "__main__":
    restrict_memory(Limits().memory_mib)
    json.dump(waveform(sys.stdin.buffer), sys.stdout)
