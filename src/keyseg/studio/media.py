"""What a page shows of a video, made once and kept in the folder's .keyseg: pictures, and the shape of its sound."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

from keyseg.timeline import KeysegError
from keyseg.timeline.files import write_bytes, write_json
from keyseg.video.decode_client import open_file
from keyseg.video.reading import read_key_frames
from keyseg.viz.page_player import jpeg

_WRITING = threading.Lock()  # two threads may make the same thumbnail, of two files with one content

SILENCE: dict[str, Any] = {"seconds": 0.0, "peaks": []}

_TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".ogv": "video/ogg",
    ".avi": "video/x-msvideo",
    ".mpg": "video/mpeg",
    ".mpeg": "video/mpeg",
    ".ts": "video/mp2t",
}


def media_type(path: Path) -> str:
    """The type of a video for browsers, by its suffix; that of no system's settings.

    >>> media_type(Path("film.MP4"))
    'video/mp4'
    """
    return _TYPES.get(path.suffix.lower(), "application/octet-stream")


def thumbnail(video: Path, kept: Path, seconds: float) -> bytes:
    """The picture at a time as JPEG, which is kept in a file. Raises DataError if there is none."""
    if not kept.is_file():
        picture = jpeg(read_key_frames(video, [seconds])[0][1])
        with _WRITING:
            if not kept.is_file():
                write_bytes(kept, picture)
    return kept.read_bytes()


@lru_cache(maxsize=256)
def frame_picture(video: Path, modified: int, seconds: float) -> bytes:
    """The picture at a time as JPEG, at most 160 pixels high. modified: when the file was changed, in ns.

    Raises DataError if there is none.
    """
    return jpeg(read_key_frames(video, [seconds])[0][1])


class Waveforms:
    """Shapes of sounds, measured one at a time, each in a process of its own. Call `close` at the end.

    >>> sounds = Waveforms()
    >>> sounds.close()
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "waveform")
        self._lock = threading.Lock()
        self._waiting: set[Path] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def get(self, video: Path, kept: Path) -> dict[str, Any] | None:
        """`{"seconds", "peaks"}` of a video, or None while it is measured. kept: the file that it is written to.

        A video without sound, or whose sound cannot be read, is silent.
        """
        if kept.is_file():
            measured: dict[str, Any] = json.loads(kept.read_bytes())
            return measured
        with self._lock:
            if kept not in self._waiting and not self._closed:
                self._waiting.add(kept)
                self._pool.submit(self._measure, video, kept)
        return None

    def close(self) -> None:
        """Stop at once; what is not measured yet will be, by the next server."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()
        self._pool.shutdown(cancel_futures=True)

    def _measure(self, video: Path, kept: Path) -> None:
        try:
            text = self._output(video)
            if not self._closed:
                write_json(kept, json.loads(text) if text else SILENCE)
        except (KeysegError, OSError):
            pass  # the file is gone: the next request tries again
        finally:
            with self._lock:
                self._waiting.discard(kept)

    def _output(self, video: Path) -> bytes:
        """What the process says, nothing if it fails."""
        command = [sys.executable, "-P", "-m", "keyseg.studio.waveform"]
        with open_file(video) as file:
            with self._lock:
                if self._closed:
                    return b""
                process = self._process = subprocess.Popen(
                    command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
                )
            text, _ = process.communicate()
        return text if process.returncode == 0 else b""
