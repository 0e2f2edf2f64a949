"""Routes of one timeline: edits, history, the start of a correction, and the mark that it is checked."""

from __future__ import annotations

import json
from typing import Literal

from fastapi import APIRouter

from keyseg.studio import messages
from keyseg.studio.routes_library import answer
from keyseg.studio.store import CORRECTION, Conflict
from keyseg.studio.studio import Open

router = APIRouter(prefix="/api/videos/{video}", tags=["timelines"])

Editable = Literal["correction", "reference"]


@router.post("/rows/{row}/edits", responses={409: {"model": messages.ConflictProblem}})
def edit(video: str, row: Editable, request: messages.EditRequest, studio: Open) -> messages.Revision:
    """Save an edit. 409 with the row as it is now if somebody else has saved it in the meantime."""
    saved = studio.store.edit(
        video, row, request.revision, request.splice, author=request.author, action=request.action
    )
    studio.saved(saved, request.author)
    return messages.Revision(revision=saved.revision)


@router.get("/rows/{row}/history", response_model_exclude_none=True)
def history(video: str, row: str, studio: Open) -> list[messages.Edit]:
    """All edits of a row, the oldest first."""
    return [
        messages.Edit.model_validate({**edit, "splice": json.loads(edit["splice"])})
        for edit in map(dict, studio.store.history(video, row))
    ]


@router.post("/rows/correction/copy", response_model_exclude_none=True)
def copy(video: str, request: messages.CopyRequest, studio: Open) -> messages.Row:
    """Begin the correction as a copy of a prediction or a proposal."""
    current = studio.store.row(video, CORRECTION)
    if current.revision != request.revision:
        raise Conflict(current, "somebody else")
    source = studio.store.row(video, request.source)
    segments = [segment.model_copy(update={"confidence": None}) for segment in source.segments]
    saved = studio.store.replace(video, CORRECTION, segments, author=request.author, action=f"copy {request.source}")
    studio.saved(saved, request.author)
    return messages.Row(**vars(answer(saved)))


@router.post("/checked")
def checked(video: str, request: messages.CheckedRequest, studio: Open) -> messages.CheckedRequest:
    """Mark the correction as checked by a person, or take that back."""
    studio.store.frames(video)
    with studio.store.transaction() as connection:
        connection.execute("UPDATE videos SET checked = ? WHERE id = ?", (request.checked, video))
    studio.events.publish("library", {})
    return request
