"""Routes of files: annotations in, timelines out, and the report of a video."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi import Request as HttpRequest
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from keyseg.formats import FORMATS, format_named
from keyseg.studio import messages
from keyseg.studio.classes import spelling
from keyseg.studio.exchange import segments_of
from keyseg.studio.report_page import SANDBOX, report_page
from keyseg.studio.rows import CORRECTION, SavedRow, Video
from keyseg.studio.studio import Open, Studio
from keyseg.studio.timeline_files import archive, read_upload, video_named, written
from keyseg.timeline import Annotation, KeysegError, Overlap
from keyseg.viz.page import policy_of

router = APIRouter(prefix="/api", tags=["files"])

LARGEST_FILE = 64 * 2**20
"""Bytes of an upload of annotations."""

_MOST_FILES = 1000

Target = Literal["correction", "reference"]
Author = Annotated[messages.Person, Query()]


@router.post("/videos/{video}/import", max_body_size=LARGEST_FILE, response_model_exclude_none=True)
async def import_into_video(
    video: str,
    request: HttpRequest,
    studio: Open,
    row: Target = "correction",
    author: Author = "",
    name: Annotated[str, Query(max_length=300)] = "upload",
    overlap: Overlap = "error",
) -> messages.Imported:
    """Make a file, in the body or as the part `file` of a form, the timeline of a video. name: of one in the body."""
    (own, content), *more = await _uploads(request, name)
    if more:
        raise HTTPException(400, "one file at a time for one video; several go to /api/import")
    known = studio.video(video)

    def put() -> messages.Imported:
        found = read_upload(own, content, studio.store.private / "uploads", [known], overlap)
        fitting = [one for one, video_name in found if len(found) == 1 or _is_of(known, video_name)]
        if len(fitting) != 1:
            raise HTTPException(
                400, f"{own[:100]} holds {len(found)} timelines, {len(fitting)} of them of {known.path}"
            )
        saved = _save(studio, known, row, fitting[0], author, own)
        return messages.Imported(rows={known.id: messages.TimelineRow.of(saved)}, failures=[])

    return await run_in_threadpool(put)


@router.post("/import", max_body_size=LARGEST_FILE, response_model_exclude_none=True)
async def import_files(
    request: HttpRequest,
    studio: Open,
    row: Target = "correction",
    author: Author = "",
    name: Annotated[str, Query(max_length=300)] = "upload",
    overlap: Overlap = "error",
) -> messages.Imported:
    """Import files, each for the videos that it names or that are called like it; `failures` says what did not fit."""
    files = await _uploads(request, name)

    def put() -> messages.Imported:
        done = messages.Imported(rows={}, failures=[])
        videos = studio.store.videos()
        for own, content in files:
            try:
                found = read_upload(own, content, studio.store.private / "uploads", videos, overlap)
            except KeysegError as error:
                done.failures.append(messages.ErrorAnswer(error=str(error)))
                continue
            for annotation, video_name in found:
                try:
                    known = video_named(video_name, videos)
                    saved = _save(studio, known, row, annotation, author, own)
                    done.rows[known.id] = messages.TimelineRow.of(saved)
                except KeysegError as error:
                    done.failures.append(messages.ErrorAnswer(error=f"{own[:100]}: {error}"))
        return done

    return await run_in_threadpool(put)


@router.get("/videos/{video}/export", response_class=Response)
def export_video(
    video: str, studio: Open, format: Annotated[str, Query(max_length=50)], row: str = CORRECTION
) -> Response:
    """A timeline as a file of any format."""
    format_named(format)
    known = studio.video(video)
    content = written(known, _row(studio, known, row), format)
    return _download(content, f"{known.path.rpartition('/')[2].rpartition('.')[0]}{FORMATS[format].suffix}")


@router.get("/export", response_class=Response)
def export_all(studio: Open, format: Annotated[str, Query(max_length=50)]) -> Response:
    """All corrections, as a zip of one file per video."""
    format_named(format)
    rows = ((video, studio.store.row(video.id, CORRECTION)) for video in studio.store.videos())
    content = archive(((video, row) for video, row in rows if row.revision), format)
    return _download(content, f"{studio.store.folder.name}-{format}.zip")


@router.get("/videos/{video}/report", response_class=Response)
def report(video: str, studio: Open) -> Response:
    """A page with the timelines of a video and pictures of it."""
    known = studio.video(video)
    page = report_page(known, studio.store.rows(known.id), studio.file(video), studio.store.private / "reports")
    return Response(page, media_type="text/html", headers={"Content-Security-Policy": SANDBOX + policy_of(page)})


async def _uploads(request: HttpRequest, name: str) -> list[tuple[str, bytes]]:
    """Name and content of each file of a request."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        files = [(name, await request.body())]
    else:
        async with request.form(max_files=_MOST_FILES, max_fields=10) as form:
            parts = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
            files = [(part.filename or name, await part.read()) for part in parts]
    files = [(own, content) for own, content in files if content]
    if not files:
        raise HTTPException(400, "there is no file in this request; send it as the body, or as part of a form")
    return files


def _save(studio: Studio, video: Video, row: str, annotation: Annotation, author: str, file: str) -> SavedRow:
    segments = segments_of(annotation, video.frames, video.fps, spelling(studio.store))
    return studio.store.replace(video.id, row, segments, author=author, action=f"import of {file[:80]}")


def _row(studio: Studio, video: Video, name: str) -> SavedRow:
    row = studio.store.row(video.id, name)
    if not row.revision:
        raise HTTPException(404, f"{video.path} has no row {name[:100]!r}; label it, or copy a prediction")
    return row


def _is_of(video: Video, name: str) -> bool:
    try:
        return bool(video_named(name, [video]))
    except KeysegError:
        return False


def _download(content: bytes, name: str) -> Response:
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}
    return Response(content, media_type="application/octet-stream", headers=headers)
