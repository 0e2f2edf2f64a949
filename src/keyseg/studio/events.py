"""News for the open pages: published by any thread, delivered as server-sent events."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

from fastapi.sse import ServerSentEvent

_WAITING = 1000


class _Page:
    """One open stream. None in its queue ends it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.queue: asyncio.Queue[ServerSentEvent | None] = asyncio.Queue()

    def send(self, event: ServerSentEvent | None) -> None:
        self._loop.call_soon_threadsafe(self._put, event)

    def _put(self, event: ServerSentEvent | None) -> None:
        if self.queue.qsize() >= _WAITING:  # nobody reads: the page asks for everything when it connects again
            event = None
        self.queue.put_nowait(event)


class Events:
    """What happens in the studio, for every page that listens.

    >>> Events().publish("library", {})  # nobody listens
    """

    def __init__(self) -> None:
        self._pages: set[_Page] = set()
        self._lock = threading.Lock()
        self._closed = False

    def publish(self, kind: str, data: dict[str, Any]) -> None:
        """Tell all pages. kind: `saved`, `job` or `library`. Any thread may call it."""
        self._send(ServerSentEvent(event=kind, data=data))

    def close(self) -> None:
        """End all streams, so that the server can stop."""
        self._closed = True
        self._send(None)

    async def stream(self) -> AsyncIterator[ServerSentEvent]:
        """What happens from now on, until `close`; first that the list may be another than the page has loaded."""
        page = _Page()
        with self._lock:
            self._pages.add(page)
        try:
            yield ServerSentEvent(event="library", data={}, retry=1000)
            while not self._closed and (event := await page.queue.get()) is not None:
                yield event
        finally:
            with self._lock:
                self._pages.discard(page)

    def _send(self, event: ServerSentEvent | None) -> None:
        with self._lock:
            for page in self._pages:
                page.send(event)
