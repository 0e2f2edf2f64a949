"""BORIS' projects: read as BORIS writes them, and written so that BORIS opens them."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from copy import deepcopy
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keyseg.formats import AnnotationOptions, WriteSettings, annotations_text, read_annotations, timeline_text
from keyseg.formats.table_of_formats import format_of
from keyseg.timeline import (
    Annotation,
    DataError,
    Interval,
    KeysegError,
    LabelMap,
    Segmentation,
    TimeBase,
    TimelineError,
)

NTSC = Fraction(30000, 1001)
# As BORIS 7 to 9 save it, with the keys that matter here.
PROJECT: dict[str, Any] = {
    "time_format": "hh:mm:ss",
    "project_format_version": "7.0",
    "subjects_conf": {"0": {"key": "1", "name": "Bea", "description": ""}},
    "behaviors_conf": {
        "0": {"type": "State event", "key": "g", "code": "groom", "modifiers": {}, "excluded": ""},
        "1": {"type": "State event with coding map", "key": "r", "code": "rest", "modifiers": {}, "excluded": ""},
        "2": {"type": "Point event", "key": "s", "code": "sniff", "modifiers": {}, "excluded": ""},
    },
    "observations": {
        "obs1": {
            "file": {"1": ["C:/v/day1.mp4"], "2": []},
            "type": "MEDIA",
            "time offset": 0.0,
            "events": [
                [5.5, "", "rest", "", "", "NA"],
                [1.5, "", "groom", "", "a comment", 37],
                [4.25, "", "groom", "", "", 106],
                [9.0, "", "rest", "", ""],
            ],
            "media_info": {
                "length": {"C:/v/day1.mp4": 10.01, "old.avi": 3.0},
                "fps": {"C:/v/day1.mp4": 29.97002997002997},
                "hasVideo": {"C:/v/day1.mp4": True},
                "offset": {"1": 0.0},
            },
        }
    },
}


def rows(annotation: Annotation) -> list[tuple[float, float, str]]:
    return [(float(i.start_seconds), float(i.end_seconds), i.label) for i in annotation.intervals]


def read(folder: Path, project: object, **options: Any) -> list[Annotation]:
    path = folder / "p.boris"
    path.write_text(json.dumps(project), encoding="utf-8")
    assert format_of(path) == "boris-project"
    return read_annotations(path, **options)


def changed(**facts: Any) -> dict[str, Any]:
    """The project with other facts of its observation."""
    project = deepcopy(PROJECT)
    project["observations"]["obs1"].update(facts)
    return project


def media(*lengths: float) -> dict[str, Any]:
    names = [f"{letter}.mp4" for letter in "abcd"[: len(lengths)]]
    return {"length": dict(zip(names, lengths, strict=True)), "fps": dict.fromkeys(names, 25.0), "offset": {}}


def test_a_project_is_read(tmp_path: Path) -> None:
    (found,) = read(tmp_path, PROJECT)
    assert (found.video, found.media, found.duration_seconds, found.fps) == (
        "day1",
        "C:/v/day1.mp4",
        Fraction("10.01"),
        NTSC,
    )
    assert rows(found) == [(1.5, 4.25, "groom"), (5.5, 9, "rest")]


@pytest.mark.parametrize("offset", [2, -1.5, 3600, 1_700_000_000])
def test_the_time_offset_is_not_in_the_times_of_the_video(offset: float, tmp_path: Path) -> None:
    events = [[time + offset, *event] for time, *event in PROJECT["observations"]["obs1"]["events"]]
    facts = {"events": events, "time offset": offset}
    (found,) = read(tmp_path, changed(**facts))
    assert rows(found) == [(1.5, 4.25, "groom"), (5.5, 9, "rest")]


@pytest.mark.parametrize("offset", [0, 7])
def test_media_follow_each_other(offset: int, tmp_path: Path) -> None:
    times = ((1, "groom"), (2, "groom"), (8, "rest"), (12, "rest"), (31, "groom"), (32.5, "groom"))
    facts = {
        "events": [[time + offset, "", label, "", ""] for time, label in times],
        "file": {"1": ["a.mp4", "b.mp4", "c.mp4"]},
        "media_info": media(10, 20, 30),
        "time offset": offset,
    }
    found = {a.media: rows(a) for a in read(tmp_path, changed(**facts))}
    assert found == {
        "a.mp4": [(1, 2, "groom"), (8, 10, "rest")],
        "b.mp4": [(0, 2, "rest")],
        "c.mp4": [(1, 2.5, "groom")],
    }
    facts["media_info"] = {"length": {"a.mp4": 10}}
    with pytest.raises(DataError, match=r"event 5: 'groom' at .* and the lengths of the media files before"):
        read(tmp_path, changed(**facts))


def test_players_side_by_side_belong_to_the_first(tmp_path: Path) -> None:
    notes: list[str] = []
    facts = {"file": {"1": ["a.mp4"], "2": ["b.mp4"]}, "media_info": media(10, 20)}
    (found,) = read(tmp_path, changed(**facts), note=notes.append)
    assert (found.media, rows(found)) == ("a.mp4", [(1.5, 4.25, "groom"), (5.5, 9, "rest")])
    assert "play side by side; the events belong to a.mp4" in notes[0]


def test_the_date_of_recording_as_offset(tmp_path: Path) -> None:
    facts = {
        "file": {"1": ["a.mp4", "b.mp4"]},
        "media_info": media(10, 10) | {"media_creation_time": {"a.mp4": 1_600_000_100, "b.mp4": 1_600_000_000}},
        "media_creation_date_as_offset": True,
        "events": [[1_600_000_000 + t, "", "groom", "", ""] for t in (1, 2, 103, 104.5)],
    }
    found = {a.media: rows(a) for a in read(tmp_path, changed(**facts))}
    assert found == {"b.mp4": [(1, 2, "groom")], "a.mp4": [(3, 4.5, "groom")]}


def test_subjects_and_modifiers_pair_by_themselves(tmp_path: Path) -> None:
    events = [
        [1, "", "groom", "", ""], [2, "Bea", "groom", "", ""], [3, "", "groom", "left", ""],
        [4, "", "groom", "", ""], [5, "Bea", "groom", "", ""], [6, "", "groom", "left", ""],
    ]  # fmt: skip
    project = changed(events=events)
    assert rows(read(tmp_path, project)[0]) == [(1, 4, "groom"), (2, 5, "groom"), (3, 6, "groom")]
    each = read(tmp_path, project, options=AnnotationOptions(per_subject=True))
    assert [(a.name, rows(a)) for a in each] == [
        ("day1", [(1, 4, "groom"), (3, 6, "groom")]),
        ("day1.Bea", [(2, 5, "groom")]),
    ]
    (chosen,) = read(tmp_path, project, options=AnnotationOptions(tier=("Ada", "Bea")))
    assert (chosen.name, rows(chosen)) == ("day1", [(2, 5, "groom")])


def test_points(tmp_path: Path) -> None:
    project = changed(events=[[1, "", "sniff", "", ""], [2, "", "groom", "", ""], [3, "", "groom", "", ""]])
    with pytest.raises(DataError, match=r"observation 'obs1', event 1: 'sniff' is a point at 1 s.*--points drop"):
        read(tmp_path, project)
    notes: list[str] = []
    (found,) = read(tmp_path, project, options=AnnotationOptions(points="drop"), note=notes.append)
    assert (rows(found), len(notes)) == ([(2, 3, "groom")], 1)
    (found,) = read(tmp_path, project, options=AnnotationOptions(points=3), fps=Fraction(10))
    assert rows(found) == [(1, 1.3, "sniff"), (2, 3, "groom")]


def test_events_in_pictures_have_no_time(tmp_path: Path) -> None:
    project = deepcopy(PROJECT)
    event = [float("nan"), "", "groom", "", "", 3, "pictures/3.png"]
    project["observations"]["p"] = {"type": "IMAGES", "file": {}, "events": [event, event], "time offset": 0.0}
    path, notes = tmp_path / "p.boris", []
    path.write_text(json.dumps(project))
    (found,) = read_annotations(path, note=notes.append)
    assert found.video == "day1"
    assert notes == [f"{path}: events without a time, as those of pictures, are left out: 2 in observation 'p'"]


def test_live_and_empty_observations(tmp_path: Path) -> None:
    project = deepcopy(PROJECT)
    live = {
        "file": [],
        "type": "LIVE",
        "time offset": 1.0,
        "events": [[2, "", "rest", "", ""], [4, "", "rest", "", ""]],
    }
    project["observations"] |= {"field": live, "to do": {"file": {"1": ["x.mp4"]}, "type": "MEDIA", "events": []}}
    notes: list[str] = []
    _, found = read(tmp_path, project, note=notes.append)
    assert (found.video, found.media, rows(found)) == ("field", "", [(1, 3, "rest")])
    assert notes == [f"{tmp_path / 'p.boris'}: nothing is coded in observation 'to do'; left out"]


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([[1, "", "groom", "", ""]], "event 1: 'groom' starts at 1 s and is not stopped; stop it in BORIS"),
        ([[1, "", "groom", "", ""], [2, "Bea", "groom", "", ""]], "event 1: 'groom' starts at 1 s and is not stopped"),
        ([[1, "", "groom", "", ""], [2, "", "groom", "left", ""]], "'groom' starts at 1 s and is not stopped"),
        ([[1, "", "fly", "", ""]], "event 1: the behaviour 'fly' is not in the ethogram of the project"),
        ([["soon", "", "groom", "", ""]], "event 1: expected a number, got 'soon'"),
        ([[10**15, "", "groom", "", ""]], "event 1: expected seconds, got '1000000000000000'"),
        ([[1, "", "groom"]], "event 1: expected [time, subject, behaviour, modifiers, ...], got [1, '', 'groom']"),
        ([[1, None, "groom", "", ""]], "event 1: expected [time, subject"),
        ([3], "event 1: expected [time, subject"),
        ([[-1, "", "groom", "", ""], [2, "", "groom", "", ""]], "'groom' at -1 s is before 'C:/v/day1.mp4'"),
        ([[2, "", "groom", "", ""], [2, "", "groom", "", ""]], "event 1: 'groom' is a point at 2 s"),
    ],
)
def test_events_that_cannot_be_right(events: list[Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=re.escape(words)) as caught:
        read(tmp_path, changed(events=events))
    assert "p.boris: observation 'obs1'" in str(caught.value)


def test_what_keyseg_writes_has_what_boris_asks_for() -> None:
    labels = LabelMap(("background", "pour", "stir", "take"), ("background",))
    segmentation = Segmentation.from_frames([0, 1, 1, 1, 3, 3, 0, 0])
    project = json.loads(timeline_text("boris-project", "day1", segmentation, labels, TimeBase(Fraction(2))))
    assert project["project_format_version"] == "7.0"
    ethogram = list(project["behaviors_conf"].values())
    assert [(entry["code"], entry["type"]) for entry in ethogram] == [
        ("pour", "State event"),
        ("stir", "State event"),
        ("take", "State event"),
    ]  # also the class that does not occur, to correct with
    assert len({entry["key"] for entry in ethogram}) == 3
    observation = project["observations"]["day1"]
    assert observation["type"] == "MEDIA"
    assert observation["file"]["1"] == ["day1"]
    assert observation["media_info"]["length"] == {"day1": 4.0}
    assert observation["media_info"]["fps"] == {"day1": 2.0}
    assert [event[:4] for event in observation["events"]] == [
        [0.5, "", "pour", ""],
        [2.0, "", "pour", ""],
        [2.0, "", "take", ""],
        [3.0, "", "take", ""],
    ]


def test_what_keyseg_writes_is_ascii() -> None:
    label = "größe-切る"
    text = annotations_text("boris-project", [Annotation("día", (Interval(0, 1, label),), Fraction(2))])
    assert text.isascii()
    assert json.loads(text)["behaviors_conf"]["0"]["code"] == label


def test_several_videos_and_subjects_are_one_project(tmp_path: Path) -> None:
    def annotation(video: str, track: str, label: str) -> Annotation:
        return Annotation(video, (Interval(0, 2, label),), Fraction(4), NTSC, media=f"v/{video}.mp4", track=track)

    written = [annotation("day1", "", "a"), annotation("day1", "Bea", "b"), annotation("day1.1", "Bea", "a")]
    text = annotations_text("boris-project", written)
    project = json.loads(text)
    assert list(project["observations"]) == ["day1", "day1.1"]
    assert [subject["name"] for subject in project["subjects_conf"].values()] == ["Bea"]
    found = read(tmp_path, project, options=AnnotationOptions(per_subject=True))
    assert found == written


def test_many_classes_and_hundreds_of_them_keep_their_codes() -> None:
    names = [f"class{n:03d}" for n in range(300)]
    labels = LabelMap((*names, "background"), ("background",))
    text = annotations_text("boris-project", [Annotation("v", (), Fraction(1))], WriteSettings(labels=labels))
    ethogram = list(json.loads(text)["behaviors_conf"].values())
    assert [entry["code"] for entry in ethogram] == names
    keys = [entry["key"] for entry in ethogram if entry["key"]]
    assert len(set(keys)) == len(keys) == 36


def test_two_of_one_behaviour_at_once_cannot_be_written(tmp_path: Path) -> None:
    both = Annotation("v", (Interval(0, 4, "take"), Interval(1, 2, "take")), Fraction(4))
    with pytest.raises(TimelineError, match=r"v: 'take' from 1\.000 s starts before the one before it ends"):
        annotations_text("boris-project", [both])
    meeting = Annotation("v", (Interval(0, 1, "take"), Interval(1, 2, "take"), Interval(0, 2, "rest")), Fraction(4))
    (found,) = read_annotations(_saved(tmp_path, json.loads(annotations_text("boris-project", [meeting]))))
    assert found.intervals == meeting.intervals


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 10**12)
    | st.text(max_size=4)
    | st.sampled_from(["MEDIA", "groom", "a.mp4", float("nan"), float("-inf")]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def places(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [found for key, value in items for found in ((*path, key), *places(value, (*path, key)))]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(places(PROJECT)), value=anything)
def test_any_value_anywhere_is_read_or_refused(place: tuple[Any, ...], value: Any, tmp_path: Path) -> None:
    project = deepcopy(PROJECT)
    content = project
    for key in place[:-1]:
        content = content[key]
    content[place[-1]] = value
    with suppress(KeysegError):
        read_annotations(_saved(tmp_path, project), "boris-project")


def _saved(folder: Path, project: object) -> Path:
    path = folder / "p.boris"
    path.write_text(json.dumps(project), encoding="utf-8")
    return path
