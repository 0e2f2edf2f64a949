"""Routes of long work: start it, look at it, cancel it."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException

from keyseg.studio import messages
from keyseg.studio.jobs import Busy
from keyseg.studio.studio import Open
from keyseg.timeline import DataError

router = APIRouter(prefix="/api/jobs", tags=["jobs"])


@router.post("", status_code=201)
def start_job(request: messages.JobRequest, studio: Open) -> messages.JobState:
    """Start work on videos; 429 if too much of it is waiting."""
    try:
        return messages.JobState.model_validate(studio.jobs.submit(request.kind, request.model_dump(exclude={"kind"})))
    except Busy as error:
        raise HTTPException(429, str(error)) from error


@router.get("")
def list_jobs(studio: Open) -> list[messages.JobState]:
    """All jobs, the newest first."""
    return [messages.JobState.model_validate(job) for job in studio.jobs.jobs()]


@router.get("/{job}")
def show_job(job: str, studio: Open) -> messages.JobState:
    """One job."""
    try:
        return messages.JobState.model_validate(studio.jobs.get(job))
    except DataError as error:
        raise HTTPException(404, f"no job {job[:100]!r}; GET /api/jobs lists them") from error


@router.delete("/{job}")
def cancel_job(job: str, studio: Open) -> messages.JobState:
    """Stop a job at once; one that has ended stays as it is."""
    show_job(job, studio)
    return messages.JobState.model_validate(studio.jobs.cancel(job))
