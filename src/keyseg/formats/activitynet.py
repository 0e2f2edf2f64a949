"""ActivityNet's JSON, also used by THUMOS 14 and most programs for action detection: a database of videos."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from keyseg.formats.flaws import SegmentRow, checked
from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.text import edges, nominal_rate, number, seconds
from keyseg.timeline import Annotation, DataError
from keyseg.timeline.files import json_text
from keyseg.timeline.json_text import need, objects, read_json

_HOLDS = "an object with 'database', as ActivityNet defines it"
looks = re.compile(r'\s*\{.*"(database|results)"', re.DOTALL).match


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """The videos of `database`, or of `results` as detectors write them, with their scores. Raises DataError."""
    _, content = read_json(path, _HOLDS, settings.encoding, exact=True)
    if not isinstance(content, dict) or not ({"database", "results"} & set(content)):
        raise DataError(f"{path}: expected {_HOLDS}")
    detected = "database" not in content
    found = need(content, "results" if detected else "database", dict, str(path))
    videos = [
        _Video(name, {"annotations": facts} if detected else facts, f"{path}: {name}") for name, facts in found.items()
    ]
    lengths = {video.name: video.length for video in videos if video.length is not None}
    rates = {video.name: video.fps for video in videos if video.fps is not None}
    intervals = checked((row for video in videos for row in video.rows()), settings, lengths, rates)
    return [
        Annotation(
            video.name, tuple(intervals.get(video.name, ())), video.length, video.fps or settings.fps, media=video.media
        )
        for video in videos
    ]


def write(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """All videos, with duration, fps and scores if known; seconds have six decimals. Raises TimelineError."""
    database: dict[str, Any] = {}
    for annotation in annotations:
        facts: dict[str, Any] = {}
        if annotation.duration_seconds is not None:
            facts["duration"] = round(float(annotation.duration_seconds), 6)
        if annotation.fps is not None:
            facts["fps"] = float(annotation.fps)
        facts["annotations"] = [
            {"segment": [float(start), float(end)], "label": label}
            | ({} if interval.score is None else {"score": interval.score})
            for (start, end, label), interval in zip(edges(annotation, 6), annotation.intervals, strict=True)
        ]
        database[annotation.video] = facts
    return json_text({"version": "keyseg", "database": database})


class _Video:
    """One video of the file. Raises DataError."""

    def __init__(self, name: str, facts: Any, where: str) -> None:
        if not isinstance(facts, dict):
            raise DataError(f"{where}: expected an object with 'annotations', got {repr(facts)[:80]}")
        length, fps = facts.get("duration", facts.get("duration_second")), facts.get("fps")
        self.name, self.where = name, f"{where}: annotations"
        self.length = None if length is None else seconds(length, f"{where}: duration")
        self.fps = None if fps is None else nominal_rate(fps, f"{where}: fps")
        self.media = facts["url"] if isinstance(facts.get("url"), str) else ""
        self._segments = facts.get("annotations", [])

    def rows(self) -> Iterator[SegmentRow]:
        """Its segments."""
        for item, where in objects(self._segments, self.where):
            span = need(item, "segment", list, where)
            if len(span) != 2:
                raise DataError(f"{where}: expected two times at 'segment', got {len(span)}")
            start, end = (number(time, f"{where}: segment") for time in span)
            score = None if item.get("score") is None else float(number(item["score"], f"{where}: score"))
            yield SegmentRow(self.name, start, end, need(item, "label", str, where), where, score)
