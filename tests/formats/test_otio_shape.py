"""OpenTimelineIO's library ends the process on some files; they are refused before it sees them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fuzz.samples import timelines
from keyseg.formats import read_annotations
from keyseg.timeline import DataError

REFERENCE = {"OTIO_SCHEMA": "SerializableObjectRef.1", "id": "s"}


def _saved(folder: Path, change: Callable[[Any], None]) -> Path:
    content = json.loads(timelines("otio")[0])
    change(content)
    path = folder / "tea.otio"
    path.write_text(json.dumps(content))
    return path


def _stack_in_itself(content: Any) -> None:
    content["tracks"]["OTIO_REF_ID"] = "s"
    content["tracks"]["children"].append(REFERENCE)


def _stack_in_its_track(content: Any) -> None:
    content["tracks"]["OTIO_REF_ID"] = "s"
    content["tracks"]["children"][0]["children"].append(REFERENCE)


def _timeline_in_its_metadata(content: Any) -> None:
    content["metadata"]["deep"] = [{"a": REFERENCE}]


@pytest.mark.parametrize("change", [_stack_in_itself, _stack_in_its_track, _timeline_in_its_metadata])
def test_a_timeline_that_may_contain_itself_is_refused(change: Callable[[Any], None], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="refers to another part of the file"):
        read_annotations(_saved(tmp_path, change))


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("source_range", {"OTIO_SCHEMA": "Clip.2"}, "Clip: source_range: expected TimeRange, got Clip"),
        ("enabled", "yes", "Clip: enabled: unexpected value 'yes'"),
        ("name", 5, "Clip: name: unexpected value 5"),
        ("markers", [None], "Clip: markers: expected Marker, got None"),
        ("media_references", {"a": {}}, "Clip: media_references: expected .*Reference, got {}"),
    ],
)
def test_values_of_other_kinds_are_refused(key: str, value: Any, problem: str, tmp_path: Path) -> None:
    path = _saved(tmp_path, lambda content: content["tracks"]["children"][0]["children"][1].update({key: value}))
    with pytest.raises(DataError, match=problem):
        read_annotations(path)


def test_metadata_may_hold_anything(tmp_path: Path) -> None:
    metadata = {"name": 5, "children": "none", "duration": 3.5, "rate": None, "a": {"OTIO_SCHEMA": "Odd.1", "name": 1}}
    path = _saved(tmp_path, lambda content: content["tracks"]["children"][0].update(metadata=metadata))
    assert len(read_annotations(path)[0].intervals) == 2
