"""What the routes share: the store, the open pages, and finding a video without leaving the folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, HTTPException
from fastapi import Request as HttpRequest

from keyseg.studio.events import Events
from keyseg.studio.store import SavedRow, Store


@dataclass(frozen=True)
class Studio:
    """An open folder and the pages that show it."""

    store: Store
    events: Events

    def path(self, video: str) -> Path:
        """The file of a video. Answers 404 if there is none, or if a link leads out of the folder."""
        rows = self.store.select("SELECT path FROM videos WHERE id = ?", video)
        if not rows:
            raise HTTPException(404, f"no video {video[:100]!r} in this folder; load the page again")
        path = (self.store.folder / rows[0]["path"]).resolve()
        if not path.is_relative_to(self.store.folder):
            raise HTTPException(404, f"{rows[0]['path']}: this link leads out of the folder; copy the video into it")
        if not path.is_file():
            raise HTTPException(404, f"{rows[0]['path']}: the file is missing; put it back, or load the page again")
        return path

    def saved(self, row: SavedRow, author: str) -> None:
        """Tell all pages that a row was saved."""
        news = {"video": row.video, "row": row.name, "revision": row.revision, "author": author}
        self.events.publish("saved", news)


def _studio(request: HttpRequest) -> Studio:
    studio: Studio = request.app.state.studio
    return studio


Open = Annotated[Studio, Depends(_studio)]
