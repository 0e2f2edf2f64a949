"""EDL (CMX 3600), the edit list that every editing program reads, through OpenTimelineIO's adapter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.frames import known_rate, on_frames
from keyseg.formats.otio import build_timeline, clip_intervals, opentimelineio, video_tracks
from keyseg.formats.text import nominal_rate, one_line
from keyseg.timeline import Annotation, ConfigError, DataError, Interval, KeysegError, TimelineError
from keyseg.timeline.files import read_text

_ADAPTER = "otio_cmx3600_adapter.cmx_3600"
# Frame rates that have a timecode.
_TIMECODES = tuple(sorted([*map(Fraction, (24, 25, 30, 50, 60)), *(Fraction(n * 1000, 1001) for n in (24, 30, 60))]))
_DAY = 24 * 3600 - 1  # seconds; then timecode restarts, at 30000/1001 a little before the day is over
_HEAD = re.compile(r"^\s*(?:TITLE:|FCM|\d|$)", re.IGNORECASE)
_FPS = re.compile(r"^\*\s*KEYSEG FPS: (\S+)\s*$", re.MULTILINE)
_FRAMES = re.compile(r"^\*\s*KEYSEG FRAMES: (\d{1,12})\s*$", re.MULTILINE)
looks = re.compile(r"\ufeff?\s*TITLE:|(.*\n)?\s*\d+\s+\S+\s+\S+\s+C\s+(\d\d[:;]){3}\d\d\s", re.DOTALL).match


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """One video: the events of the video track, at their record times, which count from 00:00:00:00.

    An EDL does not state its frame rate; keyseg stores it in a comment, and for other files `settings` must give it.
    Raises DataError, and ConfigError without a rate that has a timecode or without the adapter.
    """
    otio, text = opentimelineio(_ADAPTER), read_text(path, "an EDL (CMX 3600)", settings.encoding)
    stored, frames = _FPS.search(text), _FRAMES.search(text)
    fps = nominal_rate(stored[1], f"{path}: KEYSEG FPS") if stored else known_rate(settings.fps, str(path))
    timecode = _timecode(fps, str(path))
    lines = text.split("\n")
    events = next((number for number, line in enumerate(lines) if re.match(r"\s*\d", line)), len(lines))
    lines[:events] = [line for line in lines[:events] if _HEAD.match(line)]  # the adapter refuses comments there
    try:
        timeline = otio.adapters.read_from_string("\n".join(lines), "cmx_3600", rate=float(timecode))
        clips: list[Interval] = []
        for track in video_tracks(path, otio, timeline, settings.tier):
            offset = None if track.source_range is None else -track.source_range.start_time
            clips += clip_intervals(path, otio, track, timecode, offset)
    except KeysegError:
        raise
    except Exception as error:  # the adapter raises anything on a line that it does not know
        raise DataError(f"{path}: not an EDL at {timecode} frames per second ({error})") from error
    length = Fraction(int(frames[1])) / fps if frames else None
    return [Annotation(timeline.name or path.stem, tuple(clips), length, fps)]


def write(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """One event per interval; source and record times are the times in the video.

    A rate without timecode is written at the smallest multiple that has one: 15 frames per second at 30. Raises
    ConfigError where there is none, TimelineError beyond a day, DataError.
    """
    (annotation,) = annotations
    otio = opentimelineio(_ADAPTER)
    spans, length, fps = on_frames(annotation, settings)
    timecode = _timecode(fps, annotation.video)
    if spans and spans[-1][1] / fps >= _DAY:
        raise TimelineError(f"{annotation.video}: timecode restarts after 24 hours; write otio instead")
    kept = [f"KEYSEG FPS: {fps}", f"KEYSEG FRAMES: {length}"]
    title = one_line(annotation.video, "video name")
    if not spans:
        return "".join(f"{line}\n" for line in (f"TITLE: {title}", *(f"* {line}" for line in kept)))
    times = int(timecode / fps)
    finer = [(start * times, end * times, label) for start, end, label in spans]
    timeline = build_timeline(otio, title, finer, finer[-1][1], float(timecode))
    for number, clip in enumerate(timeline.find_clips()):
        clip.metadata["cmx_3600"] = {"reel": "AX", "comments": [] if number else kept}  # AX: no tape
    return str(otio.adapters.write_to_string(timeline, "cmx_3600", rate=float(timecode)))


def _timecode(fps: Fraction, where: str) -> Fraction:
    """The smallest rate with a timecode that is a multiple of this one."""
    rate = next((rate for rate in _TIMECODES if (rate / fps).denominator == 1), None)
    if rate is None:
        known = ", ".join(map(str, _TIMECODES))
        raise ConfigError(
            f"{where}: timecode exists at {known} frames per second, and none is a multiple of {fps}; give one of them"
            " as --fps, or use otio"
        )
    return rate
