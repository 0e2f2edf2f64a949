"""What the routes share: the open folder, the open pages, the work under way, and finding a video in the folder."""

from __future__ import annotations

import os
import re
import shutil
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from sqlite3 import Row
from typing import Annotated, Any

from anyio import CapacityLimiter
from fastapi import Depends, HTTPException
from fastapi import Request as HttpRequest

from keyseg.studio.bundles import activate_bundle, active_bundle, add_bundle
from keyseg.studio.events import Events
from keyseg.studio.job_queue import JobQueue
from keyseg.studio.media import Waveforms
from keyseg.studio.ranking import RankedVideo, rank
from keyseg.studio.rows import CORRECTION, PREDICTION, Saved, Video
from keyseg.studio.store import Store
from keyseg.studio.videos import scan
from keyseg.timeline import DataError

_PLACE = r"(?<![\w.:/\\])(?:[A-Za-z]:)?[/\\](?:[^\s/\\:'\"]+[/\\])+"  # an absolute path without its last part
_DECODERS = 2  # processes that make pictures at the same time


@dataclass(frozen=True)
class Studio:
    """An open folder, the pages that show it, and what is made for them. Close it before the store.

    local: whether only this machine can reach the server.
    """

    store: Store
    events: Events
    jobs: JobQueue
    local: bool = True
    waveforms: Waveforms = field(default_factory=Waveforms)
    decoders: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(_DECODERS))
    _counted: dict[int, tuple[int, dict[str, int]]] = field(default_factory=dict)  # by row: revision, frames by class

    @classmethod
    def open(cls, store: Store, *, local: bool = True) -> Studio:
        """With all that is saved told to the pages, and without the files of imports and reports of a killed server."""
        for place in ("uploads", "reports"):
            shutil.rmtree(store.private / place, ignore_errors=True)
        events = Events()
        store.on_saved = lambda saved: _tell(events, saved)

        def tell(kind: str, data: dict[str, Any]) -> None:
            events.publish(kind, _shown_job(store.folder, local, data) if kind == "job" else data)

        return cls(store, events, JobQueue(store, tell), local)

    def close(self) -> None:
        """End what is under way; jobs continue with the next server. The store stays open."""
        self.events.close()
        self.waveforms.close()
        self.jobs.close()

    def shown(self, text: str) -> str:
        """A message without the folder's place on this machine and, for other machines, without any place."""
        return _shown(self.store.folder, self.local, text)

    def shown_job(self, job: dict[str, Any]) -> dict[str, Any]:
        """A job with its message as `shown`."""
        return _shown_job(self.store.folder, self.local, job)

    def video(self, video: str) -> Video:
        """A video. Answers 404 if there is none."""
        try:
            return self.store.video(video)
        except DataError as error:
            raise HTTPException(404, f"no video {video[:100]!r} in this folder; load the page again") from error

    def file(self, video: str) -> Path:
        """The file of a video. Answers 404 if there is none, or if a link leads out of the folder."""
        known = self.video(video)
        path = known.file.resolve()
        if not path.is_relative_to(self.store.folder):
            raise HTTPException(404, f"{known.path}: this link leads out of the folder; copy the video into it")
        if not path.is_file():
            raise HTTPException(404, f"{known.path}: the file is missing; put it back, or load the page again")
        return path

    def kept(self, kind: str, video: str, suffix: str) -> Path:
        """Where something made of the content of a video is kept. Answers 404 if it cannot be read."""
        digest = self.store.select("SELECT digest FROM videos WHERE id = ?", video)[0]["digest"]
        if not digest:
            raise HTTPException(404, f"{self.video(video).path}: this file cannot be read as a video")
        return self.store.private / kind / f"{digest}{suffix}"

    def look_for_videos(self) -> None:
        """Begin to look for new and moved videos, unless that is under way; events report what was found."""
        if not self.store.scanning.locked():
            threading.Thread(target=self._scan, name="scan", daemon=True).start()

    def add_bundle(self, path: Path, *, active: bool = False) -> str:
        """Add the bundle of a folder, named like it. Raises BundleError if there is none, or a damaged one."""
        from keyseg.inference.bundle import find_bundle, read_config

        folder = find_bundle(path).resolve()
        config = read_config(folder)
        name = folder.parent.name if folder.name == "bundle" else folder.name
        details = {"system": config.model, "classes": list(config.classes)}
        add_bundle(self.store, name, folder, details)
        if active or active_bundle(self.store) is None:
            activate_bundle(self.store, name)
        self.events.publish("library", {})
        return name

    def next_videos(self) -> list[dict[str, Any]]:
        """`{id, priority, why}` of the videos that are not corrected, the one to label next first."""
        found = self.store.select(
            "SELECT videos.id, frames, fps, checked, rows.id AS row, revision, name FROM videos"
            " LEFT JOIN rows ON video = videos.id AND name IN (?, ?)"
            " WHERE missing = 0 AND error = '' ORDER BY path, name = ?",
            CORRECTION,
            f"{PREDICTION}{active_bundle(self.store) or ''}",
            CORRECTION,
        )
        return rank([self._ranked(row) for row in {row["id"]: row for row in found}.values()])

    def _ranked(self, found: Row) -> RankedVideo:
        """A video with the row that says most of it: its correction, else its prediction."""
        rate, labelled = float(Fraction(found["fps"])), bool(found["checked"]) or found["name"] == CORRECTION
        classes = None
        if found["row"] is not None:
            counts = self._counts(found["row"], found["revision"])
            classes = {label: frames / rate for label, frames in counts.items()}
        return RankedVideo(found["id"], found["frames"] / rate, labelled, classes)

    def _counts(self, row: int, revision: int) -> dict[str, int]:
        """Frames of each class of a row, counted anew when it was edited."""
        if self._counted.get(row, (0, {}))[0] != revision:
            query = "SELECT label, sum(end_frame - start_frame) AS frames FROM segments WHERE row = ? GROUP BY label"
            self._counted[row] = revision, {one["label"]: one["frames"] for one in self.store.select(query, row)}
        return self._counted[row][1]

    def _scan(self) -> None:
        with suppress(Exception):  # the store may close meanwhile; what is not found now, the next scan finds
            scan(self.store, lambda: self.events.publish("library", {}))


def _shown(folder: Path, local: bool, text: str) -> str:
    text = text.replace(f"{folder}{os.sep}", "").replace(str(folder), folder.name)
    return text if local else re.sub(_PLACE, "", text)


def _shown_job(folder: Path, local: bool, job: dict[str, Any]) -> dict[str, Any]:
    return job | {"message": _shown(folder, local, job["message"])}


def _tell(events: Events, saved: Saved) -> None:
    news = {"video": saved.video, "row": saved.name, "revision": saved.revision, "author": saved.author}
    events.publish("saved", news)


def _studio(request: HttpRequest) -> Studio:
    studio: Studio = request.app.state.studio
    return studio


Open = Annotated[Studio, Depends(_studio)]
