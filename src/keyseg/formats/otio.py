"""OpenTimelineIO's JSON for editing programs: one clip per interval, with gaps between them, at a frame rate."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any

from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.frames import on_frames
from keyseg.formats.json_text import read_json
from keyseg.formats.text import bounded, choose_tier, interval, nominal_rate, one_line
from keyseg.timeline import Annotation, DataError, Interval, KeysegError
from keyseg.timeline.extras import extra

_HOLDS = "an OpenTimelineIO timeline"
_TRACK = "actions"
_OURS = "keyseg"  # key of our part of a timeline's metadata
looks = re.compile(r'\s*\{.*"OTIO_SCHEMA"', re.DOTALL).match


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """One video: the clips of all video tracks, or of the one that `settings` names, at their times in the timeline.

    Raises DataError, and ConfigError without opentimelineio and on an unknown track.
    """
    otio = opentimelineio()
    text, _ = read_json(path, _HOLDS)  # its own parser accepts broken JSON and duplicate keys
    try:
        timeline = otio.adapters.read_from_string(text, "otio_json")
        if not isinstance(timeline, otio.schema.Timeline):
            raise DataError(f"{path}: expected {_HOLDS}, got {type(timeline).__name__}")
        stored = dict(timeline.metadata.get(_OURS, {})).get("fps")
        kept = None if stored is None else nominal_rate(stored, f"{path}: metadata")
        tracks = video_tracks(path, otio, timeline, settings.tier)
        clips = tuple(clip for track in tracks for clip in clip_intervals(path, otio, track, kept))
        length = max((track.duration() for track in tracks), default=None)
        if length is None:
            return [Annotation(timeline.name or path.stem, (), None, kept or settings.fps)]
        fps = kept or _rate(length.rate, None, str(path))
        return [Annotation(timeline.name or path.stem, clips, _seconds(length, kept, str(path)), fps)]
    except KeysegError:
        raise
    except Exception as error:  # opentimelineio raises anything on a missing key or a wrong type
        raise DataError(f"{path}: not {_HOLDS} ({error})") from error


def write(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """One video track; the exact rate is stored as metadata. Raises ConfigError, DataError, TimelineError."""
    (annotation,) = annotations
    otio = opentimelineio()
    spans, length, fps = on_frames(annotation, settings)
    timeline = build_timeline(otio, annotation.video, spans, length, float(fps))
    timeline.metadata[_OURS] = {"fps": str(fps)}
    return str(otio.adapters.write_to_string(timeline, "otio_json"))


def build_timeline(otio: Any, video: str, spans: Iterable[tuple[int, int, Interval]], length: int, fps: float) -> Any:
    """A timeline of one video track: clips for `spans`, and gaps between them."""
    timeline = otio.schema.Timeline(video)
    track = otio.schema.Track(_TRACK, kind=otio.schema.TrackKind.Video)
    timeline.tracks.append(track)

    def frames(start: int, end: int) -> Any:
        time = otio.opentime.RationalTime
        return otio.opentime.TimeRange(time(start, fps), time(end - start, fps))

    reached = 0
    for start, end, span in spans:
        if start > reached:
            track.append(otio.schema.Gap(source_range=frames(0, start - reached)))
        track.append(otio.schema.Clip(name=one_line(span.label), source_range=frames(start, end)))
        reached = end
    if length > reached:
        track.append(otio.schema.Gap(source_range=frames(0, length - reached)))
    return timeline


def video_tracks(path: Path, otio: Any, timeline: Any, wanted: Sequence[str]) -> list[Any]:
    """The video tracks, or the first of `wanted` that there is. Raises ConfigError if there is none."""
    tracks = [track for track in timeline.tracks if track.kind == otio.schema.TrackKind.Video]
    index = choose_tier(path, "video track", [track.name for track in tracks], wanted) if wanted else None
    return tracks if index is None else [tracks[index]]


def clip_intervals(path: Path, otio: Any, track: Any, kept: Fraction | None, offset: Any = None) -> Iterator[Interval]:
    """The clips of a track, shifted by `offset`; black is a gap. Raises DataError on nested tracks."""
    for child, span in track.range_of_all_children().items():
        where = f"{path}: clip {child.name!r}"
        if isinstance(child, otio.schema.Gap | otio.schema.Transition) or _is_black(otio, child):
            continue
        if not isinstance(child, otio.schema.Clip):
            raise DataError(f"{path}: {type(child).__name__} {child.name!r} inside a track; flatten the timeline first")
        start, end = span.start_time, span.end_time_exclusive()
        if offset is not None:
            start, end = start + offset, end + offset
        yield interval(_seconds(start, kept, where), _seconds(end, kept, where), child.name, where)


def _seconds(time: Any, kept: Fraction | None, where: str) -> Fraction:
    """Exact seconds of an OpenTimelineIO time. Raises DataError if it cannot be a time in a video."""
    return bounded(Fraction(time.value).limit_denominator(10**6) / _rate(time.rate, kept, where), where)


def _rate(rate: float, kept: Fraction | None, where: str) -> Fraction:
    """Exact rate of an OpenTimelineIO time; `kept` is the one that keyseg stored, and wins if it rounds to `rate`."""
    return kept if kept is not None and float(kept) == rate else nominal_rate(repr(rate), where)


def _is_black(otio: Any, clip: Any) -> bool:
    reference = getattr(clip, "media_reference", None)
    return isinstance(reference, otio.schema.GeneratorReference) and reference.generator_kind == "black"


def opentimelineio(adapter: str = "opentimelineio") -> Any:
    """The library, with the module of an adapter loaded. Raises ConfigError if one is not installed."""
    with extra("formats", "this format"):
        import_module(adapter)
        return import_module("opentimelineio")
