"""A studio's server for tests: in this process, or in one of its own that they can kill and start again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

TOKEN = "a-token-of-the-tests"


class Served:
    """The server of a folder on a free port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.page = f"{self.address}/?token={TOKEN}"

    def start(self) -> None:
        """Start to answer."""
        raise NotImplementedError

    def stop(self) -> None:
        """End."""
        raise NotImplementedError

    def get(self, path: str) -> Any:
        """The JSON of a path below /api."""
        return json.loads(self.bytes(path))

    def bytes(self, path: str) -> bytes:
        """What a path below /api answers."""
        request = urllib.request.Request(f"{self.address}/api/{path}", headers={"Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            content: bytes = answer.read()
        return content

    def video(self, name: str = "first.mp4") -> str:
        """The id of a video."""
        return str(next(video["id"] for video in self.get("library")["videos"] if video["name"] == name))

    def state(self, name: str = "first.mp4") -> dict[str, Any]:
        """A video as the list shows it."""
        return next(video for video in self.get("library")["videos"] if video["name"] == name)

    def segments(self, video: str, row: str = "correction") -> list[tuple[int, int, str]]:
        """Start frame, end frame and label of each segment of a row."""
        saved = self.get(f"videos/{video}")["rows"].get(row, {"segments": []})["segments"]
        return [(each["start_frame"], each["end_frame"], each["label"]) for each in saved]


class ServedHere(Served):
    """A server in a thread of this process, which is there in a moment."""

    def start(self) -> None:
        """Open the folder and answer."""
        from keyseg.studio.address import listening
        from keyseg.studio.app import create_app
        from keyseg.studio.http_server import StudioServer
        from keyseg.studio.store import Store

        self._store = Store(self.folder)
        app = create_app(self._store, token=TOKEN)
        self._end_streams = app.state.studio.events.close
        self._server = StudioServer(app)
        listener = listening("127.0.0.1", self.port)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]}, daemon=True)
        self._thread.start()
        eventually(lambda: self._server.started, "the studio's server does not start")

    def stop(self) -> None:
        """End it, and close the folder."""
        self._end_streams()
        self._server.should_exit = True
        self._thread.join()
        self._store.close()


class ServedStudio(Served):
    """`keyseg studio FOLDER`, as a person starts it."""

    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "keyseg", "studio", str(self.folder), "--without-browser"]
        self._process = subprocess.Popen([*command, "--port", str(self.port), "--token", TOKEN])
        eventually(self._answers, "the studio's server does not answer")

    def kill(self) -> None:
        """End it without warning, as a crash does."""
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
            self._process.wait()
            self._process = None

    stop = kill

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the studio ended with exit code {self._process.returncode}"
        try:
            with urllib.request.urlopen(f"{self.address}/health", timeout=1):
                return True
        except OSError:
            return False


def eventually(holds: Callable[[], Any], words: str, seconds: float = 60) -> None:
    """Wait until a condition holds; fail with these words if it does not."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, words
        time.sleep(0.05)
