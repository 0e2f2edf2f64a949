"""The studio's server as a FastAPI application: its page, its routes, its errors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any

from fastapi import FastAPI, HTTPException
from fastapi import Request as HttpRequest
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import Lifespan

from keyseg.studio import messages, routes_files, routes_jobs, routes_library, routes_media, routes_rows
from keyseg.studio.address import LOOPBACK
from keyseg.studio.rows import Conflict
from keyseg.studio.security import HEADERS, Guard
from keyseg.studio.store import Store
from keyseg.studio.studio import Open, Studio
from keyseg.timeline import KeysegError
from keyseg.timeline.version import __version__

_LARGEST_BODY = 16 * 2**20
_PAGE_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def create_app(store: Store, *, token: str, bundle: Path | None = None, host: str = "127.0.0.1") -> FastAPI:
    """The application for an open folder.

    token: what clients show. bundle: to predict with. host: the address that it listens on. What is under way ends
    with the application's lifespan. Raises BundleError if there is no such bundle.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        studio.look_for_videos()
        yield
        await run_in_threadpool(studio.close)

    app = guarded("keyseg studio", lifespan, token=token, host=host, most_bytes=_LARGEST_BODY)
    studio = app.state.studio = Studio.open(store, local=host in LOOPBACK)
    if bundle is not None:
        studio.add_bundle(bundle, active=True)
    for module in (routes_library, routes_rows, routes_media, routes_files, routes_jobs):
        app.include_router(module.router)
    _add_page(app)
    return app


def guarded(title: str, lifespan: Lifespan[FastAPI], *, token: str, host: str, most_bytes: int) -> FastAPI:
    """An application without routes of its own: it answers who shows the token, and `/health` without it.

    Errors are answered as `{"error": what, where, what to do}`, with a fitting status. most_bytes: of a body.
    """
    app = FastAPI(
        title=title,
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        max_body_size=most_bytes,
    )
    app.add_middleware(Guard, token=token, host=host)
    app.add_api_route("/health", health)
    app.add_exception_handler(Exception, _failed)
    app.add_exception_handler(StarletteHTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _misread)
    app.add_exception_handler(KeysegError, _reported)
    app.add_exception_handler(Conflict, _conflicting)
    return app


def _add_page(app: FastAPI) -> None:
    """The routes of the page's files and of its events."""
    app.add_api_route("/api/events", events, response_class=EventSourceResponse)
    app.add_api_route("/", page, include_in_schema=False)
    app.add_api_route("/page/{name}", page_file, include_in_schema=False)


def health() -> messages.Health:
    """Whether the server runs; without a token."""
    return messages.Health(version=__version__)


async def events(studio: Open) -> AsyncIterator[ServerSentEvent]:
    """What happens from now on: `saved {video, row, revision, author}`, `job {...}`, `library {}`."""
    async for event in studio.events.stream():
        yield event


def page() -> Response:
    """The page."""
    return page_file("index.html")


def page_file(name: str) -> Response:
    """A file of the page."""
    files = {file.name: file for file in resources.files("keyseg.studio").joinpath("page").iterdir() if file.is_file()}
    kind = _PAGE_TYPES.get(PurePosixPath(name).suffix)
    if name not in files or kind is None:
        raise HTTPException(404, f"the page has no file {name[:100]!r}")
    return Response(files[name].read_bytes(), media_type=kind)


def _refused(request: HttpRequest, error: Any) -> Response:
    return _answer(request, error.detail, error.status_code, error.headers)


def _misread(request: HttpRequest, error: Any) -> Response:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return _answer(request, f"{where[:200]}: {first['msg'][:500]}", 422)


def _reported(request: HttpRequest, error: Exception) -> Response:
    return _answer(request, str(error), 400)


def _conflicting(request: HttpRequest, error: Any) -> Response:
    row = messages.TimelineRow.of(error.row).model_dump(mode="json", exclude_none=True)
    return JSONResponse({"error": str(error), "author": error.author, "row": row}, 409)


def _failed(request: HttpRequest, error: Exception) -> Response:
    text = "a mistake in keyseg, which the terminal of keyseg studio shows; please report it"
    return _answer(request, text, 500, HEADERS)  # no middleware adds them here


def _answer(request: HttpRequest, text: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    studio: Studio = request.app.state.studio
    return JSONResponse({"error": studio.shown(text)}, status, headers)
