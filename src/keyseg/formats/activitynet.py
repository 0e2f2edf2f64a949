"""ActivityNet's JSON, also used by THUMOS 14 and most programs for action detection: a database of videos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.json_text import need, objects, read_json
from keyseg.formats.seconds import edges, nominal_rate, seconds
from keyseg.formats.text import interval
from keyseg.timeline import Annotation, DataError
from keyseg.timeline.files import json_text

_HOLDS = "an object with 'database', as ActivityNet defines it"


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """The videos of `database`, or of `results` as detectors write them. Raises DataError."""
    content = read_json(path, _HOLDS)
    if not isinstance(content, dict) or not ({"database", "results"} & set(content)):
        raise DataError(f"{path}: expected {_HOLDS}")
    if "database" in content:
        videos = need(content, "database", dict, str(path))
    else:
        results = need(content, "results", dict, str(path))
        videos = {name: {"annotations": actions} for name, actions in results.items()}
    return [_annotation(name, facts, f"{path}: {name}", settings) for name, facts in videos.items()]


def write(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """All videos, with duration and fps if known; seconds have six decimals. Raises TimelineError."""
    database: dict[str, Any] = {}
    for annotation in annotations:
        facts: dict[str, Any] = {}
        if annotation.duration_seconds is not None:
            facts["duration"] = round(float(annotation.duration_seconds), 6)
        if annotation.fps is not None:
            facts["fps"] = float(annotation.fps)
        facts["annotations"] = [
            {"segment": [start / 10**6, end / 10**6], "label": label} for start, end, label in edges(annotation, 6)
        ]
        database[annotation.video] = facts
    return json_text({"version": "keyseg", "database": database})


def looks(text: str) -> bool:
    """An object that has a database, or results."""
    return text.lstrip().startswith("{") and ('"database"' in text or '"results"' in text)


def _annotation(name: str, facts: Any, where: str, settings: ReadSettings) -> Annotation:
    if not isinstance(facts, dict):
        raise DataError(f"{where}: expected an object with 'annotations', got {repr(facts)[:80]}")
    actions = []
    for item, place in objects(facts.get("annotations", []), f"{where}: annotations"):
        span = need(item, "segment", list, place)
        if len(span) != 2:
            raise DataError(f"{place}: expected two times at 'segment', got {len(span)}")
        start, end = (seconds(time, f"{place}: segment") for time in span)
        actions.append(interval(start, end, need(item, "label", str, place), place))
    length = facts.get("duration", facts.get("duration_second"))
    fps = facts.get("fps")
    return Annotation(
        name,
        tuple(actions),
        None if length is None else seconds(length, f"{where}: duration"),
        settings.fps if fps is None else nominal_rate(fps, f"{where}: fps"),
    )
