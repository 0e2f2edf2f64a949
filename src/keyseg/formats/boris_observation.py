"""Observations of BORIS as annotations: which event happens in which media file, and when."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from keyseg.formats.format import ReadSettings
from keyseg.formats.text import bounded, interval, number, point_intervals, video_name
from keyseg.timeline import Annotation, DataError

_FAR = 10**11  # seconds
NO_SUBJECT = "No focal subject"
# BORIS rounds times and lengths to milliseconds, so that an edge at a joint of two media can be off by as much.
_ROUNDED = Fraction(2, 1000)


@dataclass(frozen=True)
class Media:
    """One media file; start: when it starts, in seconds of the observation, None if that is unknown."""

    path: str
    start: Fraction | None
    length: Fraction | None
    fps: Fraction | None


@dataclass(frozen=True)
class CodedEvent:
    """A state or, where start and end are one, a point, in seconds of the observation.

    media: the path of the media file in which it starts, if the file says so.
    """

    start: Fraction
    end: Fraction
    label: str
    subject: str
    where: str
    media: str = ""


@dataclass(frozen=True)
class Observation:
    """players: they play side by side, each its media one after the other; none in a live observation. untimed: number
    of events without a time, which pictures have."""

    name: str
    where: str
    events: Sequence[CodedEvent]
    players: Sequence[Sequence[Media]] = ()
    offset: Fraction = Fraction(0)
    untimed: int = 0


@dataclass(frozen=True)
class _Part:
    """What of an event is in one media file; start and end are seconds in that file."""

    media: Media
    event: CodedEvent
    start: Fraction
    end: Fraction

    @property
    def point(self) -> tuple[Fraction, str, str]:
        return self.start, self.event.label, self.event.where


def moment(value: object, where: str) -> Fraction:
    """Exact seconds of an observation, which may start at any time, also in 1970. Raises DataError at `where`."""
    exact = number(value, where)
    if abs(exact) > _FAR:
        raise DataError(f"{where}: expected seconds, got {str(value)[:40]!r}")
    return exact


def in_sequence(
    paths: Sequence[str], lengths: Sequence[Fraction | None], rates: Sequence[Fraction | None], start: Fraction | None
) -> list[Media]:
    """Media that follow each other; after one of unknown length, the start is unknown."""
    media, at = [], start
    for path, length, fps in zip(paths, lengths, rates, strict=True):
        media.append(Media(path, at, length, fps))
        at = None if at is None or length is None else at + length
    return media


def annotations_of(observations: Sequence[Observation], settings: ReadSettings) -> list[Annotation]:
    """One annotation per media file in which something is coded, or per media file and subject.

    A video is named after its media file, or after the observation if that has none, or if several observations are of
    one video, with `per_subject` of one video and subject. An event that continues in the next media file is split.

    Raises DataError where an event is in no media file, where the place of a media file in its observation is unknown,
    and on points without `settings.points`.
    """
    chosen = _chosen(observations, settings)
    coded = [(observation, _parts(observation)) for observation in chosen]
    _note(coded, settings)
    if settings.points in (None, "drop"):
        point_intervals([part.point for _, parts in coded for part in parts if part.start == part.end], settings)
    found = [
        (video_name(media.path) or observation.name, track, media, inside, observation, len(_media(parts)))
        for observation, parts in coded
        for media in _media(parts)
        for track, inside in _tracks([part for part in parts if part.media is media], settings.per_subject).items()
    ]
    shared = {name for (name, _), count in Counter(item[:2] for item in found).items() if count > 1}
    annotations = []
    for name, track, media, inside, observation, several in found:
        if name in shared:
            name = observation.name if several == 1 else f"{observation.name} {name}"
        annotations.append(_annotation(name, track, media, inside, settings))
    return annotations


def _tracks(parts: Sequence[_Part], per_subject: bool) -> dict[str, list[_Part]]:
    """The parts by track: of each subject, or all in one without a name."""
    tracks: dict[str, list[_Part]] = {}
    for part in parts:
        track = part.event.subject if per_subject and part.event.subject != NO_SUBJECT else ""
        tracks.setdefault(track, []).append(part)
    return tracks


def _annotation(name: str, track: str, media: Media, parts: Sequence[_Part], settings: ReadSettings) -> Annotation:
    states = [interval(p.start, p.end, p.event.label, p.event.where) for p in parts if p.start != p.end]
    if isinstance(settings.points, int):
        points = [part.point for part in parts if part.start == part.end]
        states += point_intervals(points, settings, media.fps, media.length)
    fps = media.fps or settings.fps
    return Annotation(name, tuple(states), media.length, fps, media=media.path, track=track)


def _media(parts: Sequence[_Part]) -> list[Media]:
    """The media files in which something is coded, in order of time."""
    return sorted({id(part.media): part.media for part in parts}.values(), key=lambda media: media.start or Fraction(0))


def _chosen(observations: Sequence[Observation], settings: ReadSettings) -> list[Observation]:
    """The observations with the events of their first subject of `settings.tier`, or with all events.

    Observations without such a subject are left out with a note. Raises DataError if all of them are.
    """
    if not settings.tier:
        return list(observations)
    chosen, without = [], []
    for observation in observations:
        subjects = {event.subject for event in observation.events}
        subject = next((name for name in settings.tier if name in subjects), None)
        if subject is None and subjects:
            without.append(f"observation {observation.name!r} (it has {', '.join(sorted(subjects))})")
        else:
            events = [event for event in observation.events if event.subject == subject]
            chosen.append(replace(observation, events=events))
    subjects_wanted = " or ".join(map(repr, settings.tier))
    if without and len(without) == len(observations):
        raise DataError(f"{observations[0].where}: no subject {subjects_wanted} in {_some(without)}")
    if without:
        settings.note(f"no subject {subjects_wanted}, left out: {_some(without)}")
    return chosen


def _parts(observation: Observation) -> list[_Part]:
    """Each event in the media file, or the media files, in which it happens."""
    live = [Media("", observation.offset, None, None)]
    parts: list[_Part] = []
    for event in observation.events:
        named = (player for player in observation.players if event.media in {media.path for media in player})
        player = next(named, observation.players[0] if observation.players else live)
        parts += _placed(event, player, observation)
    return parts


def _placed(event: CodedEvent, player: Sequence[Media], observation: Observation) -> list[_Part]:
    known = [media for media in player if media.start is not None]
    starts = [media.start or Fraction(0) for media in known]
    first = bisect_right(starts, event.start) - 1
    following = first + 1
    if following < len(known) and starts[following] - event.start <= _ROUNDED < event.end - starts[following]:
        first += 1  # the start is at the joint
    what = f"{event.where}: {event.label!r} at {float(event.start):g} s"
    if len(known) < len(player) and first == len(known) - 1 and not (known and event.media == known[first].path):
        raise DataError(
            f"{what} is in {event.media or player[len(known)].path!r}, and the lengths of the media files before it are"
            " not in this file; export with BORIS 8 or later, or read the project (.boris)"
        )
    if first < 0:
        raise DataError(
            f"{what} is before {player[0].path or 'the start'!r}, which starts at {float(starts[0]):g} s; is the time"
            f" offset of {float(observation.offset):g} s right?"
        )
    at_joint = any(abs(event.start - start) <= _ROUNDED for start in starts)
    # With an offset, BORIS looks the name up as if there were none.
    if event.media not in ("", known[first].path) and not at_joint and not observation.offset:
        raise DataError(
            f"{what} is in {known[first].path!r} by the lengths of the media files, but the file names"
            f" {event.media!r}; export it with BORIS again"
        )
    parts: list[_Part] = []
    for at in range(first, len(known)):
        start = max(event.start, starts[at])
        end = event.end if at == len(known) - 1 else min(event.end, starts[at + 1])
        if at > first and end - start <= _ROUNDED:
            break
        parts.append(_Part(known[at], event, *(bounded(time - starts[at], event.where) for time in (start, end))))
    return parts


def _note(coded: Sequence[tuple[Observation, Sequence[_Part]]], settings: ReadSettings) -> None:
    """Notes about what is left out, split or shared; one of each kind."""
    split, empty, beside, untimed = [], [], [], []
    for observation, parts in coded:
        if observation.untimed:
            untimed.append(f"{observation.untimed} in observation {observation.name!r}")
        used = {part.media.path for part in parts}
        split += [one.event.label for one, two in pairwise(parts) if one.event is two.event]
        if not parts and not observation.untimed:
            empty.append(f"observation {observation.name!r}")
        elif len(observation.players) > 1:
            others = [media.path for player in observation.players for media in player if media.path not in used]
            belong = f"{', '.join(sorted(used))}, not to {', '.join(others)}"
            beside.append(f"{belong} (observation {observation.name!r})" if others else belong)
        else:
            empty += [repr(media.path) for player in observation.players for media in player if media.path not in used]
    if empty:
        settings.note(f"nothing is coded in {_some(empty)}; left out")
    if untimed:
        settings.note(f"events without a time, as those of pictures, are left out: {_some(untimed)}")
    if beside:
        settings.note(f"media files play side by side; the events belong to {_some(beside)}")
    if split:
        settings.note(f"{len(split)} event(s) continue in the next media file, and are split: {_some(split)}")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
