"""Routes of what a page plays and shows: the video itself, pictures of it, and the shape of its sound."""

from __future__ import annotations

from fractions import Fraction

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import FileResponse

from keyseg.studio.media import frame, media_type, thumbnail
from keyseg.studio.studio import Open

router = APIRouter(prefix="/api/videos/{video}", tags=["media"])

_DECODERS = CapacityLimiter(2)


@router.api_route("/media", methods=["GET", "HEAD"], response_class=FileResponse)
def media(video: str, studio: Open) -> FileResponse:
    """The video, or its proxy where browsers cannot play it; with ranges."""
    path = studio.path(video)
    return FileResponse(path, headers={"Cache-Control": "no-cache"}, media_type=media_type(path))


@router.get("/thumbnail")
async def thumbnail_route(video: str, studio: Open) -> Response:
    """A small picture of the video, as JPEG."""
    path = studio.path(video)
    kept = studio.store.private / "thumbnails" / f"{video}.jpg"
    seconds = _seconds(studio, video) / 10
    picture = await to_thread.run_sync(thumbnail, path, kept, seconds, limiter=_DECODERS)
    return Response(picture, media_type="image/jpeg", headers={"Cache-Control": "no-cache"})


@router.get("/frame")
async def frame_route(video: str, studio: Open, frame_number: int = Query(alias="frame", ge=0)) -> Response:
    """One frame of the video, as JPEG."""
    frames, fps = studio.store.frames(video), _fps(studio, video)
    if frame_number >= frames:
        raise HTTPException(404, f"frame {frame_number} is past the end of the video, which has {frames} frames")
    path = studio.path(video)
    modified = path.stat().st_mtime_ns
    picture = await to_thread.run_sync(frame, path, modified, float(frame_number / fps), limiter=_DECODERS)
    return Response(picture, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})


def _fps(studio: Open, video: str) -> Fraction:
    return Fraction(studio.store.select("SELECT fps FROM videos WHERE id = ?", video)[0]["fps"])


def _seconds(studio: Open, video: str) -> float:
    return float(studio.store.frames(video) / _fps(studio, video))
