"""The studio's server: where it listens, how it says so, and how it stops at once."""

from __future__ import annotations

import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI

from keyseg.timeline import ConfigError

FIRST_PORT = 8765
_PORTS_TRIED = 50
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


def listening(host: str, port: int | None) -> socket.socket:
    """A socket that listens on a port, 0 for any; None: on the first free one from 8765.

    Raises ConfigError if there is none, or no such host.

    >>> listening("127.0.0.1", 0).close()
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    ports = [port] if port is not None else [*range(FIRST_PORT, FIRST_PORT + _PORTS_TRIED), 0]
    for number in ports:
        try:
            return socket.create_server((host, number), family=family, backlog=128)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            if isinstance(error, socket.gaierror):
                break
    place = f"port {port} of {host}" if port is not None else host
    raise ConfigError(f"cannot listen on {place} ({reason}); choose another --port or --host, or leave them out")


def address(listener: socket.socket, host: str, token: str) -> str:
    """The address of the page for a browser."""
    name = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    shown = f"[{name}]" if ":" in name else name
    return f"http://{shown}:{listener.getsockname()[1]}/?token={token}"
