"""Bento's .annot files: channels with bouts of behaviours, in frames or in seconds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path, PurePosixPath

from keyseg.formats.flaws import SegmentRow, checked
from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.frames import known_rate, on_frames
from keyseg.formats.text import choose_tier, nominal_rate, one_line, seconds, video_name
from keyseg.timeline import Annotation, DataError
from keyseg.timeline.files import read_text

_FIRST = "Bento annotation file"
_CHANNEL = re.compile(r"(?!>)(.+?)-{5,}")
_SEVERAL = re.compile(r"(?<=\.\w{3})\s+|(?<=\.\w{4})\s+")  # between the names of two files
looks = re.compile(rf"\s*{_FIRST}", re.IGNORECASE).match


@dataclass
class _Bout:
    start: str
    end: str
    label: str
    where: str


@dataclass
class _Content:
    """What a file holds; header: its lines `name: value`, with small letters."""

    header: dict[str, str] = field(default_factory=dict)
    channels: dict[str, list[_Bout]] = field(default_factory=dict)


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """One video: the channel `settings.tier`, or the only one with bouts, or with `settings.per_subject` each of them.

    Bouts are in seconds if one of them has a decimal point, else in frames, which count from 1 and include both ends.
    The frame rate is that of the file. Raises DataError with the line, ConfigError where frames have no rate.
    """
    content = _parsed(path, settings.encoding)
    rate = content.header.get("annotation framerate", "").lower()
    fps = nominal_rate(rate, f"{path}: Annotation framerate") if rate not in ("", "nan") else settings.fps
    movies = _SEVERAL.split(content.header.get("movie file(s)", "").strip())
    if len(movies) > 1:
        settings.note(f"{path}: {len(movies)} movies side by side; the annotation is of {movies[0]}")
    if _whole(content.header.get("annotation start frame", "1")) not in (0, 1):
        settings.note(f"{path}: the annotation starts late; bouts are counted from the start of the movie")
    names = [name for name, bouts in content.channels.items() if bouts or name in settings.tier]
    if settings.tier or not settings.per_subject:
        index = choose_tier(path, "channel", names, settings.tier)
        names = [] if index is None else names[index : index + 1]
    in_seconds = any("." in text for bouts in content.channels.values() for b in bouts for text in (b.start, b.end))
    length = _length(content.header, fps, path)
    video = video_name(movies[0]).removesuffix(".seq") or path.stem
    found = []
    for name in names or [""]:
        rows = [SegmentRow(video, *_times(bout, in_seconds, fps)) for bout in content.channels.get(name, ())]
        known = {} if length is None else {video: length}
        intervals = checked(rows, settings, known, {} if fps is None else {video: fps}).get(video, ())
        track = name if settings.per_subject else ""
        found.append(Annotation(video, tuple(intervals), length, fps, (), movies[0], track))
    return found


def write(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """One channel, in frames. Raises ConfigError without a rate, DataError, TimelineError."""
    (annotation,) = annotations
    spans, length, fps = on_frames(annotation, settings)
    bouts: dict[str, list[str]] = {}
    for start, end, interval in spans:
        bouts.setdefault(one_line(interval.label), []).append(f"{start + 1}\t{end}\t{end - start}")
    media = annotation.media
    movie = PurePosixPath(media).name if media and video_name(media) == annotation.video else annotation.video
    channel = one_line(settings.tier, "name")
    head = [_FIRST, f"Movie file(s): {one_line(movie, 'name')}", "", "Stimulus name:", "Annotation start frame: 1"]
    head += [f"Annotation stop frame: {length}", f"Annotation framerate: {float(fps):.6f}", ""]
    head += ["List of channels:", channel, "", "List of annotations:", *bouts, "", f"{channel}----------"]
    lists = [[f">{label}", "Start\tStop\tDuration", *rows, ""] for label, rows in bouts.items()]
    return "\n".join([*head, *(line for rows in lists for line in rows), ""])


def _parsed(path: Path, encoding: str | None) -> _Content:
    lines = iter(enumerate(read_text(path, "Bento's annotation", encoding).split("\n"), 1))
    if not looks(next(lines)[1]):
        raise DataError(f"{path}:1: expected {_FIRST!r}")
    content, key = _Content(), ""
    channel: list[_Bout] | None = None
    label = ""
    for count, raw in lines:
        line, where = raw.strip(), f"{path}:{count}"
        name, colon, value = line.partition(":")
        if not line:
            key = ""
        elif channel is None and name.lower() in ("list of channels", "list of annotations") and colon:
            _skip_list(lines)
        elif match := _CHANNEL.fullmatch(line):
            channel, label = content.channels.setdefault(match[1], []), ""
        elif channel is None and key == "movie file(s)" and not content.header[key]:
            content.header[key] = line
        elif channel is None:
            if not colon:
                raise DataError(f"{where}: expected a name, a colon and a value, got {line[:80]!r}")
            key = name.strip().lower()
            content.header[key] = value.strip()
        elif line.startswith(">"):
            label = line[1:].strip()
        elif not line.lower().startswith("start"):
            cells = line.split()
            if len(cells) not in (2, 3) or not label:
                raise DataError(f"{where}: expected >BEHAVIOUR, or start, stop and duration, got {line[:80]!r}")
            channel.append(_Bout(cells[0], cells[1], label, where))
    return content


def _skip_list(lines: Iterator[tuple[int, str]]) -> None:
    """Pass over the names in a list, up to the empty line after it."""
    for _, line in lines:
        if not line.strip():
            return


def _times(bout: _Bout, in_seconds: bool, fps: Fraction | None) -> tuple[Fraction, Fraction, str, str]:
    """Start, end, label and place."""
    if in_seconds:
        return seconds(bout.start, bout.where), seconds(bout.end, bout.where), bout.label, bout.where
    first, last = _whole(bout.start), _whole(bout.end)
    if first is None or last is None or not 1 <= first <= last < 10**10:
        raise DataError(
            f"{bout.where}: expected frames from 1 to a later one, got {bout.start[:20]} to {bout.end[:20]}"
        )
    rate = known_rate(fps, bout.where)
    return (first - 1) / rate, last / rate, bout.label, bout.where


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,12}", text, re.ASCII) else None


def _length(header: dict[str, str], fps: Fraction | None, path: Path) -> Fraction | None:
    """Length of the video, from the last frame; seconds if it has decimals."""
    stop = header.get("annotation stop frame", header.get("annotation stop time", ""))
    frames = _whole(stop)
    if "annotation stop time" in header or (stop and frames is None):
        return seconds(stop, f"{path}: Annotation stop")
    return None if frames is None or fps is None else frames / fps
