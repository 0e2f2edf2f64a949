"""What a video file says of itself, and what the process that decodes it may use."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from keyseg.timeline import ConfigError


@dataclass(frozen=True)
class VideoInfo:
    """What a video file says of itself.

    width, height: of a picture as displayed, after rotation. rotation: degrees that a picture is turned clockwise for
    that. time_base: seconds a tick. start_pts: ticks at which frame 0 begins. declared_seconds: length of the video
    stream by the file, None where the file does not say. codec, container: FFmpeg's names.
    """

    width: int
    height: int
    rotation: int
    time_base: Fraction
    start_pts: int
    declared_seconds: Fraction | None
    codec: str
    container: str


@dataclass(frozen=True)
class Limits:
    """Where decoding stops, so that no file can take the machine.

    pixels: of one picture. seconds: of a whole video. memory_mib: address space of the decoding process. Raises
    ConfigError unless all are positive.
    """

    pixels: int = 8192 * 4352
    seconds: int = 24 * 3600
    memory_mib: int = 2048

    def __post_init__(self) -> None:
        for name in ("pixels", "seconds", "memory_mib"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"the limit {name} must be positive, got {getattr(self, name)}")
