"""The process that decodes one video: started, listened to and killed by whoever reads the video."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

from keyseg.timeline import DataError
from keyseg.video.opening import WANTED, open_file
from keyseg.video.protocol import ALIVE, FAILED, HEAD, Request, request_to_json

# The decoding process hangs if it gives no sign of life for this long.
_STALL_SECONDS = 60.0
_PIPE_BYTES = 2**20


class DecodingProcess:
    """Decodes one file, can open no other, and answers one request with messages. Call `close` when done."""

    def __init__(self, path: Path, request: Request) -> None:
        """Start the process on a regular file. Raises DataError if there is no such file."""
        self._path, self._memory_mib = path, request.limits.memory_mib
        with open_file(path) as file:
            self.popen = _start(file, request)

    def close(self) -> None:
        """Kill the process, whatever it is doing."""
        self.popen.kill()
        self.popen.wait()
        if self.popen.stdout is not None:
            self.popen.stdout.close()

    def message(self, *kinds: bytes) -> tuple[bytes, int, int, bytearray]:
        """Kind, time stamp, frames and body of the next message of these kinds, skipping signs of life.

        Raises DataError if the process fails, hangs or dies.
        """
        while True:
            kind, pts, frames, length = HEAD.unpack(self._bytes(HEAD.size))
            body = self._bytes(length)
            if kind == FAILED:
                raise DataError(f"{self._path}: {json.loads(body)}")
            if kind in kinds:
                return kind, pts, frames, body
            assert kind == ALIVE, kind

    def _bytes(self, length: int) -> bytearray:
        assert self.popen.stdout is not None
        pipe, content, place = self.popen.stdout, bytearray(length), 0
        with memoryview(content) as view:
            while place < length:
                if not select.select([pipe], [], [], _STALL_SECONDS)[0]:
                    self.popen.kill()
                    raise DataError(
                        f"{self._path}: decoding made no progress for {_STALL_SECONDS:g} s and was stopped; {WANTED}"
                    )
                read = pipe.readinto(view[place:])  # type: ignore[attr-defined]
                if not read:
                    raise self._death()
                place += read
        return content

    def _death(self) -> DataError:
        code = self.popen.wait()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        return DataError(
            f"{self._path}: the process that decodes this video {how}: the file may be damaged or hostile, or need more"
            f" memory than there is (limit {self._memory_mib} MiB); {WANTED}"
        )


def _start(file: BinaryIO, request: Request) -> subprocess.Popen[bytes]:
    """The decoding process, with the open file as its input. One thread: several videos at once scale better."""
    command = [sys.executable, "-P", "-m", "keyseg.video.decode_process", request_to_json(request)]
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

        with contextlib.suppress(OSError):  # where the system allows less, images take more reads
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return process
