"""Routes of the folder: its videos, classes and bundles."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException

from keyseg.formats import FORMATS
from keyseg.studio import messages, stand_in
from keyseg.studio.store import SavedRow
from keyseg.studio.studio import Open
from keyseg.timeline.version import __version__

router = APIRouter(prefix="/api", tags=["library"])


@router.get("/library")
def library(studio: Open) -> messages.Library:
    """The folder: videos, classes, bundles."""
    store = studio.store
    stand_in.scan(store)
    return messages.Library.model_validate(
        {
            "folder": store.folder.name,
            "version": __version__,
            "classes": [dict(c) for c in store.select("SELECT name, colour FROM classes ORDER BY position")],
            "videos": stand_in.videos(store),
            "bundles": stand_in.bundles(store),
            "formats": list(FORMATS),
            "authors": [a["author"] for a in store.select("SELECT DISTINCT author FROM edits ORDER BY author")],
        }
    )


@router.get("/videos/{video}", response_model_exclude_none=True)
def one_video(video: str, studio: Open) -> messages.Video:
    """A video with all its timelines."""
    known = next((v for v in stand_in.videos(studio.store) if v["id"] == video), None)
    if known is None:
        raise HTTPException(404, f"no video {video[:100]!r} in this folder; load the page again")
    rows = {name: answer(studio.store.row(video, name)) for name in known["rows"]}
    return messages.Video.model_validate(known | {"rows": rows})


@router.post("/classes", status_code=201)
def add_class(request: messages.ClassRequest, studio: Open) -> messages.ClassOfLibrary:
    """Add a class."""
    with studio.store.transaction() as connection:
        position = len(studio.store.select("SELECT 1 FROM classes"))
        connection.execute("INSERT OR REPLACE INTO classes VALUES (?, ?, ?)", (request.name, request.colour, position))
    studio.events.publish("library", {})
    return messages.ClassOfLibrary(name=request.name, colour=request.colour)


def answer(row: SavedRow) -> Any:
    """A row as JSON shows it."""
    return messages.Row(revision=row.revision, segments=row.segments, details=row.details)
