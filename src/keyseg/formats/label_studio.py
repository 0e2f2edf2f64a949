"""Label Studio's JSON: tasks with ranges of frames (TimelineLabels), or of seconds (time series, audio)."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Sequence
from contextlib import suppress
from html import unescape
from pathlib import Path, PurePosixPath
from statistics import fmean
from typing import Any
from urllib.parse import unquote

from keyseg.formats.flaws import SegmentRow, checked
from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.frames import known_rate, on_frames
from keyseg.formats.text import nominal_rate, number, video_name
from keyseg.timeline import Annotation, DataError, Interval
from keyseg.timeline.files import json_text
from keyseg.timeline.json_text import need, objects, read_json

_HOLDS = "a list of tasks, as Label Studio exports it"
_NAMED = 5  # tasks in one note
_LOCAL = re.compile(r"/data/local-files/?\?(?:.*&)?d=(.*?)(?:&\w+=.*)?$")  # a file below Label Studio's local storage
_PROXY = re.compile(r"/resolve/?\?(?:.*&)?fileuri=([\w-]+)", re.ASCII)  # an address in base64
_ELEMENT = re.compile(r"<\w[^>]*?\ssrc\s*=\s*(['\"])(.+?)\1", re.DOTALL)  # such as a video in HTML
_SERVED = re.compile(r"(?!file:)\w+://|/data/")  # addresses that Label Studio can open
_UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)")  # Label Studio puts this before the name of a file that is uploaded
looks = re.compile(r'\s*(\[(?!\])|\{(?=.*"data")(?=.*"(annotations|predictions)"))', re.DOTALL).match


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """The annotated tasks, as videos, from the export JSON or JSON-MIN; the others are noted.

    A task without annotation is read from its prediction. Label Studio counts frames from 1, and a range includes both
    ends. The rate is `fps` of the task's data, where keyseg writes it, or that of `settings`.

    Raises DataError, also where no task has timeline labels, and ConfigError where frames have no rate.
    """
    _, content = read_json(path, _HOLDS, settings.encoding, exact=True)
    tasks = [_Task(*task, settings) for task in objects(content if isinstance(content, list) else [content], str(path))]
    other = [task for task in tasks if task.other and not task.rows]
    if other and not any(task.rows for task in tasks):
        kinds = ", ".join(sorted({kind for task in other for kind in task.other}))
        raise DataError(f"{path}: none of the {len(tasks)} tasks has timeline labels; they have {kinds}")
    for what, several in (
        ("have no annotation and are left out", [task for task in tasks if not task.results]),
        ("have no timeline labels and are left out", other),
        ("have no annotation, so that their predictions are read", [task for task in tasks if task.predicted]),
    ):
        if several:
            names = ", ".join(task.video for task in several[:_NAMED]) + " ..." * (len(several) > _NAMED)
            settings.note(f"{path}: {len(several)} of {len(tasks)} tasks {what}: {names}")
    read_here = [task for task in tasks if task.results and task not in other]
    seen: set[str] = set()
    for task in read_here:
        if task.media in seen:
            raise DataError(f"{path}: the video {task.video!r} is in it twice")
        seen.add(task.media)
    lengths = {task.media: task.length for task in read_here if task.length is not None}
    rates = {task.media: task.fps for task in read_here if task.fps is not None}
    intervals = checked((row for task in read_here for row in task.rows), settings, lengths, rates)
    return [
        Annotation(task.video, tuple(intervals.get(task.media, ())), task.length, task.fps, media=task.media)
        for task in read_here
    ]


def write(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """One task per video, for a project with TimelineLabels `actions` on the Video `video`.

    A task has one annotation, or one prediction if `settings` say so; its score is the mean of the intervals' scores.
    The address `video` of the task's data is the one in a file of Label Studio, or else the video's name. Raises
    ConfigError without a rate, TimelineError.
    """
    tasks = []
    for annotation in annotations:
        spans, length, fps = on_frames(annotation, settings)
        regions = [_region(f"action{index}", *span, settings) for index, span in enumerate(spans)]
        served = _SERVED.match(annotation.media) is not None
        data = {
            "video": annotation.media if served else annotation.video,
            "fps": str(fps),
            "frames": length,
        }
        result: dict[str, Any] = {"result": regions}
        if settings.predicted:
            scores = [interval.score for _, _, interval in spans if interval.score is not None]
            result |= {"model_version": "keyseg"} | ({"score": round(fmean(scores), 3)} if scores else {})
        tasks.append({"data": data, "predictions" if settings.predicted else "annotations": [result]})
    return json_text(tasks)


def _region(name: str, start: int, end: int, interval: Interval, settings: WriteSettings) -> dict[str, Any]:
    score = {} if interval.score is None or not settings.predicted else {"score": interval.score}
    return {
        "id": name,
        "from_name": "actions",
        "to_name": "video",
        "type": "timelinelabels",
        "value": {"ranges": [{"start": start + 1, "end": end}], "timelinelabels": [interval.label]},
    } | score


class _Task:
    """One task: its video, the rows of timeline labels, and the kinds of its `other` regions. Raises DataError.

    results: how many annotations, or predictions where there is no annotation; 0 for a task that is not annotated.
    """

    def __init__(self, task: dict[str, Any], where: str, settings: ReadSettings) -> None:
        data = task.get("data", task)
        if not isinstance(data, dict):
            raise DataError(f"{where}: expected an object at 'data', got {repr(data)[:80]}")
        self.media = _address(data) or f"task{task.get('id', '')}"
        self.video = _video(self.media, task.get("file_upload"))
        self.fps = nominal_rate(data["fps"], f"{where}: fps") if "fps" in data else settings.fps
        self.length, frames = None, data.get("frames")
        if self.fps is not None and isinstance(frames, int) and not isinstance(frames, bool) and 0 <= frames < 10**10:
            self.length = frames / self.fps
        self.results, self.predicted, self.other = 0, False, set[str]()
        self.rows = [row for region, place in self._regions(task, where) for row in self._rows(region, place)]

    def _regions(self, task: dict[str, Any], where: str) -> Iterator[tuple[dict[str, Any], str]]:
        """The regions of a task's only annotation, or of its prediction, or of JSON-MIN."""
        if not {"data", "annotations", "predictions"} & set(task):
            self.results = int(bool(task))
            columns = {key: value for key, value in task.items() if isinstance(value, list) and value}
            for key, column in columns.items():
                if isinstance(column[0], dict):
                    yield from (({"value": value}, place) for value, place in objects(column, f"{where}: {key}"))
            if not columns:
                self.other.add("none")
            return
        given = objects(task.get("annotations", []), f"{where}: annotations")
        done = [(result, place) for result, place in given if not result.get("was_cancelled")]
        self.predicted = not done and bool(task.get("predictions"))
        done = done or list(objects(task.get("predictions", []), f"{where}: predictions"))
        self.results = len(done)
        if len(done) > 1:
            what, by = ("predictions", "model_version") if self.predicted else ("annotations", "completed_by")
            whose = ", ".join(_who(result.get(by)) for result, _ in done)
            raise DataError(f"{where}: {len(done)} {what} of one video, by {whose}; keep one and export again")
        for result, place in done:
            yield from objects(result.get("result", []), f"{place}: result")

    def _rows(self, region: dict[str, Any], where: str) -> Iterator[SegmentRow]:
        """The rows of one region; other regions, such as choices, have none."""
        if "value" not in region:  # a relation between two regions
            self.other.add(str(region.get("type"))[:40])
            return
        value = need(region, "value", dict, where)
        score = region.get("score")
        score = None if score is None else float(number(score, f"{where}: score"))
        timed = "start" in value and "end" in value and not isinstance(value.get("text"), str)  # no span of a text
        kind = next((kind for kind in ("timeserieslabels", "labels") if kind in value and timed), None)
        if "timelinelabels" in value:
            rate = known_rate(self.fps, where)
            for span, place in objects(value.get("ranges"), f"{where}: ranges"):
                first, last = need(span, "start", int, place), need(span, "end", int, place)
                if not 1 <= first <= last < 10**10:
                    raise DataError(f"{place}: expected frames from 1 with start <= end, got {first} to {last}")
                for label in _labels(value, "timelinelabels", where):
                    yield SegmentRow(self.media, (first - 1) / rate, last / rate, label, place, score)
        elif kind is not None:  # in seconds
            start, end = (number(value[key], f"{where}: {key}") for key in ("start", "end"))
            for label in _labels(value, kind, where):
                yield SegmentRow(self.media, start, end, label, where, score)
        else:
            self.other.add(str(region.get("type") or next(iter(value), "nothing"))[:40])


def _address(data: dict[str, Any]) -> str:
    """The address of a task's video: that of a usual name, or the first that has a folder or the suffix of media."""
    texts = {key: _named_in(value) for key, value in data.items() if isinstance(value, str) and value.strip()}
    usual = next((texts[key] for key in ("video", "video_url", "audio", "csv") if key in texts), "")
    return usual or next((text for text in texts.values() if video_name(text) != text), "")


def _named_in(text: str) -> str:
    """The address in a text: in the source of an HTML element, or in what Label Studio serves for a cloud storage."""
    if match := _ELEMENT.search(text):
        return unescape(match[2])
    if match := _PROXY.search(text):
        with suppress(ValueError):
            return urlsafe_b64decode(match[1] + "=" * (-len(match[1]) % 4)).decode()
    return text


def _video(address: str, uploaded: object) -> str:
    """The name of a video by its address: decoded, without query, and without what uploading puts before it."""
    path, local = address, _LOCAL.search(address)
    if local is not None:
        path = unquote(local[1])
    elif "://" in address or address.startswith("/data/"):
        path = unquote(re.split(r"[?#]" if address.lower().startswith("http") else r"\?", address)[0])
    name = PurePosixPath(path.strip().replace("\\", "/")).name
    given = PurePosixPath(uploaded).name if isinstance(uploaded, str) else ""
    if local is None and ("/upload/" in address or name == given) and (match := _UPLOADED.fullmatch(name)):
        name = match[1]
    return video_name(name) or address


def _who(annotator: object) -> str:
    """Who made an annotation: a number, or an object with an address."""
    if isinstance(annotator, dict):
        annotator = annotator.get("email") or annotator.get("id")
    return "unknown" if annotator is None else str(annotator)[:80]


def _labels(value: dict[str, Any], kind: str, where: str) -> list[str]:
    labels = need(value, kind, list, where)
    if not labels or not all(isinstance(label, str) for label in labels):
        raise DataError(f"{where}: expected labels at {kind!r}, got {repr(labels)[:80]}")
    return labels
