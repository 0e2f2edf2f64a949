"""Label Studio's JSON: tasks with ranges of frames (TimelineLabels), or of seconds (time series, audio)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from keyseg.formats.format import Reading, Writing
from keyseg.formats.frames import on_frames, rate_given
from keyseg.formats.json_text import dump, load, need, objects
from keyseg.formats.seconds import frame_rate, seconds
from keyseg.formats.text import interval, video_name
from keyseg.timeline import Annotation, DataError, Interval

_HOLDS = "a list of tasks, as Label Studio exports it"
# Kinds of labels whose start and end are seconds.
_IN_SECONDS = ("timeserieslabels", "labels")
_FROM, _TO = "actions", "video"


def read(path: Path, reading: Reading) -> list[Annotation]:
    """The tasks, as videos, from the export JSON or JSON-MIN.

    Label Studio counts frames from 1 and both ends of a range belong to it. The rate is `fps` of the task's data, where
    keyseg puts it, or that of `reading`. Raises DataError; ConfigError where frames have no rate.
    """
    content = load(path, _HOLDS)
    tasks = content if isinstance(content, list) else [content]
    return [_annotation(task, where, reading) for task, where in objects(tasks, str(path))]


def write(annotations: Sequence[Annotation], writing: Writing) -> str:
    """A task a video with one annotation, for a project with TimelineLabels `actions` on the Video `video`.

    The video's address, `video` of the task's data, is the video's name. Raises ConfigError without a rate,
    TimelineError.
    """
    tasks = []
    for annotation in annotations:
        spans, length, fps = on_frames(annotation, writing)
        regions = [
            {
                "id": f"action{index}",
                "from_name": _FROM,
                "to_name": _TO,
                "type": "timelinelabels",
                "value": {"ranges": [{"start": start + 1, "end": end}], "timelinelabels": [label]},
            }
            for index, (start, end, label) in enumerate(spans)
        ]
        data = {"video": annotation.video, "fps": str(fps), "frames": length}
        tasks.append({"data": data, "annotations": [{"result": regions}]})
    return dump(tasks)


def looks(text: str) -> bool:
    """A list of tasks, or one task."""
    start = text.lstrip("\ufeff \t\r\n")
    return (start.startswith("[") and not start.startswith("[]")) or (
        start.startswith("{") and '"data"' in text and '"annotations"' in text
    )


def _annotation(task: dict[str, Any], where: str, reading: Reading) -> Annotation:
    data = task.get("data", task)
    if not isinstance(data, dict):
        raise DataError(f"{where}: expected an object at 'data', got {repr(data)[:80]}")
    media = next((data[key] for key in ("video", "video_url", "audio", "csv") if isinstance(data.get(key), str)), None)
    if media is None:
        media = next((v for v in data.values() if isinstance(v, str) and "/" in v), f"task{task.get('id', '')}")
    fps = _rate(data["fps"], where) if "fps" in data else reading.fps
    found = [item for value, place in _values(task, where) for item in _intervals(value, place, fps)]
    frames = data.get("frames")
    whole = isinstance(frames, int) and not isinstance(frames, bool) and 0 <= frames < 10**10 and fps is not None
    length = Fraction(frames) / fps if whole and fps is not None and frames is not None else None
    return Annotation(video_name(media), tuple(found), length, fps)


def _rate(value: Any, where: str) -> Fraction:
    above, _, below = str(value).partition("/")
    if below and above.isdecimal() and below.isdecimal() and len(above + below) < 20 and int(above) and int(below):
        return Fraction(int(above), int(below))
    return frame_rate(value, f"{where}: fps")


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
        raise DataError(f"{where}: {len(done)} annotations of one video; keep one of them and export again")
    for result, place in done:
        for region, at in objects(result.get("result", []), f"{place}: result"):
            yield need(region, "value", dict, at), at


def _intervals(value: dict[str, Any], where: str, fps: Fraction | None) -> Iterator[Interval]:
    """The intervals of one region; values of other kinds, such as choices, have none."""
    if "timelinelabels" in value:
        fps = fps or rate_given(Reading(), where)
        for span, place in objects(value.get("ranges"), f"{where}: ranges"):
            first, last = need(span, "start", int, place), need(span, "end", int, place)
            if not 1 <= first <= last < 10**10:
                raise DataError(f"{place}: expected frames from 1 with start <= end, got {first} to {last}")
            for label in _labels(value, "timelinelabels", where):
                yield interval((first - 1) / fps, last / fps, label, place)
    for kind in _IN_SECONDS:
        if kind in value and "start" in value and "end" in value:
            start, end = (seconds(value[key], f"{where}: {key}") for key in ("start", "end"))
            for label in _labels(value, kind, where):
                yield interval(start, end, label, where)


def _labels(value: dict[str, Any], kind: str, where: str) -> list[str]:
    found = need(value, kind, list, where)
    if not found or not all(isinstance(label, str) for label in found):
        raise DataError(f"{where}: expected labels at {kind!r}, got {repr(found)[:80]}")
    return found
