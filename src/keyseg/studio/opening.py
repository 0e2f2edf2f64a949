"""`keyseg studio`: open a folder of videos in the browser."""

from __future__ import annotations

import secrets
import webbrowser
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from keyseg.timeline import ConfigError, DataError
from keyseg.timeline.extras import extra

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Names of this machine that no other can use."""

_LEAST_TOKEN = 16  # characters


def studio(
    folder: Path | str = Path(),
    *,
    bundle: Path | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    token: str | None = None,
    open: bool = True,
    report: Callable[[str], None] = lambda address: None,
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
    place = Path(folder)
    _check(place, host, token)
    with extra("studio", "the studio"):
        import python_multipart  # noqa: F401

        from keyseg.studio.app import create_app
        from keyseg.studio.server import StudioServer, address, listening
    from keyseg.studio.store import Store

    secret = token or secrets.token_urlsafe(24)
    with closing(listening(host, port)) as listener, closing(Store(place)) as store:
        app = create_app(store, token=secret, bundle=bundle, host=host)
        page = address(listener, host, quote(secret, safe=""))
        report(page)
        if open:
            webbrowser.open(page)
        StudioServer(app).run(sockets=[listener])


def _check(folder: Path, host: str, token: str | None) -> None:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; name a folder of videos")
    if host not in LOOPBACK and token is None:
        raise ConfigError(f"--host {host} lets other machines in; choose a secret that they must show, with --token")
    if token is not None and len(token) < _LEAST_TOKEN:
        raise ConfigError(f"--token must have at least {_LEAST_TOKEN} characters, got {len(token)}")
    if token is not None and not (token.isascii() and token.isprintable()):
        raise ConfigError("--token may have ASCII letters, digits and signs only")
