"""The server of an application, which stops at once with all that is open."""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

_LAST_SECONDS = 1  # for answers that are under way at the end


class StudioServer(uvicorn.Server):
    """A server of one application, without words of its own, that SIGINT or SIGTERM ends.

    ending: called first then, to end the streams that are open, since the server waits for them.
    """

    def __init__(self, app: FastAPI, ending: Callable[[], None] = lambda: None) -> None:
        self._ending = ending
        super().__init__(
            uvicorn.Config(
                app,
                log_level="error",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws="none",
                timeout_graceful_shutdown=_LAST_SECONDS,
            )
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End, at once if told twice; `run` returns then, so that its caller can close what is open."""
        self._ending()
        self.force_exit = self.should_exit
        self.should_exit = True
