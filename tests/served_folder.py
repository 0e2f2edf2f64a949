"""A folder of videos that the studio's application serves, for tests that speak HTTP."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from keyseg.studio.app import create_app
from keyseg.studio.store import Store

TOKEN = "correct-horse-battery"
ADDRESS = "http://127.0.0.1:8765"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
FILM = bytes(range(256)) * 40
"""Content of the file film.mp4, which is no video: what only passes it on does not mind."""


def add_video(
    store: Store, path: str, content: bytes | None = FILM, *, frames: int = 100, playable: bool = True
) -> str:
    """Put a file there and into the table of videos, as a scan would; its id. content: None for no file."""
    file = store.folder / path
    size = modified = 0
    if content is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        size, modified = file.stat().st_size, file.stat().st_mtime_ns
    digest = _digest(path)
    with store.transaction() as connection:
        connection.execute(
            "INSERT INTO videos(id, path, digest, size, modified, frames, fps, playable, missing)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (digest[:12], path, digest, size, modified, frames, "10", playable, content is None),
        )
    return digest[:12]


def _digest(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()


def let_scan_end() -> None:
    """Wait until nobody looks for videos, so that a test can add some of its own."""
    for thread in threading.enumerate():
        if thread.name == "scan":
            thread.join()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty folder."""
    (tmp_path / "films").mkdir()
    opened = Store(tmp_path / "films")
    yield opened
    opened.close()


@pytest.fixture
def anyone(store: Store) -> Iterator[TestClient]:
    """A client that shows no token, of the folder with film.mp4."""
    add_video(store, "film.mp4")
    app = create_app(store, token=TOKEN)
    with TestClient(app, base_url=ADDRESS, raise_server_exceptions=False, follow_redirects=False) as client:
        let_scan_end()
        yield client


@pytest.fixture
def client(anyone: TestClient) -> TestClient:
    """A client that shows the token."""
    anyone.headers.update(BEARER)
    return anyone


@pytest.fixture
def film(client: TestClient) -> str:
    """The address of film.mp4."""
    return f"/api/videos/{_digest('film.mp4')[:12]}"


def insertion(start: int, end: int, label: str, *, revision: int = 0, at: int = 0) -> dict[str, object]:
    """The request of an edit that inserts one segment."""
    segment = {"start_frame": start, "end_frame": end, "label": label}
    splice = {"at": at, "removed": [], "inserted": [segment]}
    return {"revision": revision, "splice": splice, "action": "insert", "author": "Ada"}
