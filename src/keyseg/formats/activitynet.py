"""ActivityNet's JSON, also used by THUMOS 14 and most programs for action detection: a database of videos."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.json_text import need, objects, read_json
from keyseg.formats.text import edges, interval, nominal_rate, seconds
from keyseg.timeline import Annotation, DataError
from keyseg.timeline.files import json_text

_HOLDS = "an object with 'database', as ActivityNet defines it"
looks = re.compile(r'\s*\{.*"(database|results)"', re.DOTALL).match


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """The videos of `database`, or of `results` as detectors write them. Raises DataError."""
    _, content = read_json(path, _HOLDS, settings.encoding)
    if not isinstance(content, dict) or not ({"database", "results"} & set(content)):
        raise DataError(f"{path}: expected {_HOLDS}")
    detected = "database" not in content
    videos = need(content, "results" if detected else "database", dict, str(path))
    return [
        _annotation(name, {"annotations": facts} if detected else facts, f"{path}: {name}", settings)
        for name, facts in videos.items()
    ]


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
            {"segment": [float(start), float(end)], "label": label} for start, end, label in edges(annotation, 6)
        ]
        database[annotation.video] = facts
    return json_text({"version": "keyseg", "database": database})


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
