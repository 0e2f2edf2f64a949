"""Features of many videos, in this process or in several; a failure is reported and does not stop the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from queue import Empty
from typing import Any, Literal

from keyseg.data.feature_origin import FeatureSidecar
from keyseg.timeline import DataError, KeysegError, OutputExistsError
from keyseg.timeline.files import file_sha256, refuse_file
from keyseg.video.cache import FeatureCache, checked_sidecar
from keyseg.video.extraction import origin_of
from keyseg.video.extractor import Extractor
from keyseg.video.extractors import make_extractor
from keyseg.video.workers import CONTEXT, worker_pool

_REPORT_SECONDS = 0.2  # between two reports on one video


@dataclass(frozen=True)
class Work:
    """What to do with every video. extractor, revision, device, sample_rate: for `make_extractor`."""

    extractor: str
    fps: Fraction
    out: Path
    cache: Path | None = None
    damaged: bool = False
    force: bool = False
    revision: str | None = None
    device: str | None = None
    sample_rate: int | None = None

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


def extract_all(videos: Sequence[Path], work: Work, *, workers: int = 1, notify: Notify) -> list[Path]:
    """Write OUT/VIDEO.npy and its sidecar for each video, and return the videos that failed.

    Safe to run twice, and again after a kill.
    """
    failed: list[Path] = []

    def note(event: Event) -> None:
        if event.kind == "failed":
            failed.append(event.video)
        notify(event)

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
            waiting: list[Future[None]] = [pool.submit(_in_worker, video) for video in videos]
            while waiting:
                _pass_on(events, note)
                for done in [future for future in waiting if future.done()]:
                    waiting.remove(done)
                    done.result()  # raises unexpected errors
    except BrokenProcessPool as error:
        raise DataError(
            "a process that extracts features ended, perhaps because memory ran out; run the same command with fewer"
            " workers: finished videos are kept"
        ) from error
    _pass_on(events, note)  # the workers have ended, so all their events are there
    return failed


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
    extractor, work, notify = _worker
    _extract(video, extractor, work, notify)


def _extract(video: Path, extractor: Extractor, work: Work, notify: Notify) -> None:
    last = 0.0

    def progress(frames: int, expected: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _REPORT_SECONDS:
            last = now
            notify(Event(video, "frames", frames, expected))

    try:
        out = work.out / f"{video.stem}.npy"
        kept = None if work.force else _kept(video, out, extractor, work, notify)
        if kept is not None:
            notify(Event(video, "kept", kept.frames, message=_gaps(kept)))
            return
        features = FeatureCache(work.cache).features(
            video,
            extractor,
            work.fps,
            damaged=work.damaged,
            progress=progress,
            remade=lambda reason: notify(Event(video, "remade", message=reason)),
        )
        features.copy_to(out)
        kind: Literal["made", "cached"] = "made" if features.fresh else "cached"
        notify(Event(video, kind, features.sidecar.frames, message=_gaps(features.sidecar)))
    except (KeysegError, OSError) as error:
        notify(Event(video, "failed", message=str(error)))


def _gaps(sidecar: FeatureSidecar) -> str:
    return "".join(f"; damaged from {text}" for text in sidecar.gap_texts())


def _kept(video: Path, out: Path, extractor: Extractor, work: Work, notify: Notify) -> FeatureSidecar | None:
    """The sidecar of features that are already in place; None if there are none, or they are damaged, or have gaps
    that were not asked for.

    Raises OutputExistsError if another file is in the way.
    """
    if not out.exists():
        return None
    try:
        sidecar = checked_sidecar(out, file_sha256(video), origin_of(extractor, work.fps))
    except DataError as error:
        notify(Event(video, "remade", message=str(error)))
        return None
    if sidecar is None:
        raise OutputExistsError(
            f"{out} exists and holds the features of another video or extractor; choose another --out or use --force"
        )
    return sidecar if work.damaged or not sidecar.gaps else None
