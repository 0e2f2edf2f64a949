"""The server of an application, which stops at once with all that is open."""

from __future__ import annotations

from types import FrameType

import uvicorn
from fastapi import FastAPI

_LAST_SECONDS = 1  # for answers that are under way at the end


class StudioServer(uvicorn.Server):
    """A server of one application, without words of its own; SIGINT or SIGTERM ends it, with all open streams."""

    def __init__(self, app: FastAPI) -> None:
        self._events = app.state.studio.events
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
        """End; the streams first, since the server waits for what is open."""
        self._events.close()
        super().handle_exit(sig, frame)
