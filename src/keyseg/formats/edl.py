"""EDL (CMX 3600), the edit list that every editing program reads; OpenTimelineIO's adapter writes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.frames import known_rate, on_frames
from keyseg.formats.otio import build_timeline, opentimelineio
from keyseg.formats.text import bounded, choose_tier, interval, nominal_rate, one_line, point_intervals
from keyseg.timeline import Annotation, ConfigError, DataError, Interval, TimelineError
from keyseg.timeline.files import read_text

_ADAPTER = "otio_cmx3600_adapter.cmx_3600"
# Frame rates that have a timecode.
_TIMECODES = tuple(sorted([*map(Fraction, (24, 25, 30, 50, 60)), *(Fraction(n * 1000, 1001) for n in (24, 30, 60))]))
_DROPPED = {Fraction(30000, 1001): 2, Fraction(60000, 1001): 4}  # frame numbers left out in a minute of drop frames
_DAY = 24 * 3600 - 1  # seconds; then timecode restarts, at 30000/1001 a little before the day is over
_FPS = re.compile(r"^\*[ \t]*KEYSEG FPS: (\S+)[ \t\r]*$", re.MULTILINE)
_FRAMES = re.compile(r"^\*[ \t]*KEYSEG FRAMES: (\d{1,12})[ \t\r]*$", re.MULTILINE)
_TITLE = re.compile(r"^[ \t]*TITLE:(.*)$", re.MULTILINE)
_FCM = re.compile(r"^[ \t]*FCM:?[ \t]*(NON[- ]?)?DROP", re.MULTILINE | re.IGNORECASE)
_TIME = re.compile(r"(\d{1,2}):(\d\d):(\d\d)([:;])(\d\d)", re.ASCII)
_STARS = " \t\r\f\v*"  # before a comment; these patterns are for what follows, without spaces at its end
# Resolve writes a marker as an event of one frame, with notes, colour, name and length in the line below it.
_MARKER = re.compile(r"(?P<notes>.*?)(\|C:[^|]*)?\|M:(?P<name>.*?)(\|D:\s*(?P<frames>\d{1,9}))?", re.ASCII)
_LOCATOR = re.compile(r"LOC:\s*(\S+)\s*(\S*)\s*(.*)", re.ASCII)  # Avid: time, colour, text
_CLIP_NAME = re.compile(r"(FROM|TO) CLIP NAME:(.*)")
_NO_REEL = re.compile(r"AX|\d+", re.IGNORECASE)  # an unknown source, or a number instead of a name
looks = re.compile(r"\ufeff?\s*TITLE:|(.*\n)?\s*\d+\s+\S+\s+\S+\s+C\s+(\d\d[:;]){3}\d\d\s", re.DOTALL).match


@dataclass
class _Event:
    """One event: its record times in frames from 00:00:00:00, and what the comments below it say."""

    number: str  # shared by the two lines of a dissolve
    reel: str
    channel: str
    dissolve: bool
    start: int
    end: int
    where: str
    names: dict[str, str] = field(default_factory=dict)
    markers: list[tuple[str, int]] = field(default_factory=list)  # name and length in frames

    @property
    def label(self) -> str:
        """The clip's name, or that of the reel. Raises DataError if there is none."""
        name = self.names.get("TO", "") if self.dissolve else ""
        name = name or self.names.get("FROM", "")
        if not name and _NO_REEL.fullmatch(self.reel):
            raise DataError(
                f"{self.where}: the event has no name of a clip, and {self.reel[:20]!r} is no name of a reel;"
                " export the edit list with clip names"
            )
        return name or self.reel


class _Clock:
    """Frames of a timecode at a rate; in an edit list of drop frames some numbers are left out."""

    def __init__(self, timecode: Fraction, drop: bool) -> None:
        self.timecode, self.drop, self.count = timecode, drop, round(timecode)

    def frames(self, text: str, where: str) -> int:
        """Frames from 00:00:00:00. Raises DataError on what is no timecode at this rate."""
        if re.fullmatch(r"\d{1,9}", text, re.ASCII):
            return int(text)  # some programs write frames
        match = _TIME.fullmatch(text)
        if match is None or int(match[2]) > 59 or int(match[3]) > 59 or int(match[5]) >= self.count:
            raise DataError(f"{where}: expected a timecode at {self.timecode} frames per second, got {text[:40]!r}")
        minutes = int(match[1]) * 60 + int(match[2])
        frames = (minutes * 60 + int(match[3])) * self.count + int(match[5])
        if not self.drop and match[4] == ":":
            return frames
        if self.timecode not in _DROPPED:
            raise DataError(
                f"{where}: drop frames exist at {' and '.join(map(str, _DROPPED))} frames per second, not at"
                f" {self.timecode}; is --fps right?"
            )
        dropped = _DROPPED[self.timecode]
        if minutes % 10 and int(match[3]) == 0 and int(match[5]) < dropped:
            raise DataError(f"{where}: with drop frames there is no {text}")
        return frames - dropped * (minutes - minutes // 10)


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """One video: the events of the video tracks, at their record times; black is a gap.

    A label is the name of the clip, or else of the reel. Markers of Resolve are labels in place of the clips, and so
    are locators of Avid, as points. Times count from 00:00:00:00, or from `settings.start_timecode`.

    An EDL does not state its frame rate; keyseg stores it in a comment, and for other files `settings` must give it.
    Raises DataError with the line, and ConfigError without a rate that has a timecode.
    """
    text = read_text(path, "an EDL (CMX 3600)", settings.encoding)
    stored, frames, title = _FPS.search(text), _FRAMES.search(text), _TITLE.search(text)
    fps = nominal_rate(stored[1], f"{path}: KEYSEG FPS") if stored else known_rate(settings.fps, str(path))
    clock = _clock(path, text, _timecode(fps, str(path)), settings, known=stored is not None)
    events, locators = _parsed(path, text, clock)
    offset = 0 if settings.start_timecode is None else clock.frames(settings.start_timecode, "--start-timecode")
    times = [event.start for event in events] + [time for time, _, _ in locators]
    late = bool(times) and min(times) >= clock.frames("01:00:00:00", str(path))
    if settings.start_timecode is None and stored is None and late:
        settings.note(
            f"{path}: the first record time is {float(min(times) / clock.timecode):g} s; if the programme does not"
            " start at 00:00:00:00, give the timecode of its first frame, such as --start-timecode 01:00:00:00"
        )

    def seconds(frame: int, where: str) -> Fraction:
        if frame < offset:
            raise DataError(f"{where}: it is before --start-timecode {settings.start_timecode}")
        return bounded((frame - offset) / clock.timecode, where)

    spans: list[Interval] = []
    points = [(seconds(time, where), label, where) for time, label, where in locators]
    clips = [event for event in events if not event.markers and event.reel.upper() != "BL"]
    for event in events:
        start = seconds(event.start, event.where)
        for name, length in event.markers:
            if length > 1:
                spans.append(interval(start, seconds(event.start + length, event.where), name, event.where))
            else:
                points.append((start, name, event.where))
    marked = bool(spans or points)
    spans += point_intervals(points, settings, fps)
    if marked and spans:
        if clips:
            settings.note(f"{path}: {len(clips)} clips are left out; the markers are the labels")
    else:
        spans = [
            interval(seconds(clip.start, clip.where), seconds(clip.end, clip.where), clip.label, clip.where)
            for clip in _chosen(path, clips, settings)
        ]
    duration = Fraction(int(frames[1])) / fps if frames else None
    video = title[1].strip() if title else ""
    return [Annotation(video or path.stem, tuple(spans), duration, fps)]


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
    finer = [(start * times, end * times, interval) for start, end, interval in spans]
    timeline = build_timeline(otio, title, finer, finer[-1][1], float(timecode))
    for number, clip in enumerate(timeline.find_clips()):
        clip.metadata["cmx_3600"] = {"reel": "AX", "comments": [] if number else kept}  # AX: no tape
    return str(otio.adapters.write_to_string(timeline, "cmx_3600", rate=float(timecode)))


def _clock(path: Path, text: str, timecode: Fraction, settings: ReadSettings, *, known: bool) -> _Clock:
    """The clock of the first FCM line, which is that of the programme; without one, semicolons show drop frames."""
    modes = [match[1] is None for match in _FCM.finditer(text)]
    if len(set(modes)) > 1:
        settings.note(f"{path}: FCM changes on the way; the record times are read as the first FCM says")
    if not modes and not known and timecode in _DROPPED and ";" not in text:
        settings.note(f"{path}: it does not say whether it drops frames (FCM); it is read as if it does not")
    return _Clock(timecode, bool(modes) and modes[0])


def _parsed(path: Path, text: str, clock: _Clock) -> tuple[list[_Event], list[tuple[int, str, str]]]:
    """The video events, and the locators as frame, text and place. Raises DataError."""
    events: list[_Event] = []
    locators: dict[tuple[int, str], str] = {}  # Avid repeats them for each channel
    below: list[_Event] = []  # the events that a comment may be about
    for at, line in enumerate(text.split("\n"), 1):
        where = f"{path}:{at}"
        comment = line.lstrip(_STARS).rstrip()
        if match := _MARKER.fullmatch(comment):
            name = match["name"].strip() or match["notes"].strip()
            for event in below[-1:]:
                event.markers.append((name, int(match["frames"] or 1)))
        elif match := _LOCATOR.fullmatch(comment):
            locators.setdefault((clock.frames(match[1], where), match[3].strip() or match[2]), where)
        elif match := _CLIP_NAME.fullmatch(comment):
            for event in below:
                event.names[match[1]] = match[2].strip()
        elif re.match(r"\s*\d", line):
            event = _event(line, where, clock)
            same = bool(below) and below[-1].number == event.number and not below[-1].names
            below = [*below, event] if same else [event]
            events.append(event)
    shown = [event for event in events if event.end > event.start and _is_video(event.channel)]
    return shown, [(frame, label, where) for (frame, label), where in locators.items()]


def _event(line: str, where: str, clock: _Clock) -> _Event:
    cells = line.split()
    if len(cells) not in (8, 9) or (len(cells) == 8 and cells[3] != "C"):
        raise DataError(f"{where}: expected an event with two source and two record times, got {line[:80]!r}")
    start, end = (clock.frames(time, where) for time in cells[-2:])
    if start > end:
        raise DataError(f"{where}: the event ends at {cells[-1]}, before it starts at {cells[-2]}")
    return _Event(cells[0], cells[1], cells[2], cells[3] != "C", start, end, where)


def _is_video(channel: str) -> bool:
    """Whether a channel is one of pictures: V, V2, B and AA/V hold both; A1 and AA are sound."""
    return "V" in channel.upper() or not channel.upper().startswith("A")


def _chosen(path: Path, clips: Sequence[_Event], settings: ReadSettings) -> list[_Event]:
    """The clips of all video tracks or of the chosen one. Raises DataError where those of one track overlap."""
    tracks: dict[str, list[_Event]] = {}
    for clip in clips:
        track = clip.channel if re.fullmatch(r"V\d+", clip.channel) else "V"
        tracks.setdefault(track, []).append(clip)
    for several in tracks.values():
        several.sort(key=lambda clip: (clip.start, clip.end))
        for before, after in pairwise(several):
            if after.start < before.end:
                raise DataError(f"{after.where}: it starts before the event at {before.where} ends, on the same track")
    names = list(tracks)
    index = choose_tier(path, "video track", names, settings.tier) if settings.tier else None
    return [clip for name in names if index is None or name == names[index] for clip in tracks[name]]


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
