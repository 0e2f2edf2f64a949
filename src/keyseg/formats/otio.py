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
from keyseg.formats.otio_shape import check_shape
from keyseg.formats.text import bounded, choose_tier, interval, nominal_rate, one_line, point_intervals
from keyseg.timeline import Annotation, DataError, Interval, KeysegError
from keyseg.timeline.extras import extra
from keyseg.timeline.json_text import read_json

_HOLDS = "an OpenTimelineIO timeline"
_MARKERS = "markers"  # the tier that is not a track
_NAMED = 5  # markers in one note
_OURS = "keyseg"  # key of our part of a timeline's metadata
looks = re.compile(r'\s*\{.*"OTIO_SCHEMA"', re.DOTALL).match


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """One video: the clips of all video tracks, or of the one that `settings` names, at their times in the timeline.

    Times count from the start of the timeline, whatever its timecode there. What is disabled, or outside the trimmed
    range of a track or of the timeline, is a gap. Markers are noted, and read in place of the clips where the tier is
    `markers` and no track has this name. Raises DataError, and ConfigError without opentimelineio and on an unknown
    track.
    """
    otio = opentimelineio()
    # Its own parser accepts broken JSON and duplicate keys.
    text, content = read_json(path, _HOLDS, settings.encoding, exact=True)
    check_shape(content, path, _HOLDS)
    try:
        timeline = otio.adapters.read_from_string(text, "otio_json")
        stored = dict(timeline.metadata.get(_OURS, {})).get("fps")
        kept = None if stored is None else nominal_rate(stored, f"{path}: metadata")
        return [_Reader(path, otio, timeline, kept, settings).annotation()]
    except KeysegError:
        raise
    except Exception as error:  # opentimelineio raises anything on a missing key or a wrong type
        raise DataError(f"{path}: not {_HOLDS} ({error})") from error


def write(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """One video track of clips of the video; the exact rate is stored as metadata.

    The video is linked as a path: DaVinci Resolve finds no file by its URI. Raises ConfigError, DataError,
    TimelineError.
    """
    (annotation,) = annotations
    otio = opentimelineio()
    spans, length, fps = on_frames(annotation, settings)
    track = one_line(settings.tier, "track")
    timeline = build_timeline(otio, annotation.video, spans, length, float(fps), track, annotation.media)
    timeline.metadata[_OURS] = {"fps": str(fps)}
    return str(otio.adapters.write_to_string(timeline, "otio_json"))


def build_timeline(
    otio: Any,
    video: str,
    spans: Iterable[tuple[int, int, Interval]],
    length: int,
    fps: float,
    name: str = "actions",
    media: str = "",
) -> Any:
    """A timeline of one video track: clips for `spans` of the file `media`, and gaps between them."""
    timeline = otio.schema.Timeline(video)
    track = otio.schema.Track(name, kind=otio.schema.TrackKind.Video)
    timeline.tracks.append(track)

    def frames(start: int, end: int) -> Any:
        time = otio.opentime.RationalTime
        return otio.opentime.TimeRange(time(start, fps), time(end - start, fps))

    reached = 0
    for start, end, span in spans:
        if start > reached:
            track.append(otio.schema.Gap(source_range=frames(0, start - reached)))
        file = otio.schema.ExternalReference(media, frames(0, length)) if media else None
        track.append(otio.schema.Clip(one_line(span.label), file, frames(start, end)))
        reached = end
    if length > reached:
        track.append(otio.schema.Gap(source_range=frames(0, length - reached)))
    return timeline


class _Reader:
    """The intervals of one timeline. kept: the exact rate that keyseg stored. Raises DataError, ConfigError."""

    def __init__(self, path: Path, otio: Any, timeline: Any, kept: Fraction | None, settings: ReadSettings) -> None:
        self.path, self.otio, self.timeline, self.kept, self.settings = path, otio, timeline, kept, settings
        self.left_out: list[str] = []  # what is disabled
        self.markers: list[tuple[Fraction, Fraction, str]] = []  # start, end and name
        self.media: set[str] = set()

    def annotation(self) -> Annotation:
        """The clips, or the markers, of the tracks that are read."""
        tracks = [track for track in self.timeline.tracks if track.kind == self.otio.schema.TrackKind.Video]
        names, wanted = [track.name for track in tracks], self.settings.tier
        only_markers = bool(wanted) and not {*wanted} & {*names} and _MARKERS in wanted
        index = choose_tier(self.path, "video track", names, wanted) if wanted and not only_markers else None
        shown = [track for track in (tracks if index is None else [tracks[index]]) if self._is_enabled(track)]
        stack, whole = self.timeline.tracks, str(self.path)
        window = None if stack.source_range is None else self._span(stack.source_range, whole)
        origin = window[0] if window else Fraction(0)
        self._note_markers(stack, origin, whole)
        clips = [clip for track in shown for clip in self._clips(track, origin, window)]
        lengths = [_seconds(track.duration(), self.kept, whole) for track in shown]
        length = window[1] - window[0] if window else max(lengths, default=None)
        if self.left_out:
            self.settings.note(f"{self.path}: disabled and left out: {', '.join(self.left_out)}")
        if only_markers:
            clips = self._marked()
        elif self.markers:
            some = ", ".join(repr(name) for *_, name in self.markers[:_NAMED]) + " ..." * (len(self.markers) > _NAMED)
            self.settings.note(
                f"{self.path}: {len(self.markers)} markers are left out: {some}; read them in place of the clips with"
                f" --tier {_MARKERS}"
            )
        if not clips:
            self.settings.note(f"{self.path}: no clips on a video track that is enabled; tracks of sound are not read")
        rates = [track.duration().rate for track in shown]
        fps = self.kept or (_rate(max(rates), None, whole) if rates else self.settings.fps)
        media = next(iter(self.media)) if len(self.media) == 1 else ""
        return Annotation(self.timeline.name or self.path.stem, tuple(clips), length, fps, media=media)

    def _clips(self, track: Any, origin: Fraction, window: tuple[Fraction, Fraction] | None) -> Iterator[Interval]:
        """The clips of a track inside its trimmed range and that of the timeline; black is a gap."""
        trimmed = None if track.source_range is None else self._span(track.source_range, str(self.path))
        shift = (trimmed[0] if trimmed else Fraction(0)) + origin
        self._note_markers(track, shift, f"{self.path}: track {track.name!r}")
        low, high = Fraction(0), (window[1] - window[0] if window else None)
        if trimmed:
            low = max(low, -origin)
            high = trimmed[1] - shift if high is None else min(high, trimmed[1] - shift)
        schema = self.otio.schema
        for child, span in track.range_of_all_children().items():
            where = f"{self.path}: clip {child.name!r}"
            if isinstance(child, schema.Gap | schema.Transition) or _is_black(self.otio, child):
                continue
            if not isinstance(child, schema.Clip):
                what = type(child).__name__
                raise DataError(f"{self.path}: {what} {child.name!r} inside a track; flatten the timeline first")
            start, end = (time - shift for time in self._span(span, where))
            if self._is_enabled(child):
                source = self._span(child.trimmed_range(), where)
                self._note_markers(child, source[0] - start, where, source)
                if isinstance(child.media_reference, schema.ExternalReference):
                    self.media.add(child.media_reference.target_url or "")
                start, end = max(start, low), end if high is None else min(end, high)
                if start < end or (trimmed is None and window is None):
                    yield interval(bounded(start, where), bounded(end, where), child.name, where)

    def _is_enabled(self, item: Any) -> bool:
        if not item.enabled:
            self.left_out.append(f"{type(item).__name__.lower()} {item.name!r}")
        return bool(item.enabled)

    def _note_markers(
        self, item: Any, shift: Fraction, where: str, shown: tuple[Fraction, Fraction] | None = None
    ) -> None:
        """Keep an item's markers that start in `shown`; `shift` is the start of the timeline in the item's time."""
        for marker in item.markers:
            start, end = self._span(marker.marked_range, f"{where}: marker {marker.name!r}")
            if shown is not None and not shown[0] <= start < shown[1]:
                continue
            self.markers.append((start - shift, end - shift, marker.name or marker.comment))

    def _marked(self) -> list[Interval]:
        """The markers as intervals; those without a length are points."""
        where = f"{self.path}: marker"
        found = [
            interval(bounded(start, f"{where} {name!r}"), bounded(end, f"{where} {name!r}"), name, f"{where} {name!r}")
            for start, end, name in self.markers
            if start != end
        ]
        points = [(bounded(start, where), name, where) for start, end, name in self.markers if start == end]
        return found + point_intervals(points, self.settings, self.kept)

    def _span(self, span: Any, where: str) -> tuple[Fraction, Fraction]:
        """Start and end of a range, in exact seconds."""
        start = _exact(span.start_time, self.kept, where)
        return start, start + _exact(span.duration, self.kept, where)


def _seconds(time: Any, kept: Fraction | None, where: str) -> Fraction:
    """Exact seconds of an OpenTimelineIO time. Raises DataError if it cannot be a time in a video."""
    return bounded(_exact(time, kept, where), where)


def _exact(time: Any, kept: Fraction | None, where: str) -> Fraction:
    """Exact seconds of an OpenTimelineIO time, which may be before 0."""
    return Fraction(time.value).limit_denominator(10**6) / _rate(time.rate, kept, where)


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
