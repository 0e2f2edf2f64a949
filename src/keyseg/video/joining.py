"""Files joined end to end, such as transport streams: their picture packets on one clock. Decoding process only."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, BinaryIO, TypeVar

from av.packet import Packet
from av.video.stream import VideoStream

# Their clocks count to 2**33; FFmpeg takes one that starts anew for one that ran over.
CLOCKED = ("mpegts", "mpeg")
_CLOCK = 2**33
# FFmpeg calls the packet before the last of a part incomplete, since the next part counts its packets anew.
_LAST_PACKETS = 2
# Where in the first bytes of a file its kind is written, for the kinds of which FFmpeg does not read a second part.
_HEADS = {
    "mov,mp4,m4a,3gp,3g2,mj2": slice(4, 12),
    "matroska,webm": slice(0, 8),
    "flv": slice(0, 4),
    "avi": slice(8, 16),
    "asf": slice(0, 16),
    "ogg": slice(0, 6),
    "mxf": slice(0, 14),
}
_BLOCK = 2**20

Other = TypeVar("Other")


def unread_file(video: BinaryIO, container_format: str, end: int, alive: Callable[[], None]) -> int | None:
    """The size in bytes of another file that was joined to a video after byte `end`; None if there is none.

    alive: called for every block that is searched.
    """
    if container_format not in _HEADS:
        return None
    video.seek(0)
    head = video.read(16)[_HEADS[container_format]]
    if container_format == "mxf":  # FFmpeg reads into the second part, with the index of the last one
        end = len(head)
    video.seek(end)
    before = b""
    while block := video.read(_BLOCK):
        alive()
        place = (before + block).find(head)
        if place >= 0:
            return video.seek(0, 2) - (end - len(before) + place)
        end, before = end + len(block), block[-len(head) :]
    return None


class JoinedPackets:
    """Puts the picture packets of a stream on a clock that never goes back.

    seams: for each part before which the clock goes back, when it begins and by how much, in ticks. usual: ticks of a
    picture.
    """

    def __init__(self, stream: VideoStream, container_format: str, usual: int) -> None:
        self._index, self._usual = stream.index, usual
        self._wrap = _CLOCK if container_format in CLOCKED else None
        self._is_counter = container_format == "avi"  # no clock
        self.seams: deque[tuple[int, int]] = deque()
        self._shift, self._end = 0, stream.start_time or 0
        self._latest: int | None = None

    def of(self, packets: Iterator[Packet[Any] | Other]) -> Iterator[Packet[Any] | Other]:
        """The same packets. Those at the end of a part are not incomplete if the next part follows without a hole."""
        waiting: list[Packet[Any]] = []
        for packet in packets:
            if not isinstance(packet, Packet):
                yield from waiting
                waiting.clear()
                yield packet
                continue
            if packet.stream.index != self._index:
                yield packet
                continue
            self._put_on_clock(packet)
            if len(waiting) == _LAST_PACKETS:
                if packet.is_keyframe and self._follow([*waiting, packet]):
                    waiting[0].is_corrupt = False
                yield from waiting
                waiting.clear()
            if waiting or packet.is_corrupt:
                waiting.append(packet)
            else:
                yield packet
        yield from waiting

    def _follow(self, packets: list[Packet[Any]]) -> bool:
        """Whether there is no hole between packets."""
        times = [packet.dts for packet in packets]
        return all(a is not None and b is not None and 2 * (b - a) <= 3 * self._usual for a, b in pairwise(times))

    def _put_on_clock(self, packet: Packet[Any]) -> None:
        if packet.pts is None or packet.is_discard or self._is_counter:  # an edit list may show a part twice
            return
        pts = packet.pts + self._shift
        if self._wrap and self._latest is not None:
            half = self._wrap // 2
            pts = (pts - self._latest + half) % self._wrap - half + self._latest
        # Whatever the order of decoding, no picture is shown after a key frame that comes later.
        if packet.is_keyframe and self._latest is not None and pts < self._latest:
            self.seams.append((self._end, self._end - pts))
            pts = self._end
        self._shift = pts - packet.pts
        self._latest = pts if self._latest is None else max(self._latest, pts)
        self._end = max(self._end, pts + (packet.duration or self._usual))
        packet.pts = pts
        if packet.dts is not None:
            packet.dts += self._shift
