"""Features of many videos, in this process or in several; a failure is reported and does not stop the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from queue import Empty
from typing import Any, Literal

from keyseg.data.input_names import input_name
from keyseg.timeline import DataError, OutputExistsError
from keyseg.timeline.failures import INPUT_ERRORS, reason_with
from keyseg.timeline.files import check_file_names, file_sha256, refuse_file
from keyseg.video.extraction import FeatureCache, checked_sidecar, origin_of
from keyseg.video.extractor import Extractor
from keyseg.video.extractors import make_extractor
from keyseg.video.poses import Poses
from keyseg.video.workers import CONTEXT, worker_pool

_REPORT_SECONDS = 0.2  # between two reports on one video


@dataclass(frozen=True)
class Work:
    """What to do with every video. extractor, revision, device, sample_rate: for `make_extractor`. names: what the
    features of a video are called, where that is not the name of its file."""

    extractor: str | Poses
    fps: Fraction
    out: Path
    cache: Path | None = None
    damaged: bool = False
    force: bool = False
    revision: str | None = None
    device: str | None = None
    sample_rate: int | None = None
    names: Mapping[Path, str] = field(default_factory=dict)

    def make(self) -> Extractor:
        """The extractor."""
        return make_extractor(self.extractor, revision=self.revision, sample_rate=self.sample_rate, device=self.device)


@dataclass(frozen=True)
class Event:
    """What happened to a video. frames, expected: how many were read, and how many there will be if that is known.

    kind: frames (read so far), remade (a damaged file, with the reason; extraction continues), then one of made, cached
    (found in the cache), kept (found in its place) or failed (with the reason).
    """

    video: Path
    kind: Literal["frames", "remade", "made", "cached", "kept", "failed"]
    frames: int = 0
    expected: int | None = None
    message: str = ""


Notify = Callable[[Event], None]


def extract_all(videos: Sequence[Path], work: Work, *, workers: int = 1, notify: Notify) -> dict[Path, str]:
    """Write OUT/VIDEO.npy and its sidecar for each video, and return the videos that failed, with the reason.

    Safe to run twice, and again after a kill.
    """
    failed: dict[Path, str] = {}

    def note(event: Event) -> None:
        if event.kind == "failed":
            failed[event.video] = event.message
        notify(event)

    videos = [video for video in videos if _has_a_name(video, work, note)]
    check_file_names(video.stem for video in videos)
    refuse_file(work.out, "features")
    FeatureCache(work.cache)  # raises if a file is in its place
    if workers == 1:
        extractor = work.make()
        for video in videos:
            _extract(video, extractor, work, note)
        return failed
    work.make()  # so that this process reports once if something is wrong with it
    events: Any = CONTEXT.Queue()
    try:
        with worker_pool(workers, _start_worker, work, events) as pool:
            waiting = {pool.submit(_in_worker, video) for video in videos}
            while waiting:
                _pass_on(events, note)
                done, waiting = wait(waiting, timeout=0)
                for future in done:
                    future.result()  # raises unexpected errors
    except BrokenProcessPool as error:
        raise DataError(
            "a process that extracts features ended, perhaps because memory ran out; run the same command with fewer"
            " workers: finished videos are kept"
        ) from error
    _pass_on(events, note)  # the workers have ended, so all their events are there
    return failed


def _has_a_name(video: Path, work: Work, notify: Notify) -> bool:
    """Whether features can be called as the features of this video are; a failure is reported."""
    try:
        check_file_names([work.names.get(video, input_name(video))])
    except DataError as error:
        notify(Event(video, "failed", message=reason_with(video, error)))
        return False
    return True


def _pass_on(events: Any, notify: Notify) -> None:
    try:
        notify(events.get(timeout=0.1))
        while True:
            notify(events.get_nowait())
    except Empty:
        return


_worker: tuple[Extractor, Work, Notify]


def _start_worker(work: Work, events: Any) -> None:
    global _worker
    _worker = (work.make(), work, events.put)


def _in_worker(video: Path) -> None:
    _extract(video, *_worker)


def _extract(video: Path, extractor: Extractor, work: Work, notify: Notify) -> None:
    last = 0.0

    def progress(frames: int, expected: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _REPORT_SECONDS:
            last = now
            notify(Event(video, "frames", frames, expected))

    def remade(reason: str) -> None:
        notify(Event(video, "remade", message=reason))

    try:
        out, kept = work.out / f"{work.names.get(video, input_name(video))}.npy", None
        if out.exists() and not work.force:
            try:
                kept = checked_sidecar(out, file_sha256(video), origin_of(extractor, work.fps))
                if kept is None:
                    raise OutputExistsError(
                        f"{out} exists and holds the features of another video or extractor; choose another --out or"
                        " use --force"
                    )
            except DataError as error:
                remade(str(error))
        kind: Literal["kept", "cached", "made"] = "kept"
        if kept is None or (kept.gaps and not work.damaged):
            features = FeatureCache(work.cache).features(
                video, extractor, work.fps, damaged=work.damaged, progress=progress, remade=remade
            )
            features.copy_to(out)
            kind, kept = "made" if features.fresh else "cached", features.sidecar
        gaps = "".join(f"; damaged from {text}" for text in kept.gap_texts())
        notes = "".join(f"; note: {text}" for text in kept.notes)
        notify(Event(video, kind, kept.frames, message=gaps + notes))
    except INPUT_ERRORS as error:
        notify(Event(video, "failed", message=reason_with(video, error)))
