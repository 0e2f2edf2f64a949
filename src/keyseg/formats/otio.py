"""OpenTimelineIO's JSON for editing programs: a clip an interval, gaps between, at a frame rate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from keyseg.formats.format import Reading, Writing
from keyseg.formats.frames import on_frames
from keyseg.formats.json_text import parse
from keyseg.formats.seconds import bounded, frame_rate
from keyseg.formats.text import extra, interval, listed, one_line
from keyseg.timeline import Annotation, ConfigError, DataError, Interval, KeysegError, TimelineError, nearest
from keyseg.timeline.files import read_text
from keyseg.timeline.rates import parse_rate

_HOLDS = "an OpenTimelineIO timeline"
_TRACK = "actions"
_OURS = "keyseg"  # key of what we keep in a timeline's metadata


def read(path: Path, reading: Reading) -> list[Annotation]:
    """One video: clips of all video tracks, or of the one that `reading` names, where they stand in the timeline.

    Raises DataError; ConfigError without opentimelineio, and on an unknown track.
    """
    otio = extra("opentimelineio")
    text = read_text(path, _HOLDS)
    parse(text, str(path), _HOLDS)  # its own parser lets pass what is no JSON, and keys that stand twice
    try:
        timeline = otio.adapters.read_from_string(text, "otio_json")
        if not isinstance(timeline, otio.schema.Timeline):
            raise DataError(f"{path}: expected {_HOLDS}, got {type(timeline).__name__}")
        kept = exact_rate(dict(timeline.metadata.get(_OURS, {})).get("fps"))
        tracks = video_tracks(path, otio, timeline, reading.tier)
        found = tuple(item for track in tracks for item in intervals(path, otio, track, kept))
        length = max((track.duration() for track in tracks), default=None)
        if length is None:
            return [Annotation(timeline.name or path.stem, (), None, kept or reading.fps)]
        fps = kept or rate(length.rate, None, str(path))
        return [Annotation(timeline.name or path.stem, found, exact_seconds(length, kept, str(path)), fps)]
    except KeysegError:
        raise
    except Exception as error:  # opentimelineio raises whatever a missing key or a wrong type leads to
        raise DataError(f"{path}: not {_HOLDS} ({error})") from error


def write(annotations: Sequence[Annotation], writing: Writing) -> str:
    """One video track; the exact rate is kept as metadata. Raises ConfigError, DataError, TimelineError."""
    (annotation,) = annotations
    otio = extra("opentimelineio")
    spans, length, fps = on_frames(annotation, writing)
    timeline = build(otio, annotation.video, spans, length, float(fps))
    timeline.metadata[_OURS] = {"fps": str(fps)}
    return str(otio.adapters.write_to_string(timeline, "otio_json"))


def looks(text: str) -> bool:
    """OpenTimelineIO's schema names."""
    return '"OTIO_SCHEMA"' in text and text.lstrip("\ufeff \t\r\n").startswith("{")


def build(otio: Any, video: str, spans: Iterable[tuple[int, int, str]], length: int, fps: float) -> Any:
    """A timeline of one video track: clips from and to frames, and gaps."""
    timeline = otio.schema.Timeline(video)
    track = otio.schema.Track(_TRACK, kind=otio.schema.TrackKind.Video)
    timeline.tracks.append(track)

    def frames(start: int, end: int) -> Any:
        time = otio.opentime.RationalTime
        return otio.opentime.TimeRange(time(start, fps), time(end - start, fps))

    reached = 0
    for start, end, label in spans:
        if start > reached:
            track.append(otio.schema.Gap(source_range=frames(0, start - reached)))
        track.append(otio.schema.Clip(name=one_line(label), source_range=frames(start, end)))
        reached = end
    if length > reached:
        track.append(otio.schema.Gap(source_range=frames(0, length - reached)))
    return timeline


def video_tracks(path: Path, otio: Any, timeline: Any, wanted: str | None) -> list[Any]:
    """The video tracks, or the one with a name. Raises ConfigError where there is none of that name."""
    tracks = [track for track in timeline.tracks if track.kind == otio.schema.TrackKind.Video]
    if wanted is None:
        return tracks
    names = [track.name for track in tracks]
    if wanted not in names:
        raise ConfigError(
            f"{path}: no video track {wanted!r}{nearest(wanted, names)}; it has {listed(names) or 'none'}"
        )
    return [tracks[names.index(wanted)]]


def intervals(path: Path, otio: Any, track: Any, kept: Fraction | None, offset: Any = None) -> Iterator[Interval]:
    """The clips of a track, later by `offset`; black is a gap. Raises DataError on tracks in tracks."""
    for child, span in track.range_of_all_children().items():
        where = f"{path}: clip {child.name!r}"
        if isinstance(child, otio.schema.Gap | otio.schema.Transition) or _is_black(otio, child):
            continue
        if not isinstance(child, otio.schema.Clip):
            raise DataError(f"{path}: {type(child).__name__} {child.name!r} inside a track; flatten the timeline first")
        start, end = span.start_time, span.end_time_exclusive()
        if offset is not None:
            start, end = start + offset, end + offset
        yield interval(exact_seconds(start, kept, where), exact_seconds(end, kept, where), child.name, where)


def exact_seconds(time: Any, kept: Fraction | None, where: str) -> Fraction:
    """An OpenTimelineIO time. Raises DataError where it is no time in a video."""
    return bounded(Fraction(time.value).limit_denominator(10**6) / rate(time.rate, kept, where), where)


def rate(told: float, kept: Fraction | None, where: str) -> Fraction:
    """An OpenTimelineIO rate as exact as it was kept, or else as it was meant."""
    return kept if kept is not None and float(kept) == told else frame_rate(repr(told), where)


def exact_rate(text: object) -> Fraction | None:
    """A rate that we kept as text, None where there is none."""
    try:
        return parse_rate(text)
    except TimelineError:
        return None


def _is_black(otio: Any, clip: Any) -> bool:
    reference = getattr(clip, "media_reference", None)
    return isinstance(reference, otio.schema.GeneratorReference) and reference.generator_kind == "black"
