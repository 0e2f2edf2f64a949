"""Drafts of unlabelled videos as jobs: videos in, the row `proposal` of each out."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keyseg.studio.predicting import AUTHOR, bundle_of, videos_of
from keyseg.studio.rows import PROPOSAL
from keyseg.studio.segments import TimedSegment
from keyseg.studio.store import Store
from keyseg.studio.worker import ReportWork, ServerEvent
from keyseg.timeline import Annotation, ConfigError, DataError, KeysegError

if TYPE_CHECKING:
    from keyseg.proposals.drafts import VideoFeatures


def gather(store: Store, asked: dict[str, Any]) -> dict[str, Any]:
    """What `work` needs. asked: `videos`, a list of ids or None for all; `segments` and `classes`, numbers or None for
    the program's choice; `bundle`, the name of one whose boundary keypoints are the cuts, or None.

    Raises DataError if there are no such videos or bundle, ConfigError on a number below 1.
    """
    for name in ("segments", "classes"):
        number = asked.get(name)
        if number is not None and (type(number) is not int or number < 1):
            raise ConfigError(f"{name} is a whole number of at least 1, got {number!r}")
    bundle = asked.get("bundle")
    return {
        "videos": videos_of(store, asked.get("videos")),
        "segments": asked.get("segments"),
        "classes": asked.get("classes"),
        "bundle": None if bundle is None else str(bundle_of(store, bundle)[1]),
        "cache": str(store.private / "features"),
    }


def work(request: dict[str, Any], report: ReportWork) -> dict[str, Any]:
    """Draft all videos at once, so that `part 1` is the same in each of them; each is a part `{video, segments,
    details}`.

    Returns `{proposed: [ids], failed: {id: reason}}`. Raises DataError if none could be read.
    """
    from keyseg.proposals.drafts import draft_timelines
    from keyseg.proposals.propose import named_parts

    videos = {video["id"]: video for video in request["videos"]}
    features, failed = _read_all(request, report)
    if not features:
        raise DataError(f"none of {len(videos)} videos could be read: {next(iter(failed.values()))}")
    drafts = draft_timelines(features, segments=request["segments"], classes=request["classes"])
    for name, draft in drafts.items():
        timeline = named_parts(name, draft, features[name].timebase)
        segments = as_segments(timeline, Fraction(videos[name]["fps"]), videos[name]["frames"])
        report(0.95, "saving", part={"video": name, "segments": segments, "details": {}})
    return {"proposed": list(drafts), "failed": failed}


def _read_all(request: dict[str, Any], report: ReportWork) -> tuple[dict[str, VideoFeatures], dict[str, str]]:
    """The features of each video that can be read, by id, and why others cannot."""
    from keyseg.proposals.reading import feature_reader

    videos = {video["id"]: Path(video["file"]) for video in request["videos"]}
    reader = feature_reader(list(videos.values()), bundle=request["bundle"], cache=request["cache"])
    features: dict[str, VideoFeatures] = {}
    failed: dict[str, str] = {}
    for number, (name, file) in enumerate(videos.items()):

        def within(frames: int, expected: int | None, number: int = number, file: Path = file) -> None:
            share = min(frames / expected, 1.0) if expected else 0.0
            report(0.9 * (number + share) / len(videos), f"video {number + 1} of {len(videos)}: {file.name}")

        within(0, None)
        try:
            features[name] = reader.read(file, within, segments=request["segments"])
        except (KeysegError, OSError) as error:
            failed[name] = str(error)
    return features, failed


def as_segments(timeline: Annotation, fps: Fraction, frames: int) -> list[dict[str, Any]]:
    """The segments of a draft in frames of a video with this rate and length, which they tile."""
    starts = [min(round(one.start_seconds * fps), frames) for one in timeline.intervals]
    spans = zip(pairwise([*starts, frames]), timeline.intervals, strict=True)
    return [{"start_frame": start, "end_frame": end, "label": one.label} for (start, end), one in spans if end > start]


def save(store: Store, request: dict[str, Any], part: dict[str, Any]) -> Iterator[ServerEvent]:
    """Save the proposal of one video."""
    segments = [TimedSegment(**segment) for segment in part["segments"]]
    row = store.replace(part["video"], PROPOSAL, segments, author=AUTHOR, action="propose", details=part["details"])
    yield "saved", {"video": row.video, "row": row.name, "revision": row.revision, "author": AUTHOR}
