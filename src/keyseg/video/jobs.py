"""Features of many videos, in this process or in several; a failure is reported and does not stop the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

from keyseg.data.input_names import input_name
from keyseg.timeline import DataError, OutputExistsError
from keyseg.timeline.files import check_file_names, file_sha256, refuse_file
from keyseg.video.addresses import fetched
from keyseg.video.engines import Engine, Event, Notify, WorkStep, failed
from keyseg.video.extraction import FeatureCache, checked_sidecar, origin_of
from keyseg.video.extractor import Extractor
from keyseg.video.extractors import make_extractor
from keyseg.video.poses import Poses

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

    @property
    def gpu(self) -> bool:
        """Whether the extractor is a network that may run on a GPU."""
        return self.extractor != "motion" and isinstance(self.extractor, str) and self.device != "cpu"

    def start(self) -> WorkStep:
        """What extracts the features of a video."""
        extractor = self.make()

        def step(video: Path, _: None, notify: Notify) -> None:
            with fetched(video, self.cache) as local:
                _extract(video, local, extractor, self, notify)

        return step


def extract_all(
    videos: Sequence[Path], work: Work, *, engine: Engine | None = None, notify: Callable[[Event], None]
) -> dict[Path, str]:
    """Write OUT/VIDEO.npy and its sidecar for each video, and return the videos that failed, with the reason.

    engine: one process if None. Safe to run twice, and again after a kill.
    """
    reasons: dict[Path, str] = {}

    def note(event: Event) -> None:
        if event.kind == "failed":
            reasons[event.video] = event.message
        notify(event)

    videos = [video for video in videos if _has_a_name(video, work, note)]
    check_file_names(video.stem for video in videos)
    refuse_file(work.out, "features")
    FeatureCache(work.cache)  # raises if a file is in its place
    (engine or Engine()).process(videos, [work], [work.start()], note)
    return reasons


def _has_a_name(video: Path, work: Work, notify: Notify) -> bool:
    """Whether features can be called as the features of this video are; a failure is reported."""
    try:
        check_file_names([work.names.get(video, input_name(video))])
    except DataError as error:
        notify(failed(video, error))
        return False
    return True


def _extract(video: Path, local: Path, extractor: Extractor, work: Work, notify: Notify) -> None:
    """Write the features of a video; local: the file, if the video is elsewhere."""
    last = 0.0

    def progress(frames: int, expected: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _REPORT_SECONDS:
            last = now
            notify(Event(video, "frames", frames, expected))

    def remade(reason: str) -> None:
        notify(Event(video, "remade", message=reason))

    out, kept = work.out / f"{work.names.get(video, input_name(video))}.npy", None
    if out.exists() and not work.force:
        try:
            kept = checked_sidecar(out, file_sha256(local), origin_of(extractor, work.fps))
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
            local, extractor, work.fps, damaged=work.damaged, progress=progress, remade=remade
        )
        features.copy_to(out)
        kind, kept = "made" if features.fresh else "cached", features.sidecar
    gaps = "".join(f"; damaged from {text}" for text in kept.gap_texts())
    notes = "".join(f"; note: {text}" for text in kept.notes)
    notify(Event(video, kind, kept.frames, message=gaps + notes))
