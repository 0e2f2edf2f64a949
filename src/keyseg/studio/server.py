"""Starting the studio's server, saying where it is, and stopping it at once."""

from __future__ import annotations

import secrets
import socket
import webbrowser
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import FrameType

from keyseg.studio.security import LEAST_TOKEN, LOOPBACK
from keyseg.timeline import ConfigError, DataError
from keyseg.timeline.extras import extra

_FIRST_PORT = 8765
_PORTS_TRIED = 50


def studio(
    folder: Path | str = Path(),
    *,
    bundle: Path | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    token: str | None = None,
    open: bool = True,
    report: Callable[[str], None] = lambda line: None,
) -> None:
    """Open a folder of videos in the browser: watch, correct, retrain.

    Everything is kept in FOLDER/.keyseg, and corrected timelines also as plain files. Stop it with Ctrl-C.

    Args:
        folder: Folder of the videos. Default: the current folder.
        bundle: Bundle that predicts.
        host: Address to listen on. Another than this machine's own, such as 0.0.0.0, needs --token.
        port: Port to listen on. Default: the first free one from 8765.
        token: Secret that clients show, of at least 16 characters. Default: a random one at each start.
        open: Open the page in the browser.
    """
    secret = secret_for(host, token)
    if not Path(folder).is_dir():
        raise DataError(f"{folder}: no such folder; name a folder of videos")
    with extra("studio", "the studio"):
        import fastapi  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn

        from keyseg.studio.app import create_app
    from keyseg.studio.store import Store

    with closing(listening(host, port)) as listener, closing(Store(Path(folder))) as store:
        app = create_app(store, token=secret, bundle=bundle, host=host)
        config = uvicorn.Config(
            app,
            log_level="error",
            access_log=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=1,
            proxy_headers=False,
        )

        class Server(uvicorn.Server):
            def handle_exit(self, sig: int, frame: FrameType | None) -> None:
                app.state.studio.events.close()  # the open streams would hold it
                super().handle_exit(sig, frame)

        address = f"http://{in_address(host)}:{listener.getsockname()[1]}/?token={secret}"
        report(address)
        if open:
            webbrowser.open(address)
        Server(config).run(sockets=[listener])


def secret_for(host: str, token: str | None) -> str:
    """The token of a server on an address, a random one where none is given. Raises ConfigError if it must be."""
    if host not in LOOPBACK and token is None:
        raise ConfigError(f"--host {host} lets other machines in; choose a secret for them with --token")
    if token is not None and len(token) < LEAST_TOKEN:
        raise ConfigError(f"--token must have at least {LEAST_TOKEN} characters, got {len(token)}")
    if token is not None and not (token.isascii() and token.isprintable()):
        raise ConfigError("--token may have letters, digits and signs of ASCII only")
    return token or secrets.token_urlsafe(24)


def in_address(host: str) -> str:
    """A host as an address names it."""
    shown = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    return f"[{shown}]" if ":" in shown else shown


def listening(host: str, port: int | None) -> socket.socket:
    """A socket on a port, or on the first free one. Raises ConfigError if there is none."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    ports = [port] if port is not None else [*range(_FIRST_PORT, _FIRST_PORT + _PORTS_TRIED), 0]
    for number in ports:
        try:
            return socket.create_server((host, number), family=family, backlog=128)
        except OSError as error:
            reason = error
    raise ConfigError(f"cannot listen on {host}, port {ports[-1]} ({reason.strerror}); choose another --port")
