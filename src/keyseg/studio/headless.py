"""The headless server as a FastAPI application: videos in, timelines out."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query
from fastapi import Request as HttpRequest
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import UploadFile

from keyseg.data.input_names import input_name
from keyseg.data.layout import BACKGROUND
from keyseg.formats import FORMATS, WriteSettings, annotations_text, format_named
from keyseg.formats.text import VIDEO_SUFFIXES
from keyseg.studio import messages, routes_jobs
from keyseg.studio.app import guarded
from keyseg.studio.job_queue import ALIVE, Busy, JobQueue
from keyseg.studio.store import Store
from keyseg.timeline import Annotation, Interval
from keyseg.timeline.files import whole_file

_LONGEST_WAIT = 600.0  # seconds of one request
_LOOK_SECONDS = 0.1  # between two looks at a job
_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "string", "format": "binary"}},
            }
        },
        "application/json": {
            "schema": {"type": "object", "required": ["path"], "properties": {"path": {"type": "string"}}}
        },
    },
}
_Format = Annotated[str, Query(description=f"format of the timeline: {', '.join(FORMATS)}")]
_Wait = Annotated[float, Query(ge=0, le=_LONGEST_WAIT, description="seconds to wait for the timeline")]


@dataclass(frozen=True)
class Headless:
    """What the routes share. folder: whose videos clients may name, if any. uploads: where theirs are, until their job
    has ended."""

    bundle: Path
    folder: Path | None
    uploads: Path
    jobs: JobQueue

    def shown(self, text: str) -> str:
        """A message without places on this machine."""
        for place in (self.uploads, self.folder, self.bundle.parent):
            text = text if place is None else text.replace(f"{place}{os.sep}", "")
        return text

    def shown_job(self, job: dict[str, Any]) -> dict[str, Any]:
        """A job with its message as `shown`."""
        return job | {"message": self.shown(job["message"])}

    def file(self, path: str) -> Path:
        """A video of the folder. Answers 400 if there is no folder, 404 if the video is not in it."""
        if self.folder is None:
            raise HTTPException(400, "this server has no folder; upload the video, or start it with --folder")
        file = (self.folder / path).resolve() if "\0" not in path else self.folder
        if not file.is_relative_to(self.folder) or not file.is_file():
            raise HTTPException(404, f"{path[:200]}: no such file below the server's folder")
        return file


def create_headless(
    store: Store,
    bundle: Path,
    *,
    token: str,
    folder: Path | None = None,
    host: str = "127.0.0.1",
    most_bytes: int = 2**32,
    most_queued: int = 20,
    most_seconds: float = 3600.0,
) -> FastAPI:
    """The application of a bundle. store: in a folder for the state and for uploads. token: what clients show.

    Raises BundleError if there is no bundle.
    """
    from keyseg.inference.bundle import find_bundle, read_config

    place = find_bundle(bundle).resolve()
    read_config(place)
    uploads = store.private / "uploads"
    shutil.rmtree(uploads, ignore_errors=True)
    uploads.mkdir()

    def ended(event: str, data: dict[str, Any]) -> None:
        if event == "job" and data["state"] not in ALIVE:
            for row in store.select("SELECT request FROM jobs WHERE id = ?", data["id"]):
                _forget(uploads, json.loads(row["request"])["file"])

    jobs = JobQueue(
        store,
        ended,
        kinds={"predict": "keyseg.studio.serving"},
        most_queued=most_queued,
        most_seconds=most_seconds,
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(jobs.close)

    app = guarded("keyseg serve", lifespan, token=token, host=host, most_bytes=most_bytes)
    app.state.studio = Headless(place, None if folder is None else folder.resolve(), uploads, jobs)
    app.add_api_route("/api/predict", predict, methods=["POST"], openapi_extra={"requestBody": _BODY})
    app.add_api_route("/api/jobs/{job}/timeline", timeline)
    for route in routes_jobs.router.routes:
        if "POST" not in getattr(route, "methods", ()):
            app.router.routes.append(route)
    return app


def _headless(request: HttpRequest) -> Headless:
    headless: Headless = request.app.state.studio
    return headless


Open = Annotated[Headless, Depends(_headless)]


async def predict(request: HttpRequest, headless: Open, format: _Format = "json", wait: _Wait = 60.0) -> Response:
    """Predict one video: an upload, or the path of one below the folder that is served.

    Answers with its timeline or, if that is not there after `wait` seconds, with status 202 and the job; its timeline
    is then at /api/jobs/ID/timeline.
    """
    format_named(format)
    asked = await _asked(request, headless)
    try:
        job = await run_in_threadpool(headless.jobs.submit, "predict", asked | {"bundle": str(headless.bundle)})
    except BaseException as error:
        _forget(headless.uploads, asked["file"])
        if isinstance(error, Busy):
            raise HTTPException(429, str(error)) from error
        raise
    end = time.monotonic() + wait
    while job["state"] in ALIVE and time.monotonic() < end:
        await asyncio.sleep(_LOOK_SECONDS)
        job = headless.jobs.get(job["id"])
    if job["state"] in ALIVE:
        state = messages.JobState.model_validate(headless.shown_job(job)).model_dump(mode="json")
        return JSONResponse(state, 202, {"Location": f"/api/jobs/{job['id']}"})
    return _timeline(headless, job, format)


def timeline(job: str, headless: Open, format: _Format = "json") -> Response:
    """The timeline of a job that is done, in any format; 409 until then."""
    format_named(format)
    routes_jobs.show_job(job, headless)  # type: ignore[arg-type]
    return _timeline(headless, headless.jobs.get(job), format)


async def _asked(request: HttpRequest, headless: Headless) -> dict[str, Any]:
    """File and name of the video of a request. Answers 4xx where there is none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        try:
            path = (await request.json())["path"]
        except (ValueError, KeyError, TypeError):
            path = None
        if not isinstance(path, str):
            raise HTTPException(422, 'the body is {"path": "VIDEO"}, a path below the served folder')
        file = headless.file(path)
        return {"file": str(file), "name": input_name(file)}
    if kind != "multipart/form-data":
        raise HTTPException(415, 'send the video as the part "file" of multipart/form-data, or {"path": "VIDEO"}')
    async with request.form(max_files=1) as form:
        upload = form.get("file")
        if not isinstance(upload, UploadFile) or not upload.filename:
            raise HTTPException(422, 'the upload has no part "file" with the name of a file')
        name = PurePosixPath(upload.filename.replace("\\", "/")).name
        suffix = PurePosixPath(name).suffix.lower()
        if suffix not in VIDEO_SUFFIXES:
            raise HTTPException(415, f"{name[:200]}: expected a video such as .mp4, .mkv or .avi")
        place = headless.uploads / f"{secrets.token_hex(8)}{suffix}"
        await run_in_threadpool(_keep, upload, place)
    return {"file": str(place), "name": PurePosixPath(name).stem[:200]}


def _keep(upload: UploadFile, place: Path) -> None:
    with whole_file(place) as partial, partial.open("wb") as file:
        shutil.copyfileobj(upload.file, file, 2**20)


def _forget(uploads: Path, file: str) -> None:
    if Path(file).parent == uploads:
        Path(file).unlink(missing_ok=True)


def _timeline(headless: Headless, job: dict[str, Any], fmt: str) -> Response:
    if job["state"] != "done":
        status = {"failed": 422, "cancelled": 410}.get(job["state"], 409)
        later = "the timeline is not there yet; " if status == 409 else ""
        raise HTTPException(status, later + headless.shown(job["message"]))
    made = job["result"]
    fps, background = Fraction(made["fps"]), tuple(made["background"])
    intervals = tuple(
        Interval(one["start_frame"] / fps, one["end_frame"] / fps, one["label"], one["confidence"])
        for one in made["segments"]
    )
    annotation = Annotation(made["name"], intervals, made["frames"] / fps, fps, background)
    settings = WriteSettings(
        fps=fps, frames=made["frames"], tier=made["tier"], predicted=True, background=background or (BACKGROUND,)
    )
    content = annotations_text(fmt, [annotation], settings)
    if fmt == "json":
        return Response(content, media_type="application/json")
    return Response(content, media_type="application/octet-stream" if isinstance(content, bytes) else "text/plain")
