"""Label Studio's JSON: tasks with ranges of frames (TimelineLabels), or of seconds (time series, audio)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.frames import known_rate, on_frames
from keyseg.formats.json_text import need, objects, read_json
from keyseg.formats.text import interval, nominal_rate, seconds, video_name
from keyseg.timeline import Annotation, DataError, Interval
from keyseg.timeline.files import json_text

_HOLDS = "a list of tasks, as Label Studio exports it"
looks = re.compile(r'\s*(\[(?!\])|\{(?=.*"data")(?=.*"annotations"))', re.DOTALL).match


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """The tasks, as videos, from the export JSON or JSON-MIN.

    Label Studio counts frames from 1, and a range includes both ends. The rate is `fps` of the task's data, where
    keyseg writes it, or that of `settings`. Raises DataError, and ConfigError where frames have no rate.
    """
    _, content = read_json(path, _HOLDS, settings.encoding)
    tasks = content if isinstance(content, list) else [content]
    return [_annotation(task, where, settings) for task, where in objects(tasks, str(path))]


def write(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """One task per video with one annotation, for a project with TimelineLabels `actions` on the Video `video`.

    The video's address, `video` of the task's data, is the video's name. Raises ConfigError without a rate,
    TimelineError.
    """
    tasks = []
    for annotation in annotations:
        spans, length, fps = on_frames(annotation, settings)
        regions = [
            {
                "id": f"action{index}",
                "from_name": "actions",
                "to_name": "video",
                "type": "timelinelabels",
                "value": {"ranges": [{"start": start + 1, "end": end}], "timelinelabels": [label]},
            }
            for index, (start, end, label) in enumerate(spans)
        ]
        data = {"video": annotation.video, "fps": str(fps), "frames": length}
        tasks.append({"data": data, "annotations": [{"result": regions}]})
    return json_text(tasks)


def _annotation(task: dict[str, Any], where: str, settings: ReadSettings) -> Annotation:
    data = task.get("data", task)
    if not isinstance(data, dict):
        raise DataError(f"{where}: expected an object at 'data', got {repr(data)[:80]}")
    media = next((data[key] for key in ("video", "video_url", "audio", "csv") if isinstance(data.get(key), str)), None)
    if media is None:
        media = next((v for v in data.values() if isinstance(v, str) and "/" in v), f"task{task.get('id', '')}")
    fps = nominal_rate(data["fps"], f"{where}: fps") if "fps" in data else settings.fps
    intervals = [item for value, place in _values(task, where) for item in _intervals(value, place, fps)]
    length, frames = None, data.get("frames")
    if fps is not None and isinstance(frames, int) and not isinstance(frames, bool) and 0 <= frames < 10**10:
        length = frames / fps
    return Annotation(video_name(media), tuple(intervals), length, fps)


def _values(task: dict[str, Any], where: str) -> Iterator[tuple[dict[str, Any], str]]:
    """The values of the regions of a task's only annotation, or of its prediction, or of JSON-MIN."""
    if "annotations" not in task and "predictions" not in task:
        for key, column in task.items():
            if isinstance(column, list) and column and isinstance(column[0], dict):
                yield from objects(column, f"{where}: {key}")
        return
    done = [a for a in objects(task.get("annotations", []), f"{where}: annotations") if not a[0].get("was_cancelled")]
    done = done or list(objects(task.get("predictions", []), f"{where}: predictions"))
    if len(done) > 1:
        raise DataError(f"{where}: {len(done)} annotations of one video; keep one and export again")
    for result, place in done:
        for region, at in objects(result.get("result", []), f"{place}: result"):
            yield need(region, "value", dict, at), at


def _intervals(value: dict[str, Any], where: str, fps: Fraction | None) -> Iterator[Interval]:
    """The intervals of one region; other values, such as choices, have none."""
    if "timelinelabels" in value:
        rate = known_rate(fps, where)
        for span, place in objects(value.get("ranges"), f"{where}: ranges"):
            first, last = need(span, "start", int, place), need(span, "end", int, place)
            if not 1 <= first <= last < 10**10:
                raise DataError(f"{place}: expected frames from 1 with start <= end, got {first} to {last}")
            for label in _labels(value, "timelinelabels", where):
                yield interval((first - 1) / rate, last / rate, label, place)
    for kind in ("timeserieslabels", "labels"):  # in seconds
        if kind in value and "start" in value and "end" in value:
            start, end = (seconds(value[key], f"{where}: {key}") for key in ("start", "end"))
            for label in _labels(value, kind, where):
                yield interval(start, end, label, where)


def _labels(value: dict[str, Any], kind: str, where: str) -> list[str]:
    labels = need(value, kind, list, where)
    if not labels or not all(isinstance(label, str) for label in labels):
        raise DataError(f"{where}: expected labels at {kind!r}, got {repr(labels)[:80]}")
    return labels
