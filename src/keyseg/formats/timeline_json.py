"""Our JSON: one video with its exact frame rate, classes and segments; timeline.schema.json describes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from keyseg.formats.format import ReadSettings, WriteSettings
from keyseg.formats.frames import scores_at, segmented
from keyseg.formats.segment_table import segment_rows
from keyseg.timeline import Annotation, DataError, LabelMap, Segmentation, TimeBase
from keyseg.timeline.files import json_text
from keyseg.timeline.json_text import read_json
from keyseg.timeline.rates import RATE_PATTERN, parse_rate
from keyseg.timeline.validation import problem_text

SCHEMA = Path(__file__).with_name("timeline.schema.json")
_HOLDS = "a timeline that keyseg wrote"
looks = re.compile(r'\s*\{(?=.*"fps")(?=.*"segments")', re.DOTALL).match
_Name = Annotated[str, Field(pattern=r"^\S+$")]


class SegmentRecord(BaseModel):
    """One segment; frames decide, seconds are for people."""

    model_config = ConfigDict(extra="forbid", strict=True)
    start_frame: int = Field(ge=0, description="First frame.")
    end_frame: int = Field(gt=0, description="First frame after the segment; the next one starts here.")
    start_seconds: float | None = Field(default=None, ge=0, description="start_frame / fps, to six decimals.")
    end_seconds: float | None = Field(default=None, gt=0, description="end_frame / fps, to six decimals.")
    label: _Name = Field(description="One of classes.")
    confidence: float | None = Field(
        default=None, allow_inf_nan=False, description="Probability that the segment is right, if a network found it."
    )


class TimelineRecord(BaseModel):
    """One video in segments that follow each other from frame 0 to the end."""

    model_config = ConfigDict(extra="forbid", strict=True, title="keyseg timeline")
    video: str = Field(default="", description="Name of the video.")
    fps: str = Field(pattern=f"^{RATE_PATTERN}$", description="Frames per second, exact, such as 30 or 30000/1001.")
    frames: int = Field(ge=0, description="Length in frames.")
    classes: list[_Name] = Field(description="All classes, by id.")
    background: list[_Name] = Field(description="The classes that are not actions.")
    segments: list[SegmentRecord] = Field(description="In order, without gaps.")


def schema() -> dict[str, Any]:
    """The JSON schema of a timeline; timeline.schema.json holds it."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **TimelineRecord.model_json_schema()}


def read_whole(path: Path, encoding: str | None = None) -> tuple[str, Segmentation, LabelMap, TimeBase]:
    """Video name, segmentation, classes and frame rate, all as written. Raises DataError."""
    return _read(path, encoding)[:4]


def _read(path: Path, encoding: str | None) -> tuple[str, Segmentation, LabelMap, TimeBase, list[float | None]]:
    """The same, and the confidence of each segment."""
    text, _ = read_json(path, _HOLDS, encoding, exact=True)  # pydantic accepts duplicate keys
    try:
        record = TimelineRecord.model_validate_json(text)
        labels = LabelMap(tuple(record.classes), tuple(record.background))
        bounds = [0, *(segment.end_frame for segment in record.segments)]
        if [*(segment.start_frame for segment in record.segments), record.frames] != bounds:
            raise ValueError(f"segments must follow each other from frame 0 to {record.frames}")
        ids = labels.encode(segment.label for segment in record.segments)
        segmentation = Segmentation(np.array(bounds), ids)
        sure = [segment.confidence for segment in record.segments]
        return record.video or path.stem, segmentation, labels, TimeBase(parse_rate(record.fps)), sure
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(f"{path}: not {_HOLDS} ({place}: {problem_text(first)})") from None
    except (ValueError, ArithmeticError) as error:
        raise DataError(f"{path}: not {_HOLDS} ({error})") from error


def read(path: Path, settings: ReadSettings) -> list[Annotation]:
    """One video; background stays labelled. Raises DataError."""
    video, segmentation, labels, timebase, sure = _read(path, settings.encoding)
    annotation = Annotation.of(video, segmentation, labels, timebase, keep_background=True)
    pairs = zip(annotation.intervals, sure, strict=True)
    intervals = tuple(replace(interval, score=score) for interval, score in pairs)
    return [replace(annotation, intervals=intervals, classes=labels.names)]


def write(annotations: Sequence[Annotation], settings: WriteSettings) -> str:
    """One object. Raises ConfigError without a rate, TimelineError."""
    (annotation,) = annotations
    segmentation, labels, timebase = segmented(annotation, settings)
    return json_text(
        {
            "video": annotation.video,
            "fps": str(timebase.fps),
            "frames": segmentation.length,
            "classes": list(labels.names),
            "background": list(labels.background),
            "segments": segment_rows(segmentation, labels, timebase, scores_at(annotation, settings)),
        }
    )
