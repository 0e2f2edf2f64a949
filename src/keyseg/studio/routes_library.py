"""Routes of the folder: its videos, its classes, its bundles, and what to label next."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, HTTPException

from keyseg.studio import messages
from keyseg.studio.bundles import activate_bundle, bundles
from keyseg.studio.classes import add_class, classes, recolour_class, rename_class
from keyseg.studio.library import library
from keyseg.studio.studio import Open

router = APIRouter(prefix="/api", tags=["library"])


@router.get("/library")
def show_library(studio: Open) -> messages.Library:
    """The folder: videos, classes, bundles. New and moved videos are looked for, and told as `library`."""
    studio.look_for_videos()
    priorities = {one["id"]: one["priority"] for one in studio.next_videos()}
    return messages.Library.model_validate(library(studio.store, priorities))


@router.get("/videos/{video}", response_model_exclude_none=True)
def show_video(video: str, studio: Open) -> messages.VideoWithRows:
    """A video with all its timelines."""
    known = next((one for one in library(studio.store)["videos"] if one["id"] == video), None)
    if known is None:
        raise HTTPException(404, f"no video {video[:100]!r} in this folder; load the page again")
    rows = {row.name: messages.TimelineRow.of(row) for row in studio.store.rows(video)}
    return messages.VideoWithRows.model_validate(known | {"rows": rows})


@router.post("/classes", status_code=201)
def new_class(request: messages.ClassRequest, studio: Open) -> messages.ClassOfLibrary:
    """Add a class."""
    made = add_class(studio.store, request.name, request.colour)
    studio.events.publish("library", {})
    return messages.ClassOfLibrary.model_validate(made)


@router.patch("/classes/{name:path}")
def change_class(name: str, request: messages.ClassChange, studio: Open) -> messages.ClassOfLibrary:
    """Give a class another name, in all timelines as one edit of each, or another colour."""
    if request.colour is not None:
        recolour_class(studio.store, name, request.colour)
    if request.name is not None and request.name != name:
        rename_class(studio.store, name, request.name, author=request.author)
        name = request.name
    studio.events.publish("library", {})
    found = (one for one in classes(studio.store) if one["name"] == name)
    return messages.ClassOfLibrary.model_validate(next(found))


@router.post("/bundles", status_code=201)
def new_bundle(request: messages.BundleRequest, studio: Open) -> messages.BundleOfLibrary:
    """Add a bundle by the path of its folder on this machine."""
    try:
        path = Path(request.path).expanduser().resolve()
        if not studio.local and not path.is_relative_to(studio.store.folder):
            raise HTTPException(
                403, "this server is open to other machines, so a bundle must be in the folder of the videos"
            )
        path.exists()
    except (OSError, RuntimeError, ValueError) as error:  # too long, a home of nobody, a zero byte
        raise HTTPException(400, f"no bundle has the path {request.path[:100]!r}; name its folder") from error
    return _bundle(studio, studio.add_bundle(path))


@router.post("/bundles/{name:path}/activate")
def use_bundle(name: str, studio: Open) -> messages.BundleOfLibrary:
    """Let a bundle predict from now on."""
    activate_bundle(studio.store, name)
    studio.events.publish("library", {})
    return _bundle(studio, name)


@router.get("/next")
def next_videos(studio: Open) -> list[messages.NextVideo]:
    """The videos that are not corrected, the one to label next first."""
    return [messages.NextVideo.model_validate(one) for one in studio.next_videos()]


def _bundle(studio: Open, name: str) -> messages.BundleOfLibrary:
    found = next(one for one in bundles(studio.store) if one["name"] == name)
    return messages.BundleOfLibrary.model_validate(found)
