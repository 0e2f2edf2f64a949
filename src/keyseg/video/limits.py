"""What a video file says about itself, and what the process that decodes it may use."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from keyseg.timeline import ConfigError

_SPARE_MIB = 32


@dataclass(frozen=True)
class VideoInfo:
    """What a video file says about itself.

    width, height: of a picture as displayed, after rotation. time_base: seconds per tick. start_pts: ticks at which
    frame 0 begins. declared_seconds: length of the video stream, or None if the file does not declare it. codec,
    pixel_format, container: FFmpeg's names.
    """

    width: int
    height: int
    time_base: Fraction
    start_pts: int
    declared_seconds: Fraction | None
    codec: str
    pixel_format: str
    container: str


@dataclass(frozen=True)
class Limits:
    """Where decoding stops, so that no file can exhaust the machine.

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


def restrict_memory(memory_mib: int) -> None:
    """Limit the memory of this process, where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    limit = memory_mib * 2**20
    with contextlib.suppress(ValueError, OSError):  # macOS knows the limit and refuses to set it
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def memory_is_short() -> bool:
    """Whether this process came close to its memory limit; known on Linux only."""
    with contextlib.suppress(ImportError, OSError, StopIteration):
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        peak_kib = int(next(line.split()[1] for line in status if line.startswith("VmPeak:")))
        return limit != resource.RLIM_INFINITY and limit / 2**20 - peak_kib / 1024 < _SPARE_MIB
    return False
