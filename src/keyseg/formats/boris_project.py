"""BORIS' projects (.boris): one JSON file with the ethogram and the observations of several videos."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from string import ascii_lowercase, digits
from typing import Any

from keyseg.formats.boris_observation import (
    NO_SUBJECT,
    CodedEvent,
    Media,
    Observation,
    annotations_of,
    in_sequence,
    moment,
)
from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.text import bounded, edges, nominal_rate, one_line, rounded
from keyseg.timeline import Annotation, DataError, TimelineError
from keyseg.timeline.json_text import need, objects, read_json

_HOLDS = "a project of BORIS"
_PLAYERS = [str(number) for number in range(1, 9)]
looks = re.compile(r'\s*\{(?=.*"behaviors_conf")(?=.*"observations")', re.DOTALL).match


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """The media files of the observations, as `boris_observation.annotations_of` names them.

    Events of a state behaviour take turns: one starts it, the next of the same subject and modifiers stops it. Times in
    the file include the time offset of the observation; times in a video do not. Raises DataError, also on a state that
    is not stopped and on a behaviour that is not in the ethogram.
    """
    _, project = read_json(path, _HOLDS, settings.encoding, exact=True, nan=True)
    if not isinstance(project, dict):
        raise DataError(f"{path}: expected {_HOLDS}, got {repr(project)[:80]}")
    ethogram = need(project, "behaviors_conf", dict, str(path))
    states = {}
    for behaviour, where in objects(list(ethogram.values()), f"{path}: behaviors_conf"):
        states[need(behaviour, "code", str, where)] = need(behaviour, "type", str, where).lower().startswith("state")
    observations = need(project, "observations", dict, str(path))
    return annotations_of([_observation(name, observations, states, path) for name in observations], settings)


def write(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """One observation per video, with one medium; subjects are the tracks. Seconds have three decimals, as in BORIS.

    The ethogram has the actions of `settings.labels`, else those that occur. Raises DataError, TimelineError.
    """
    names = {label for annotation in annotations for label in annotation.labels}
    if settings.labels is not None:
        names |= {name for name in settings.labels.names if name not in settings.labels.background}
    subjects = dict.fromkeys(one_line(a.track, "subject") for a in annotations if a.track)
    observations: dict[str, dict[str, Any]] = {}
    for annotation in annotations:
        observation = observations.setdefault(one_line(annotation.video, "video name"), _observed(annotation))
        reached: dict[str, Decimal] = {}
        for start, end, label in edges(annotation, 3):
            if start < reached.get(label, 0):
                raise TimelineError(
                    f"{annotation.name}: {label!r} from {start} s starts before the one before it ends, which a project"
                    " of BORIS cannot hold; join the two"
                )
            reached[label] = end
            event = [annotation.track, one_line(label), "", "", "NA"]  # modifiers, comment, frame
            observation["events"] += [[float(time), *event] for time in (start, end)]
    for observation in observations.values():
        observation["events"].sort(key=lambda event: event[:3])
    project = {
        "time_format": "hh:mm:ss",
        "project_date": "",
        "project_name": "",
        "project_description": "",
        "project_format_version": "7.0",
        "subjects_conf": {str(i): {"key": "", "name": name, "description": ""} for i, name in enumerate(subjects)},
        "behaviors_conf": {str(i): _behaviour(i, label.strip()) for i, label in enumerate(sorted(names))},
        "observations": observations,
        "behavioral_categories": [],
        "behavioral_categories_config": {},
        "independent_variables": {},
        "coding_map": {},
        "behaviors_coding_map": [],
        "converters": {},
    }
    return json.dumps(project, indent=1) + "\n"  # ASCII: BORIS reads it in the encoding of the system


def _observation(name: str, observations: Mapping[str, Any], states: Mapping[str, bool], path: Path) -> Observation:
    where = f"{path}: observation {name!r}"
    content = need(observations, name, dict, where)
    offset = moment(content.get("time offset") or 0, f"{where}: time offset")
    players = _players(content, offset, where) if content.get("type") == "MEDIA" else []
    given = need(content, "events", list, where)
    timed = [event for event in given if not (isinstance(event, list) and event and _is_nan(event[0]))]
    return Observation(name, where, _events(timed, states, where), players, offset, len(given) - len(timed))


def _is_nan(value: object) -> bool:
    """Whether this is the time of an event in a picture."""
    return isinstance(value, Decimal) and value.is_nan()


def _players(content: dict[str, Any], offset: Fraction, where: str) -> list[list[Media]]:
    info = _mapping(content, "media_info", where)
    lengths, rates, offsets, created = (
        _mapping(info, key, f"{where}: media_info") for key in ("length", "fps", "offset", "media_creation_time")
    )
    players = []
    for player, files in sorted(need(content, "file", dict, where).items()):
        if not isinstance(files, list) or not all(isinstance(file, str) and file for file in files):
            raise DataError(f"{where}: expected a list of media files at {player!r}, got {repr(files)[:80]}")
        durations = [_known(lengths.get(file), f"{where}: length of {file}") for file in files]
        fps = [nominal_rate(rates[file], f"{where}: fps of {file}") if rates.get(file) else None for file in files]
        start = offset + moment(offsets.get(player) or 0, f"{where}: offset of player {player}")
        media = in_sequence(files, durations, fps, start)
        if content.get("media_creation_date_as_offset"):
            clock = {file: moment(created.get(file), f"{where}: media_creation_time of {file}") for file in files}
            media = sorted(
                (Media(m.path, offset + clock[m.path], m.length, m.fps) for m in media), key=lambda m: m.start or 0
            )
        if media:
            players.append(media)
    return players


def _mapping(content: Mapping[str, Any], key: str, where: str) -> dict[str, Any]:
    """An object that may be missing."""
    return need({key: content.get(key) or {}}, key, dict, where)


def _known(value: object, where: str) -> Fraction | None:
    return bounded(moment(value, where), where) or None if value is not None else None


def _events(events: Sequence[object], states: Mapping[str, bool], where: str) -> list[CodedEvent]:
    """Points, and states from each start to its stop. Raises DataError."""
    rows = []
    for index, event in enumerate(events, 1):
        place = f"{where}, event {index}"
        if not isinstance(event, list) or len(event) < 4 or not all(isinstance(text, str) for text in event[1:4]):
            raise DataError(f"{place}: expected [time, subject, behaviour, modifiers, ...], got {repr(event)[:80]}")
        if event[2] not in states:
            raise DataError(f"{place}: the behaviour {event[2]!r} is not in the ethogram of the project; add it there")
        rows.append((moment(event[0], place), event[1], event[2], event[3], place))
    found: list[CodedEvent] = []
    running: dict[tuple[str, ...], tuple[Fraction, str]] = {}
    for time, subject, label, modifiers, place in sorted(rows, key=lambda row: row[:3]):
        key = (subject, label, modifiers)
        if not states[label]:
            found.append(CodedEvent(time, time, label, subject or NO_SUBJECT, place))
        elif key in running:
            start, first = running.pop(key)
            found.append(CodedEvent(start, time, label, subject or NO_SUBJECT, first))
        else:
            running[key] = time, place
    for (_, label, _), (time, place) in running.items():
        raise DataError(f"{place}: {label!r} starts at {float(time):g} s and is not stopped; stop it in BORIS")
    return found


def _observed(annotation: Annotation) -> dict[str, Any]:
    """An observation without events."""
    media, length, fps = annotation.media or annotation.video, annotation.duration_seconds, annotation.fps
    return {
        "file": {player: [media] if player == "1" else [] for player in _PLAYERS},
        "type": "MEDIA",
        "date": "",
        "description": "",
        "time offset": 0.0,
        "events": [],
        "observation time interval": [0, 0],
        "independent_variables": {},
        "visualize_spectrogram": False,
        "visualize_waveform": False,
        "media_creation_date_as_offset": False,
        "media_scan_sampling_duration": 0,
        "image_display_duration": 1,
        "close_behaviors_between_videos": False,
        "media_info": {
            "length": {} if length is None else {media: float(rounded(length, 6))},
            "fps": {} if fps is None else {media: float(fps)},
            "hasVideo": {media: True},
            "hasAudio": {},
            "offset": {"1": 0.0},
        },
    }


def _behaviour(number: int, label: str) -> dict[str, Any]:
    """A state of the ethogram, with a key of the keyboard as long as there are some."""
    keys = ascii_lowercase + digits
    return {
        "type": "State event",
        "key": keys[number] if number < len(keys) else "",
        "code": one_line(label),
        "description": "",
        "color": "",
        "category": "",
        "modifiers": {},
        "excluded": "",
        "coding map": "",
    }
