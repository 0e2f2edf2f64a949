"""`keyseg studio`: how the server of a folder starts."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from keyseg.studio.address import in_address, listening, secret_for
from keyseg.timeline import DataError
from keyseg.timeline.extras import extra


def studio(
    folder: Path | str = Path(),
    *,
    bundle: Path | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    token: str | None = None,
    without_browser: bool = False,
    report: Callable[[str], None] = lambda address: None,
) -> None:
    """Open a folder of videos in the browser: watch, correct, retrain.

    The videos stay as they are. All work is saved in FOLDER/.keyseg, and corrected timelines also as tables in
    FOLDER/annotations. Stop the studio with Ctrl-C; the same command continues where you left off.

    Args:
        folder: Folder of the videos. Default: the current folder.
        bundle: Trained bundle that predicts the videos, or a run folder that holds one. Default: the one used last.
        host: Address to listen on. The default is open to this machine only; any other, such as 0.0.0.0, needs --token.
        port: Port to listen on. Default: the first free one from 8765.
        token: Secret in the address of the page, at least 16 characters long. Default: a new random one at each start.
        without_browser: Print the address of the page without opening it in the browser.
    """
    place, secret = Path(folder), secret_for(host, token)
    if not place.is_dir():
        raise DataError(f"{folder}: no such folder; name a folder of videos")
    with extra("studio", "the studio"):
        import python_multipart  # noqa: F401

        from keyseg.studio.app import create_app
        from keyseg.studio.http_server import StudioServer
    from keyseg.studio.store import Store

    with closing(listening(host, port)) as listener, closing(Store(place)) as store:
        app = create_app(store, token=secret, bundle=bundle, host=host)
        page = f"http://{in_address(host)}:{listener.getsockname()[1]}/?token={quote(secret, safe='')}"
        report(page)
        if not without_browser:
            webbrowser.open(page)
        StudioServer(app, app.state.studio.events.close).run(sockets=[listener])
