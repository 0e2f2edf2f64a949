"""The queue of long work: one process at a time, which can be stopped at once and may crash without harm."""

from __future__ import annotations

import json
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keyseg.studio.store import Store
from keyseg.studio.worker import JOB_KINDS, Worker, kind_module
from keyseg.timeline import ConfigError, DataError, KeysegError, nearest
from keyseg.timeline.partials import remove_left

ALIVE = ("queued", "running")
_FLUSH_SECONDS = 0.5  # between two reports that are saved
_TWICE = "the server ended twice while this job ran, so it is not tried again; start it anew to try once more"

Tell = Callable[[str, dict[str, Any]], None]
"""Called with the name of an event (`job`, `saved`, `library`) and its data, from the queue's own thread."""


class Busy(KeysegError):
    """The queue is full, or holds a job of which there can be only one."""


@dataclass
class _Running:
    """The job that is being worked on. stopped: why its process is to end, before it ends by itself."""

    id: str
    worker: Worker | None = None
    stopped: str = ""


class JobQueue:
    """Runs the jobs of a folder one after the other, each in a process of its own, in the order in which they came.

    kinds: modules that do the work, by kind; each has `gather`, `work` and `save` (see `keyseg.studio.worker`).
    most_queued: jobs that may wait. most_seconds: a job that takes longer is stopped; None: no limit. What a job says
    of itself is in the table `jobs`, and `notify` hears of every change. Jobs that a server leaves behind, by its end
    or by a crash, are done by the next one. Close the queue before the store.
    """

    def __init__(
        self,
        store: Store,
        notify: Tell = lambda event, data: None,
        *,
        kinds: dict[str, str] = JOB_KINDS,
        most_queued: int = 100,
        most_seconds: float | None = None,
    ) -> None:
        self._store, self._notify, self._kinds = store, notify, kinds
        self._most_queued, self._most_seconds = most_queued, most_seconds
        self._changed = threading.Condition()
        self._running: _Running | None = None
        self._closing = False
        self._recover()
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)
        self._thread.start()

    def submit(self, kind: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Queue a job; what it is. asked: plain data, which the kind's `gather` checks.

        Raises ConfigError if there is no such kind, Busy if the queue is full, and what `gather` raises.
        """
        if kind not in self._kinds:
            raise ConfigError(f"no jobs of the kind {kind!r}{nearest(kind, self._kinds)}; there are {_listed(self)}")
        module = kind_module(self._kinds[kind])
        module.gather(self._store, asked)
        job = secrets.token_hex(8)
        with self._changed:
            self._check_room(kind, single=getattr(module, "SINGLE", False))
            with self._store.transaction() as connection:
                connection.execute(
                    "INSERT INTO jobs(id, kind, request, state, done, message, made) VALUES (?, ?, ?, ?, 0, ?, ?)",
                    (job, kind, json.dumps(asked), "queued", "waiting for its turn", time.time()),
                )
            self._changed.notify_all()
        return self._tell(job)

    def _check_room(self, kind: str, *, single: bool) -> None:
        waiting = self._store.select("SELECT kind, state FROM jobs WHERE state IN ('queued', 'running')")
        if single and any(row["kind"] == kind for row in waiting):
            raise Busy(
                f"a job of the kind {kind!r} is queued or running, and there can be only one; wait, or cancel it"
            )
        if sum(row["state"] == "queued" for row in waiting) >= self._most_queued:
            raise Busy(f"{self._most_queued} jobs are waiting already; wait until some are done, or cancel them")

    def get(self, job: str) -> dict[str, Any]:
        """A job as plain data: id, kind, videos, state, done (0 to 1), message, result and, of a training, its curve.

        Raises DataError if there is none.
        """
        rows = self._store.select("SELECT * FROM jobs WHERE id = ?", job)
        if not rows:
            raise DataError(f"no job {job!r}; GET /api/jobs lists them")
        return _view(rows[0])

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs, the newest first."""
        return [_view(row) for row in self._store.select("SELECT * FROM jobs ORDER BY rowid DESC")]

    def cancel(self, job: str) -> dict[str, Any]:
        """Stop a job at once, with all its processes; the job afterwards. One that has ended stays as it is.

        Raises DataError if there is none.
        """
        self.get(job)
        with self._changed:
            if self._running is not None and self._running.id == job:
                self._stop(self._running, "cancelled")
                self._changed.wait_for(lambda: self._running is None or self._running.id != job, timeout=30)
                return self.get(job)
        if self.get(job)["state"] == "queued":
            self._end(job, "cancelled", "cancelled before it began")
        return self.get(job)

    def wait(self, job: str, seconds: float) -> dict[str, Any]:
        """The job when it has ended, or as it is after so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self.get(job)["state"] not in ALIVE, timeout=seconds)
        return self.get(job)

    def close(self) -> None:
        """Stop the work; the job that was running waits for the next server."""
        with self._changed:
            self._closing = True
            if self._running is not None:
                self._stop(self._running, "closing")
            self._changed.notify_all()
        self._thread.join()

    def _stop(self, running: _Running, reason: str) -> None:
        running.stopped = running.stopped or reason
        if running.worker is not None:
            running.worker.kill()

    def _recover(self) -> None:
        """Queue again what an earlier server was working on, once, and remove what it left half done."""
        for row in self._store.select("SELECT id, request FROM jobs WHERE state = 'running'"):
            asked = json.loads(row["request"])
            if asked.get("again"):
                self._end(row["id"], "failed", _TWICE)
                continue
            with self._store.transaction() as connection:
                connection.execute(
                    "UPDATE jobs SET state = 'queued', done = 0, message = ?, request = ? WHERE id = ?",
                    ("waiting, since the server ended", json.dumps(asked | {"again": True}), row["id"]),
                )
        shutil.rmtree(self._store.private / "jobs", ignore_errors=True)
        _remove_partial(self._store.private)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._queued() is not None)
                job = self._queued()
                if self._closing or job is None:
                    return
                self._running = _Running(job["id"])
                self._set(job["id"], "running", 0.0, "starting")
            try:
                self._run(self._running, job["kind"], json.loads(job["request"]))
            except Exception as error:  # of the queue itself or of what saves: it must go on
                self._end(job["id"], "failed", f"{type(error).__name__}: {error}")
            finally:
                with self._changed:
                    self._running = None
                    self._changed.notify_all()

    def _queued(self) -> Any:
        rows = self._store.select("SELECT * FROM jobs WHERE state = 'queued' ORDER BY rowid LIMIT 1")
        return rows[0] if rows else None

    def _run(self, running: _Running, kind: str, asked: dict[str, Any]) -> None:
        """Do one job from its preparation to its end."""
        module, job = kind_module(self._kinds[kind]), running.id
        self._tell(job)
        scratch = self._store.private / "jobs" / job
        try:
            request = module.gather(self._store, asked)
            scratch.mkdir(parents=True, exist_ok=True)
            worker = Worker(self._kinds[kind], request | {"scratch": str(scratch)})
            with self._changed:
                running.worker = worker
                if running.stopped:
                    worker.kill()
            state, message = self._follow(running, worker, lambda part: self._save(module, request, part))
        except KeysegError as error:
            state, message = "failed", str(error)
            if running.worker is not None:
                running.worker.kill()
        shutil.rmtree(scratch, ignore_errors=True)
        if running.worker is not None:
            for partial in list(self._store.private.rglob(".*.partial")):
                remove_left(partial)
        if state == "closing":
            self._set(job, "queued", 0.0, "waiting, since the server ended")
        else:
            self._end(job, state, message)

    def _follow(self, running: _Running, worker: Worker, save: Callable[[dict[str, Any]], None]) -> tuple[str, str]:
        """Take what a worker sends until it ends; the state and the message to end with."""
        report: dict[str, Any] | None = None
        began = saved = time.monotonic()
        while True:
            event = worker.next_event(_FLUSH_SECONDS)
            now = time.monotonic()
            if self._most_seconds is not None and now - began > self._most_seconds:
                with self._changed:
                    self._stop(running, f"stopped after {self._most_seconds:g} s, the longest that a job may take here")
            if event is not None and event[0] == "report":
                report = event[1]
            elif event is not None and event[0] == "part":
                save(event[1])
            if report is not None and (now - saved >= _FLUSH_SECONDS or event is None or event[0] in _LAST):
                self._set(running.id, "running", **report)
                self._tell(running.id)
                report, saved = None, now
            if event is not None and event[0] in _LAST:
                return self._outcome(running, *event)

    def _outcome(self, running: _Running, what: str, content: Any) -> tuple[str, str]:
        if what == "done":
            self._set(running.id, "running", 1.0, "done", content)
            return "done", "done"
        if running.stopped in ("cancelled", "closing"):
            return running.stopped, running.stopped
        return "failed", running.stopped or content

    def _save(self, module: Any, request: dict[str, Any], part: dict[str, Any]) -> None:
        for event, data in module.save(self._store, request, part):
            self._notify(event, data)

    def _set(self, job: str, state: str, done: float, message: str, result: dict[str, Any] | None = None) -> None:
        with self._store.transaction() as connection:
            connection.execute(
                "UPDATE jobs SET state = ?, done = ?, message = ?, result = COALESCE(?, result) WHERE id = ?",
                (state, done, message, None if result is None else json.dumps(result), job),
            )

    def _end(self, job: str, state: str, message: str) -> None:
        with self._store.transaction() as connection:
            connection.execute(
                "UPDATE jobs SET state = ?, message = ?, ended = ? WHERE id = ?", (state, message, time.time(), job)
            )
        self._tell(job)
        with self._changed:
            self._changed.notify_all()

    def _tell(self, job: str) -> dict[str, Any]:
        seen = self.get(job)
        self._notify("job", seen)
        return seen


_LAST = ("done", "failed")


def _listed(queue: JobQueue) -> str:
    return ", ".join(queue._kinds)


def _view(row: Any) -> dict[str, Any]:
    result = json.loads(row["result"])
    curve = result.pop("curve", None)
    seen = {name: row[name] for name in ("id", "kind", "state", "done", "message", "made", "ended")}
    seen["videos"] = json.loads(row["request"]).get("videos")
    return seen | {"result": result} | ({"curve": curve} if curve is not None else {})


def _remove_partial(folder: Path) -> None:
    """Remove the files and folders that a server which was stopped left half written (see `whole_file`)."""
    for partial in list(folder.rglob(".*.partial")):
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)
