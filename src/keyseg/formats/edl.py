"""EDL (CMX 3600), the edit list that every editing program reads, by OpenTimelineIO's adapter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from keyseg.formats.format import Reading, Writing
from keyseg.formats.frames import on_frames, rate_given
from keyseg.formats.otio import build, exact_rate, intervals, video_tracks
from keyseg.formats.text import extra, one_line
from keyseg.timeline import Annotation, ConfigError, DataError, KeysegError, TimelineError
from keyseg.timeline.files import read_text

# Rates that have a timecode.
_TIMECODES = tuple(sorted([*map(Fraction, (24, 25, 30, 50, 60)), *(Fraction(n * 1000, 1001) for n in (24, 30, 60))]))
_DAY = 24 * 3600 - 1  # seconds; then timecode starts again, at 30000/1001 a little earlier than the day
_HEAD = re.compile(r"^\s*(?:TITLE:|FCM|\d|$)", re.IGNORECASE)
_FPS = re.compile(r"^\*\s*KEYSEG FPS: (\S+)\s*$", re.MULTILINE)
_FRAMES = re.compile(r"^\*\s*KEYSEG FRAMES: (\d{1,12})\s*$", re.MULTILINE)


def read(path: Path, reading: Reading) -> list[Annotation]:
    """One video: the events of the video track, at their record times, which count from 00:00:00:00.

    An EDL does not say its frame rate; keyseg keeps it in a comment, for others `reading` has to say it. Raises
    DataError; ConfigError without a rate that has a timecode, or without the adapter.
    """
    otio, text = _otio(), read_text(path, "an EDL (CMX 3600)")
    told, frames = _FPS.search(text), _FRAMES.search(text)
    fps = (exact_rate(told[1]) if told else None) or rate_given(reading, str(path))
    timecode = _timecode(fps, str(path))
    lines = text.split("\n")
    events = next((number for number, line in enumerate(lines) if re.match(r"\s*\d", line)), len(lines))
    lines[:events] = [line for line in lines[:events] if _HEAD.match(line)]  # the adapter wants no comments up there
    try:
        timeline = otio.adapters.read_from_string("\n".join(lines), "cmx_3600", rate=float(timecode))
        found = []
        for track in video_tracks(path, otio, timeline, reading.tier):
            offset = None if track.source_range is None else -track.source_range.start_time
            found += list(intervals(path, otio, track, timecode, offset))
    except KeysegError:
        raise
    except Exception as error:  # the adapter raises whatever a line that it does not know leads to
        raise DataError(f"{path}: not an EDL at {timecode} frames a second ({error})") from error
    length = Fraction(int(frames[1])) / fps if frames else None
    return [Annotation(timeline.name or path.stem, tuple(found), length, fps)]


def write(annotations: Sequence[Annotation], writing: Writing) -> str:
    """An event an interval; source and record times are the times in the video.

    At a rate that has no timecode the smallest multiple that has one is used: 15 frames a second are written at 30.
    Raises ConfigError where there is none, TimelineError beyond a day, DataError.
    """
    (annotation,) = annotations
    otio = _otio()
    spans, length, fps = on_frames(annotation, writing)
    timecode = _timecode(fps, annotation.video)
    if spans and spans[-1][1] / fps >= _DAY:
        raise TimelineError(f"{annotation.video}: timecode starts again after 24 hours; write otio instead")
    kept = [f"KEYSEG FPS: {fps}", f"KEYSEG FRAMES: {length}"]
    title = one_line(annotation.video, "video name")
    if not spans:
        return "".join(f"{line}\n" for line in (f"TITLE: {title}", *(f"* {line}" for line in kept)))
    times = int(timecode / fps)
    finer = [(start * times, end * times, label) for start, end, label in spans]
    timeline = build(otio, title, finer, finer[-1][1], float(timecode))
    for number, clip in enumerate(timeline.find_clips()):
        clip.metadata["cmx_3600"] = {"reel": "AX", "comments": [] if number else kept}  # AX: a source without a tape
    return str(otio.adapters.write_to_string(timeline, "cmx_3600", rate=float(timecode)))


def looks(text: str) -> bool:
    """A title, or an event with four timecodes."""
    event = r"^\s*\d+\s+\S+\s+\S+\s+C\s+(\d\d[:;]){3}\d\d\s"
    return re.match(r"\ufeff?\s*TITLE:", text) is not None or re.search(event, text, re.MULTILINE) is not None


def _timecode(fps: Fraction, where: str) -> Fraction:
    """The smallest rate with a timecode whose frames hit every frame of this one."""
    found = next((rate for rate in _TIMECODES if (rate / fps).denominator == 1), None)
    if found is None:
        known = ", ".join(map(str, _TIMECODES))
        raise ConfigError(
            f"{where}: timecode knows {known} frames a second and no multiple of {fps}; give one of them as"
            " --fps, or use otio"
        )
    return found


def _otio() -> Any:
    extra("otio_cmx3600_adapter.cmx_3600")
    return extra("opentimelineio")
