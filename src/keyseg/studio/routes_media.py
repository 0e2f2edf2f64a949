"""Routes of what a page plays and shows: the video itself, pictures of it, and the shape of its sound."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, JSONResponse

from keyseg.studio import messages
from keyseg.studio.media import frame_picture, media_type, thumbnail
from keyseg.studio.studio import Open

router = APIRouter(prefix="/api/videos/{video}", tags=["media"])

_REVALIDATED = {"Cache-Control": "no-cache"}
_KEPT = {"Cache-Control": "private, max-age=3600"}
_AT = 0.1  # of a video, where its thumbnail is taken


@router.head("/media", include_in_schema=False)
@router.get("/media", response_class=FileResponse)
def media(video: str, studio: Open) -> FileResponse:
    """The video, or the proxy of one that browsers do not play; with ranges."""
    path = studio.file(video)
    if not studio.video(video).playable:
        path = studio.store.private / "proxies" / f"{studio.video(video).id}.mp4"
        if not path.is_file():
            raise HTTPException(404, "browsers do not play this video; start a job of the kind proxy")
    return FileResponse(path, headers=_REVALIDATED, media_type=media_type(path))


@router.get("/thumbnail", response_class=Response)
async def video_thumbnail(video: str, studio: Open) -> Response:
    """A small picture of the video, as JPEG."""
    path = await run_in_threadpool(studio.file, video)
    kept = await run_in_threadpool(studio.kept, "thumbnails", video, ".jpg")
    known = studio.video(video)
    seconds = float(int(known.frames * _AT) / (known.fps or Fraction(1)))
    picture = await to_thread.run_sync(thumbnail, path, kept, seconds, limiter=studio.decoders)
    return Response(picture, media_type="image/jpeg", headers=_KEPT)


@router.get("/frame", response_class=Response)
async def video_frame(video: str, studio: Open, frame: Annotated[int, Query(ge=0)]) -> Response:
    """One frame of the video, as JPEG."""
    path = await run_in_threadpool(studio.file, video)
    known = studio.video(video)
    if frame >= known.frames or known.fps is None:
        raise HTTPException(404, f"no frame {frame}: {known.path} has {known.frames} frames")
    seconds, modified = float(frame / known.fps), path.stat().st_mtime_ns
    picture = await to_thread.run_sync(frame_picture, path, modified, seconds, limiter=studio.decoders)
    return Response(picture, media_type="image/jpeg", headers=_KEPT)


@router.get("/waveform", response_model=messages.Waveform, responses={202: {"description": "it is being measured"}})
def waveform(video: str, studio: Open) -> Response:
    """The shape of the sound; 202 while it is measured."""
    path = studio.file(video)
    found = studio.waveforms.get(path, studio.kept("waveforms", video, ".json"))
    return JSONResponse({"seconds": 0.0, "peaks": []}, 202) if found is None else JSONResponse(found)
