"""The process that decodes one video: started, listened to and killed by whoever reads the video."""

from __future__ import annotations

import errno
import json
import os
import pickle
import stat
import subprocess
import sys
import threading
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from keyseg.timeline import DataError, InternalError
from keyseg.timeline.files import write_log
from keyseg.video.protocol import ALIVE, BUG, ERROR, FRAMES, HEAD, FrameRequest, KeyFrameRequest, LiveRequest

_MODULE = "keyseg.video.decode_process"

# Of decoded pictures that wait for their reader, so that decoding continues while features are computed.
_AHEAD_BYTES = 2**20

# The decoding process hangs if it gives no sign of life for this long.
_STALL_SECONDS = 60.0
SMALLER = "make it smaller, for example with: ffmpeg -i IN -vf scale=1920:-2 OUT.mp4"
WANTED = (
    "expected one whole file such as .mp4, .mkv or .avi, not a playlist: fetch it again, or convert it with:"
    " ffmpeg -i IN OUT.mp4"
)


class DecodingProcess:
    """Decodes one file, can open no other, and answers one request with messages. Call `close` when done."""

    def __init__(self, path: Path | str, request: FrameRequest | KeyFrameRequest | LiveRequest) -> None:
        """Start the process on a regular file, or on the source of a live request, which `path` only names.

        Raises DataError if there is no such file.
        """
        self._path, self._memory_mib = path, request.limits.memory_mib
        command = [sys.executable, "-P", "-m", _MODULE, pickle.dumps(request).hex()]
        # With one thread, several videos at once scale better.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        live = isinstance(request, LiveRequest)
        with nullcontext(subprocess.DEVNULL) if live else open_file(Path(path)) as file:
            self.popen = subprocess.Popen(
                command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
            )
        assert self.popen.stdout is not None
        self._messages = self.popen.stdout
        if sys.platform == "linux" and not live:
            with suppress(ImportError, OSError):  # a user may have so many large pipes, and no more
                import fcntl

                fcntl.fcntl(self._messages, fcntl.F_SETPIPE_SZ, _AHEAD_BYTES)
        self._watchdog = _Watchdog(self.popen)

    def close(self) -> None:
        """Kill the process, whatever it is doing."""
        self.popen.kill()
        self.popen.wait()
        self._watchdog.close()
        self._messages.close()

    def message(self) -> tuple[bytes, int, int, Any]:
        """Kind, time stamp, frames, and image or JSON value of the next message, skipping signs of life.

        Raises DataError if the process fails, hangs or dies, and InternalError if the mistake is in keyseg.
        """
        while True:
            kind, pts, frames, width, length = HEAD.unpack(self._bytes(HEAD.size))
            body = self._bytes(length)
            if kind == FRAMES:
                return kind, pts, frames, np.frombuffer(body, np.uint8).reshape(-1, width, 3)
            content = json.loads(body)
            if kind == ERROR:
                raise DataError(f"{self._path}: {content}")
            if kind == BUG:
                raise self._bug(content)
            if kind != ALIVE:
                return kind, pts, frames, content

    def _bytes(self, length: int) -> bytes:
        with self._watchdog:
            content = self._messages.read(length)
        if len(content) == length:
            return content
        code = self.popen.wait()
        if self._watchdog.killed:
            raise DataError(
                f"{self._path}: decoding made no progress for {_STALL_SECONDS:g} s and was stopped; {WANTED}"
            )
        if code == 1 and (trace := _import_failure()):
            raise self._bug(trace)
        raise DataError(
            f"{self._path}: the process that decodes this video {_ending(code)}: the file may be damaged or hostile, or"
            f" need more memory than there is (limit {self._memory_mib} MiB); {WANTED}"
        )

    def _bug(self, trace: str) -> InternalError:
        """The error for a traceback of the process, which is kept in a log."""
        log = write_log(f"{self._path}\n{trace}")
        return InternalError(
            f"{self._path}: {trace.strip().splitlines()[-1]}. This is a bug in keyseg, not a fault of the video; please"
            f" report it with {log}"
        )


class _Watchdog:
    """A thread that kills a process if one `with` block, in which something waits for it, lasts too long.

    A thread and a pipe exist on every system, unlike a pipe with a time limit. killed: whether it killed the process.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process, self._closed = process, threading.Event()
        self._since: float | None = None
        self.killed = False
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def __enter__(self) -> None:
        self._since = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._since = None

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._closed.wait(min(_STALL_SECONDS, 1.0)):
            since = self._since
            if since is not None and time.monotonic() - since > _STALL_SECONDS:
                self.killed = True
                self._process.kill()
                return


def _ending(code: int) -> str:
    """How a process with this status ended: by a signal, by a fault that Windows names with a large number, itself."""
    if code < 0:
        return f"was killed by signal {-code}"
    return f"ended with status {code:#x}" if code > 255 else f"ended with status {code}"


def _import_failure() -> str:
    """The traceback of what keeps the decoding process from starting, such as a broken installation, or nothing."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"import {_MODULE}"], capture_output=True, encoding="utf-8", errors="replace"
    )
    return done.stderr if done.returncode else ""


def open_file(path: Path) -> BinaryIO:
    """Open a regular file that is not empty, never a device or a pipe. Raises DataError."""
    try:
        if path.is_dir():
            raise IsADirectoryError  # Windows would speak of permissions
        # Opening a FIFO would block until it has a writer.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        status = os.fstat(handle)
        if stat.S_ISREG(status.st_mode) and status.st_size:
            return os.fdopen(handle, "rb")
        os.close(handle)
        if stat.S_ISREG(status.st_mode):
            raise DataError(f"{path}: the file is empty; fetch it again")
        raise FileNotFoundError
    except (OSError, ValueError) as error:
        # Windows calls an address an invalid argument.
        if isinstance(error, OSError) and error.errno in (None, errno.ENOENT, errno.ENOTDIR, errno.EINVAL):
            raise DataError(
                f"{path}: no such video file; give the path of a file on this machine, not an address"
            ) from error
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot open this video file ({reason})") from error
