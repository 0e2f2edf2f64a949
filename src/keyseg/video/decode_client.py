"""The process that decodes one video: started, listened to and killed by whoever reads the video."""

from __future__ import annotations

import json
import os
import pickle
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from keyseg.timeline import DataError
from keyseg.video.protocol import ALIVE, ERROR, FRAMES, HEAD, FrameRequest, KeyFrameRequest

# The decoding process hangs if it gives no sign of life for this long.
_STALL_SECONDS = 60.0
SMALLER = "make it smaller, for example with: ffmpeg -i IN -vf scale=1920:-2 OUT.mp4"
WANTED = (
    "expected one whole file such as .mp4, .mkv or .avi, not a playlist: fetch it again, or convert it with:"
    " ffmpeg -i IN OUT.mp4"
)


class DecodingProcess:
    """Decodes one file, can open no other, and answers one request with messages. Call `close` when done."""

    def __init__(self, path: Path, request: FrameRequest | KeyFrameRequest) -> None:
        """Start the process on a regular file. Raises DataError if there is no such file."""
        self._path, self._memory_mib = path, request.limits.memory_mib
        command = [sys.executable, "-P", "-m", "keyseg.video.decode_process", pickle.dumps(request).hex()]
        # With one thread, several videos at once scale better.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        with open_file(path) as file:
            self._socket, output = socket.socketpair()
            with output:
                output.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)  # images take fewer writes
                self.popen = subprocess.Popen(
                    command, stdin=file, stdout=output.fileno(), stderr=subprocess.DEVNULL, env=environment
                )
        self._messages = self._socket.makefile("rb")

    def close(self) -> None:
        """Kill the process, whatever it is doing."""
        self.popen.kill()
        self.popen.wait()
        self._messages.close()
        self._socket.close()

    def message(self) -> tuple[bytes, int, int, Any]:
        """Kind, time stamp, frames, and image or JSON value of the next message, skipping signs of life.

        Raises DataError if the process fails, hangs or dies.
        """
        self._socket.settimeout(_STALL_SECONDS)
        while True:
            kind, pts, frames, width, length = HEAD.unpack(self._bytes(HEAD.size))
            body = self._bytes(length)
            if kind == FRAMES:
                return kind, pts, frames, np.frombuffer(body, np.uint8).reshape(-1, width, 3)
            content = json.loads(body)
            if kind == ERROR:
                raise DataError(f"{self._path}: {content}")
            if kind != ALIVE:
                return kind, pts, frames, content

    def _bytes(self, length: int) -> bytes:
        try:
            content = self._messages.read(length)
        except TimeoutError as error:
            self.popen.kill()
            raise DataError(
                f"{self._path}: decoding made no progress for {_STALL_SECONDS:g} s and was stopped; {WANTED}"
            ) from error
        if len(content) == length:
            return content
        code = self.popen.wait()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        raise DataError(
            f"{self._path}: the process that decodes this video {how}: the file may be damaged or hostile, or need more"
            f" memory than there is (limit {self._memory_mib} MiB); {WANTED}"
        )


def open_file(path: Path) -> BinaryIO:
    """Open a regular file, never a device or a pipe. Raises DataError."""
    try:
        # Opening a FIFO would block until it has a writer.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        if stat.S_ISREG(os.fstat(handle).st_mode):
            return os.fdopen(handle, "rb")
        os.close(handle)
        raise FileNotFoundError
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise DataError(
            f"{path}: no such video file; give the path of a file on this machine, not an address"
        ) from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot open this video file ({error})") from error
