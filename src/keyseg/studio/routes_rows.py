"""Routes of one timeline: edits, history, the start of a correction, and the mark that it is checked."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path

from keyseg.studio import messages
from keyseg.studio.studio import Open

router = APIRouter(prefix="/api/videos/{video}", tags=["timelines"])

Editable = Literal["correction", "reference"]
RowName = Annotated[str, Path(max_length=300)]

_CONFLICT: dict[int | str, dict[str, Any]] = {409: {"model": messages.ConflictAnswer}}


@router.post("/rows/{row}/edits", responses=_CONFLICT)
def edit_row(video: str, row: Editable, request: messages.EditRequest, studio: Open) -> messages.Revision:
    """Save an edit. 409, with the row as it is now, if somebody else has saved it in the meantime."""
    known = studio.video(video)
    saved = studio.store.edit(
        known.id, row, request.revision, request.splice, author=request.author, action=request.action
    )
    return messages.Revision(revision=saved.revision)


@router.get("/rows/{row}/history", response_model_exclude_none=True)
def row_history(video: str, row: RowName, studio: Open) -> list[messages.PastEdit]:
    """All edits of a row, the oldest first."""
    edits = studio.store.history(studio.video(video).id, row)
    return [messages.PastEdit.model_validate({**one, "splice": json.loads(one["splice"])}) for one in map(dict, edits)]


@router.post("/rows/correction/copy", response_model_exclude_none=True, responses=_CONFLICT)
def copy_row(video: str, request: messages.CopyRequest, studio: Open) -> messages.TimelineRow:
    """Begin the correction as a copy of a prediction or a proposal."""
    known = studio.video(video)
    row = studio.store.copy(known.id, request.source, revision=request.revision, author=request.author)
    return messages.TimelineRow.of(row)


@router.post("/checked")
def mark_checked(video: str, request: messages.CheckedRequest, studio: Open) -> messages.CheckedRequest:
    """Mark the correction as checked by a person, or take that back."""
    studio.store.check(studio.video(video).id, request.checked, author=request.author)
    return request
