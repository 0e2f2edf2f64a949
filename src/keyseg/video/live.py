"""Sources of pictures that may have no end, a camera or an address, beside video files."""

from __future__ import annotations

import re
import sys
from fractions import Fraction

from keyseg.timeline import ConfigError
from keyseg.video.protocol import Limits, LiveRequest, without_password
from keyseg.video.reading import VideoReader

CAMERA = "camera:"
SCHEMES = ("rtsp", "rtsps", "http", "https")
# FFmpeg's input device on each system, and how it spells the camera with a name or a number.
_DEVICES = {
    "linux": ("v4l2", "{}"),
    "darwin": ("avfoundation", "{}:none"),
    "win32": ("dshow", "video={}"),
}


def open_pictures(source: str, fps: Fraction, image_size: tuple[int, int] | None = None) -> VideoReader:
    """A reader of the frames of a source; those of a camera or an address come as they are filmed, without an end.

    source: path of a video file, an address (rtsp://, rtsps://, http://, https://), or as in `live_request` a camera.
    Frame 0 of a camera or an address is its first picture; damaged pictures are left out, and no source may be silent
    for 10 seconds. Raises ConfigError on an address of another kind, and as `live_request` does.

    >>> open_pictures("ftp://there/film.mp4", Fraction(10))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    keyseg.timeline.errors.ConfigError: ftp://there/film.mp4: an address starts with one of rtsp://, rtsps://, http:...
    """
    request = live_request(source, fps, image_size)
    if request is None:
        return VideoReader(source, fps, image_size)
    return VideoReader.live(without_password(source), request)


def live_request(
    source: str, fps: Fraction, image_size: tuple[int, int] | None, system: str = sys.platform
) -> LiveRequest | None:
    """What to ask the decoding process for; None for a file. system: as `sys.platform`.

    A camera is `camera:` and its number (Linux, macOS) or its name (macOS, Windows). Raises ConfigError if no camera is
    named or the system's cameras cannot be read.
    """
    address, device = source, ""
    if source.startswith(CAMERA) or re.fullmatch(r"/dev/video[0-9]+", source):
        name = source.removeprefix(CAMERA)
        if not name:
            raise ConfigError(f"{source}: name a camera, such as {CAMERA}0")
        if system not in _DEVICES:
            raise ConfigError(f"{source}: cameras of this system ({system}) cannot be read; give an address or a file")
        device, spelling = _DEVICES[system]
        address = spelling.format(f"/dev/video{name}" if system == "linux" and name.isdecimal() else name)
    elif scheme := re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", source):
        if scheme[1].lower() not in SCHEMES:
            known = ", ".join(f"{one}://" for one in SCHEMES)
            raise ConfigError(f"{without_password(source)}: an address starts with one of {known}; or give a file")
    else:
        return None
    return LiveRequest(address, device, Fraction(fps), image_size, Limits())
