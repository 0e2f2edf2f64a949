"""Timelines as text: the field's label a line, a CSV table, JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from keyseg.data.annotations import read_frame_labels
from keyseg.timeline import ConfigError, DataError, LabelMap, Segmentation, TimeBase, nearest


def _txt(name: str, segmentation: Segmentation, labels: LabelMap, timebase: TimeBase) -> str:
    """One class name a frame, a line each."""
    return "".join(f"{label}\n" for label in labels.decode(segmentation.to_frames()))


def _csv(name: str, segmentation: Segmentation, labels: LabelMap, timebase: TimeBase) -> str:
    """A row a segment, with a header; ends are exclusive."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["video", "start_frame", "end_frame", "start_seconds", "end_seconds", "label"])
    writer.writerows([name, *row.values()] for row in _rows(segmentation, labels, timebase))
    return stream.getvalue()


def _json(name: str, segmentation: Segmentation, labels: LabelMap, timebase: TimeBase) -> str:
    """One object: video, exact frame rate, number of frames, classes, segments."""
    content: dict[str, Any] = {
        "video": name,
        "fps": str(timebase.fps),
        "frames": segmentation.length,
        "classes": list(labels.names),
        "background": list(labels.background),
        "segments": _rows(segmentation, labels, timebase),
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


FORMATS: dict[str, Callable[[str, Segmentation, LabelMap, TimeBase], str]] = {"txt": _txt, "csv": _csv, "json": _json}


def timeline_text(fmt: str, name: str, segmentation: Segmentation, labels: LabelMap, timebase: TimeBase) -> str:
    """A timeline in one of FORMATS. Raises ConfigError naming the nearest known format."""
    if fmt not in FORMATS:
        raise ConfigError(f"unknown format {fmt!r}{nearest(fmt, FORMATS)}; known: {', '.join(FORMATS)}")
    return FORMATS[fmt](name, segmentation, labels, timebase)


def read_timeline(path: Path) -> tuple[Segmentation, LabelMap, TimeBase | None]:
    """Read a label-a-line or recog file, or our JSON; the classes of a label file are those that occur in it.

    The time base is known for JSON only. Raises DataError.
    """
    if path.suffix == ".csv":
        raise DataError(f"{path}: a CSV table is for other tools; read the txt or JSON timeline of the video instead")
    if path.suffix != ".json":
        names = read_frame_labels(path)
        labels = LabelMap(tuple(sorted(set(names))), ("background",) if "background" in names else ())
        return Segmentation.from_frames(labels.encode(names)), labels, None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        labels = LabelMap(tuple(content["classes"]), tuple(content["background"]))
        bounds = [0, *(segment["end_frame"] for segment in content["segments"])]
        if [*(segment["start_frame"] for segment in content["segments"]), content["frames"]] != bounds:
            raise ValueError(f"segments must follow each other from frame 0 to {content['frames']}")
        ids = labels.encode(segment["label"] for segment in content["segments"])
        return Segmentation(bounds, ids), labels, TimeBase(Fraction(content["fps"]))  # type: ignore[arg-type]
    except (OSError, ValueError, ArithmeticError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: not a timeline that keyseg predict wrote ({type(error).__name__}: {error})"
        ) from error


def _rows(segmentation: Segmentation, labels: LabelMap, timebase: TimeBase) -> list[dict[str, Any]]:
    return [
        {
            "start_frame": segment.start_frame,
            "end_frame": segment.end_frame,
            "start_seconds": round(float(timebase.start_seconds(segment.start_frame)), 6),
            "end_seconds": round(float(timebase.start_seconds(segment.end_frame)), 6),
            "label": labels.names[segment.label],
        }
        for segment in segmentation
    ]
