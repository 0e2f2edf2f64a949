"""A studio's server in a process of its own, as a person starts it, that tests can kill and start again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

TOKEN = "a-token-of-the-tests"


class ServedStudio:
    """`keyseg studio FOLDER` on a free port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.page = f"{self.address}/?token={TOKEN}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "keyseg", "studio", str(self.folder), "--without-browser"]
        self._process = subprocess.Popen([*command, "--port", str(self.port), "--token", TOKEN])
        eventually(self._answers, "the studio's server does not answer", seconds=60)

    def kill(self) -> None:
        """End it without warning, as a crash does."""
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
            self._process.wait()
            self._process = None

    def get(self, path: str) -> Any:
        """The JSON of a path below /api."""
        request = urllib.request.Request(f"{self.address}/api/{path}", headers={"Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def segments(self, video: str, row: str = "correction") -> list[tuple[int, int, str]]:
        """Start frame, end frame and label of each segment of a row."""
        saved = self.get(f"videos/{video}")["rows"].get(row, {"segments": []})["segments"]
        return [(each["start_frame"], each["end_frame"], each["label"]) for each in saved]

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the studio ended with exit code {self._process.returncode}"
        try:
            with urllib.request.urlopen(f"{self.address}/health", timeout=1):
                return True
        except OSError:
            return False


def eventually(holds: Any, words: str, seconds: float = 15) -> None:
    """Wait until a condition holds; fail with these words if it does not."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, words
        time.sleep(0.05)
