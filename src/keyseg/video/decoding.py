"""Pictures of a container in order of time, and a report of every lost one. Used in the decoding process only."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from keyseg.video.joining import CLOCKED, JoinedPackets
from keyseg.video.opening import packets_of

_MOST_FAILURES = 100
_MOST_HELD = 8
FALLBACK_RATE = Fraction(25)
_MISSING = "packets of the index are missing, so that later pictures would be shown too early"
# Seconds by which the clock of joined files goes back, and seconds without a new picture in transport and programme
# streams: what is reported, and what counts as damage.
_BACK, _LONG_HOLE, _LEAP = Fraction(3, 4), 1, 10


@dataclass(frozen=True)
class Picture:
    """A good picture, on screen from `pts` until the `end_pts` that it declares (ticks)."""

    frame: VideoFrame
    pts: int
    end_pts: int


@dataclass(frozen=True)
class Loss:
    """Pictures from `pts` on are missing or wrong, and the reason."""

    pts: int
    end_pts: int
    reason: str


@dataclass(frozen=True)
class Break(Loss):
    """What is missing between two pictures that are good; nothing where `end_pts` is `pts`."""


def set_up_decoder(stream: VideoStream, max_pixels: int) -> None:
    """Set the options of a stream's decoder, before the first picture."""
    context = stream.codec_context
    context.thread_count = 1  # several videos at once scale better
    context.options = {"max_pixels": str(max_pixels)}
    if context.name == "h264":
        # Without it, a stream that does not declare its reordering depth may first show pictures out of order.
        context.options = {**context.options, "strict": "1"}


class Decoding:
    """Reads a container once, from start to end.

    After a loss, all pictures up to the next key frame are lost too: they were predicted from the lost one, which
    decoders seldom report. alive: called for every packet.
    """

    def __init__(
        self, container: InputContainer, stream: VideoStream, max_pixels: int, alive: Callable[[], None]
    ) -> None:
        self._container, self._stream, self._alive = container, stream, alive
        self.others_end = Fraction(0)  # where the packets of other streams end, in seconds
        self.media_end = Fraction(0)  # the same, of sound and other pictures only
        self.read_bytes = 0  # of the file, up to the end of the last packet
        self.oddities: list[Break] = []  # too small for damage
        self.joined = False  # whether the clock started anew
        set_up_decoder(stream, max_pixels)
        rate = Fraction(stream.average_rate or stream.guessed_rate or FALLBACK_RATE)
        self.usual_seconds = 1 / rate
        self._clock = Fraction(stream.time_base or 1)
        self._clocked = container.format.name in CLOCKED
        # Elsewhere a picture may well stay for long. An MP4 in fragments, whose header lists no picture, says how long.
        self._has_ends = self._clocked or (container.format.name.startswith("mov,") and stream.frames == 0)
        self._usual = max(1, round(self.usual_seconds / self._clock))
        self._keys: deque[int] = deque(maxlen=64)
        self._packets = JoinedPackets(stream, container.format.name, self._usual)
        self._slots: list[int] | None = [] if container.format.name == "avi" else None
        self._suspect: int | None = None
        self._last_packet = self._last = stream.start_time or 0
        self._good_until: int | None = None  # where the last good picture ends, once there is one

    def __iter__(self) -> Iterator[Picture | Loss]:
        held: deque[Picture] = deque()
        for event in self._events():
            if isinstance(event, Break):
                yield from held
                held.clear()
            elif isinstance(event, Loss) and held:
                # B-pictures come out before the picture they were predicted from, which may be this one.
                event = Loss(min(event.pts, held[0].pts), event.end_pts, event.reason)
                held.clear()
            if not isinstance(event, Picture):
                yield event
                continue
            held.append(event)
            predicted = event.frame.pict_type == PictureType.B
            while held and (len(held) > _MOST_HELD or not predicted):
                yield held.popleft()
        yield from held

    def _events(self) -> Iterator[Picture | Loss]:
        for packet in self._packets.of(self._demuxed()):
            self._alive()
            if isinstance(packet, Packet) and packet.pos is not None:
                self.read_bytes = max(self.read_bytes, packet.pos + packet.size)
            if isinstance(packet, Loss):
                yield packet
            elif packet.stream.index == self._stream.index:  # that of an empty packet, packet.stream_index, is 0
                yield from self._decode(packet)
            elif packet.pts is not None and packet.time_base:
                end = (packet.pts + (packet.duration or 0)) * Fraction(packet.time_base)
                self.others_end = max(self.others_end, end)
                if packet.stream.type in ("audio", "video"):
                    self.media_end = max(self.media_end, end)
        yield from self._breaks_before(None)
        if self._slots is not None:
            # An AVI counts packets, so each missing one shifts the time.
            last = next((entry.timestamp for entry in reversed(self._stream.index_entries) if entry.size), 0)
            if self._last_packet < last:
                yield self._lose(self._last_packet, _MISSING, last - self._last_packet)

    def _demuxed(self) -> Iterator[Packet[Any] | Loss]:
        """Packets of all streams; damage to the container, which FFmpeg only logs, counts as a loss."""
        failures, packets = 0, packets_of(self._container)
        with av.logging.Capture() as messages:
            while failures < _MOST_FAILURES:
                packet, ended = None, False
                try:
                    packet = next(packets, None)
                    ended = packet is None
                except MemoryError:
                    raise
                except (av.FFmpegError, OSError) as error:
                    failures, packets = failures + 1, packets_of(self._container)
                    yield self._lose(self._last_packet, ffmpeg_message(error))
                complaints = [text.strip() for _, name, text in messages if name == self._container.format.name]
                messages.clear()
                if complaints:
                    yield self._lose(self._last_packet, complaints[0])
                if packet is not None:
                    yield packet
                if ended:
                    return

    def _decode(self, packet: Packet[Any]) -> Iterator[Picture | Loss]:
        at = packet.dts if self._slots is not None else packet.pts if packet.pts is not None else packet.dts
        if at is not None:
            if packet.size == 0:  # in an AVI the picture then stays
                return
            self._last_packet = at
            if packet.is_keyframe:
                self._keys.append(at)
            if self._slots is not None:
                heapq.heappush(self._slots, at)
        if packet.is_corrupt:
            yield self._lose(at, "a packet is incomplete")
        try:
            frames = packet.decode()
        except MemoryError:
            raise
        except (av.FFmpegError, OSError, ValueError) as error:
            if self._slots and at in self._slots:
                self._slots.remove(at)
                heapq.heapify(self._slots)
            yield self._lose(at, ffmpeg_message(error))
            return
        for frame in frames:
            pts = self._time_of(frame)
            yield from self._breaks_before(pts)
            yield self._judge(frame, pts)

    def _breaks_before(self, pts: int | None) -> Iterator[Break]:
        """Seams before a picture, or all if there is none, and a hole that no loss explains."""
        seams = self._packets.seams
        while seams and (pts is None or seams[0][0] <= pts):
            self.joined = True
            start, ticks = seams.popleft()
            back = ticks * self._clock
            seam = Break(
                start, start, f"the clock of the pictures goes back by {float(back):.2f} s, as in joined files"
            )
            if back < _BACK:
                self.oddities.append(seam)
            else:
                yield seam
        if self._has_ends and pts is not None and self._good_until is not None and self._suspect is None:
            seconds = (pts - self._good_until) * self._clock
            hole = Break(self._good_until, pts, f"there is no new picture for {float(seconds):.2f} s")
            if seconds >= _LEAP and self._clocked:
                yield hole
            elif seconds >= _LONG_HOLE:
                self.oddities.append(hole)

    def _judge(self, frame: VideoFrame, pts: int) -> Picture | Loss:
        length = frame.duration or self._usual
        if self._good_until is not None and pts < self._last:
            return self._lose(self._last, "the clock of the pictures runs backwards")
        self._last = pts
        if frame.is_corrupt:
            return self._lose(pts, "a picture is damaged", length)
        suspect = self._suspect
        if suspect is not None and not any(suspect < key <= pts for key in self._keys):
            return Loss(pts, pts + length, "a picture was predicted from a damaged one")
        self._suspect, self._good_until = None, pts + length
        return Picture(frame, pts, pts + length)

    def _lose(self, pts: int | None, reason: str, length: int | None = None) -> Loss:
        at = self._last if pts is None else pts
        self._suspect = at if self._suspect is None else max(self._suspect, at)
        # Nothing between the last good picture and the next key frame is certain: packets come in decoding order.
        start = at if self._good_until is None else min(at, self._good_until)
        return Loss(start, at + (self._usual if length is None else length), reason)

    def _time_of(self, frame: VideoFrame) -> int:
        if self._slots is None:
            pts = frame.pts if frame.pts is not None else frame.dts
            return pts if pts is not None else self._last + self._usual
        # An AVI has no presentation times, only one slot per picture in decoding order; pictures come out in
        # presentation order, so each takes the first free slot. FFmpeg's own guess is wrong with B-frames.
        while self._slots and self._good_until is not None and self._slots[0] <= self._last:
            heapq.heappop(self._slots)
        return heapq.heappop(self._slots) if self._slots else self._last + self._usual


def ffmpeg_message(error: BaseException) -> str:
    """FFmpeg's description of an error: the line of its log if there is one."""
    log = getattr(error, "log", None)
    return log[2].strip() if log else str(getattr(error, "strerror", None) or error)
