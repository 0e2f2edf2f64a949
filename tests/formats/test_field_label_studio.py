"""Label Studio's exports: addresses of uploads and storages, predictions with scores, tasks without timeline labels."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from keyseg.formats import (
    AnnotationOptions,
    WriteSettings,
    annotations_text,
    label_studio,
    read_annotations,
    timeline_text,
)
from keyseg.formats.format import ReadSettings
from keyseg.timeline import Annotation, DataError, Interval, LabelMap, Segmentation, TimeBase

FIELD = Path(__file__).parents[1] / "field" / "formats"
TEN = Fraction(10)
REGION = {"type": "timelinelabels", "value": {"ranges": [{"start": 1, "end": 30}], "timelinelabels": ["pour"]}}
CHOICE = {"type": "choices", "value": {"choices": ["good"]}}


def task(video: str = "day1.mp4", *regions: dict[str, Any], **facts: Any) -> dict[str, Any]:
    return {"data": {"video": video}, "annotations": [{"result": list(regions or (REGION,))}]} | facts


def read(folder: Path, *tasks: dict[str, Any], **options: Any) -> tuple[list[Annotation], list[str]]:
    path = folder / "export.json"
    path.write_text(json.dumps(tasks))
    notes: list[str] = []
    found = read_annotations(
        path, "labelstudio", fps=TEN, options=AnnotationOptions(**options), note=lambda text: notes.append(text)
    )
    return found, notes


@pytest.mark.parametrize("name", ["upload", "local"])
def test_videos_that_label_studio_stores(name: str) -> None:
    notes: list[str] = []
    (day1,) = read_annotations(FIELD / f"{name}.labelstudio.json", fps=TEN, note=notes.append)
    assert (day1.video, day1.intervals, notes) == ("day1", (Interval(0, 3, "pour"),), [])
    assert day1.media.startswith("/data/")


@pytest.mark.parametrize(
    ("address", "video"),
    [
        ("/data/upload/2/0a1b2c3d-day1.mp4", "day1"),
        ("http://localhost:8080/data/upload/2/0a1b2c3d-day%201.mp4", "day 1"),
        ("/data/upload/2/0a1b2c3d-0a1b2c3d-day1.mp4", "0a1b2c3d-day1"),
        ("/data/upload/2/day1.mp4", "day1"),
        ("/data/local-files/?d=a%20b/day1.mp4", "day1"),
        ("/data/local-files/?d=a/my%20day+2.mp4", "my day+2"),
        ("/data/local-files/?d=videos%5Cday1.mp4", "day1"),
        ("/data/local-files/?d=salt&pepper.mp4", "salt&pepper"),
        ("https://studio.example.org/data/local-files/?d=day1.1.mp4&token=x", "day1.1"),
        ("/data/local-files/?d=0a1b2c3d-day1.mp4", "0a1b2c3d-day1"),
        ("s3://bucket/a/day1.mp4?versionId=3", "day1"),
        ("s3://bucket/a/day#1.mp4", "day#1"),
        ("gs://bucket/gr%C3%B6%C3%9Fe.mp4", "größe"),
        ("https://bucket.s3.amazonaws.com/a/day1.mp4?X-Amz-Signature=a/b.mp4&X-Amz-Date=1", "day1"),
        ("https://storage.googleapis.com/bucket/day1.webm?X-Goog-Signature=1#t=3", "day1"),
        ("C:\\videos\\day1.mp4", "day1"),
        ("100%25.mp4", "100%25"),
        ("0a1b2c3d-day1.mp4", "0a1b2c3d-day1"),
    ],
)
def test_the_name_in_an_address(address: str, video: str, tmp_path: Path) -> None:
    (found,) = read(tmp_path, task(address))[0]
    assert (found.video, found.media) == (video, address)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("<video src='/data/upload/2/0a1b2c3d-day1.mp4' width=100%></video>", "/data/upload/2/0a1b2c3d-day1.mp4"),
        ('<a href="x">1</a>\n<video\n controls src="https://h/day1.mp4?x=1&amp;y=2">', "https://h/day1.mp4?x=1&y=2"),
        ("/tasks/1/resolve/?fileuri=czM6Ly9idWNrZXQvZGF5MS5tcDQ=", "s3://bucket/day1.mp4"),
    ],
)
def test_an_address_in_html_or_served_for_a_storage(text: str, address: str, tmp_path: Path) -> None:
    (found,) = read(tmp_path, task(text))[0]
    assert (found.video, found.media) == ("day1", address)


def test_the_field_of_an_upload_shows_its_digits(tmp_path: Path) -> None:
    (found,) = read(tmp_path, task("https://cdn.example.org/0a1b2c3d-day1.mp4", file_upload="0a1b2c3d-day1.mp4"))[0]
    assert found.video == "day1"
    (other,) = read(tmp_path, task("https://cdn.example.org/0a1b2c3d-day1.mp4", file_upload="tasks.json"))[0]
    assert other.video == "0a1b2c3d-day1"


def test_the_video_under_another_key(tmp_path: Path) -> None:
    (found,) = read(tmp_path, {"data": {"id": "x7", "clip": "day1.mp4"}, "annotations": [{"result": [REGION]}]})[0]
    assert found.video == "day1"


def test_regions_stay_with_their_task_where_two_files_have_one_name(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_text(json.dumps([task(f"s3://bucket/{folder}/cam1.mp4") for folder in ("P01", "P02")]))
    found = label_studio.read(path, ReadSettings(fps=TEN))
    assert [(video.media, len(video.intervals)) for video in found] == [
        ("s3://bucket/P01/cam1.mp4", 1),
        ("s3://bucket/P02/cam1.mp4", 1),
    ]


def test_an_export_without_timeline_labels_is_an_error(tmp_path: Path) -> None:
    box = {"type": "videorectangle", "value": {"sequence": [{"frame": 1, "enabled": True, "time": 0.1}]}}
    words = "none of the 2 tasks has timeline labels; they have choices, videorectangle"
    with pytest.raises(DataError, match=words):
        read(tmp_path, task("a.mp4", CHOICE), task("b.mp4", box))
    with pytest.raises(DataError, match="none of the 1 tasks has timeline labels"):
        read(tmp_path, {"video": "/data/upload/1/a.mp4", "id": 1, "choice": "good", "annotator": 1})
    span = {"start": 3, "end": 9, "text": "tea", "labels": ["drink"]}
    with pytest.raises(DataError, match="none of the 1 tasks has timeline labels; they have labels"):
        read(tmp_path, task("a.mp4", {"type": "labels", "value": span}))


def test_tasks_without_timeline_labels_are_noted(tmp_path: Path) -> None:
    videos, notes = read(tmp_path, task("a.mp4"), task("b.mp4", CHOICE))
    assert [video.video for video in videos] == ["a"]
    assert "1 of 2 tasks have no timeline labels and are left out: b" in notes[0]


def test_a_relation_between_regions_is_no_region(tmp_path: Path) -> None:
    relation = {"from_id": "a", "to_id": "b", "type": "relation", "direction": "right"}
    (video,), notes = read(tmp_path, task("a.mp4", REGION, relation))
    assert (len(video.intervals), notes) == (1, [])


@pytest.mark.parametrize("results", [[], [{"was_cancelled": True, "result": [REGION]}]])
def test_tasks_that_nobody_annotated_are_noted(results: list[Any], tmp_path: Path) -> None:
    videos, notes = read(tmp_path, task("a.mp4"), task("b.mp4", annotations=results, drafts=[{"result": [REGION]}]))
    assert [video.video for video in videos] == ["a"]
    assert "1 of 2 tasks have no annotation and are left out: b" in notes[0]


def test_an_annotation_in_which_nothing_happens_is_one(tmp_path: Path) -> None:
    (video,), notes = read(tmp_path, {"data": {"video": "a.mp4", "frames": 50}, "annotations": [{"result": []}]})
    assert (video.intervals, video.duration_seconds, notes) == ((), 5, [])


def test_predictions_are_read_with_a_note_where_nobody_annotated(tmp_path: Path) -> None:
    predicted = task("a.mp4", annotations=[], predictions=[{"result": [REGION | {"score": 0.25}]}])
    (video,), notes = read(tmp_path, predicted)
    assert video.intervals[0].score == 0.25
    assert "1 of 1 tasks have no annotation, so that their predictions are read: a" in notes[0]
    (corrected,), notes = read(tmp_path, predicted | {"annotations": [{"result": []}]})
    assert (corrected.intervals, notes) == ((), [])


def test_several_annotations_name_their_annotators(tmp_path: Path) -> None:
    by = [3, {"id": 4, "email": "anna@example.org"}, None]
    several = [{"completed_by": who, "result": [REGION]} for who in by]
    words = "[0]: 3 annotations of one video, by 3, anna@example.org, unknown; keep one and export again"
    with pytest.raises(DataError, match=re.escape(words)):
        read(tmp_path, task(annotations=several))
    models = [{"model_version": name, "result": [REGION]} for name in ("one", "two")]
    with pytest.raises(DataError, match="2 predictions of one video, by one, two"):
        read(tmp_path, task(annotations=[], predictions=models))


def test_lenient_cuts_ranges_after_the_last_frame(tmp_path: Path) -> None:
    long = {"data": {"video": "a.mp4", "frames": 20}, "annotations": [{"result": [REGION]}]}
    with pytest.raises(DataError, match=r"ranges\[0\]: 'pour' ends at 3 s, after the video, which is 2 s long"):
        read(tmp_path, long)
    (video,), notes = read(tmp_path, long, lenient=True)
    assert (video.intervals, len(notes)) == ((Interval(0, 2, "pour"),), 1)


LABELS = LabelMap(("background", "take", "pour"), ("background",))


def test_predictions_and_annotations_are_kept_apart(tmp_path: Path) -> None:
    timeline = (Segmentation([0, 10, 30, 50], [1, 0, 2]), LABELS, TimeBase(TEN))
    (predicted,) = json.loads(timeline_text("labelstudio", "day1", *timeline, scores=[0.75, 0.1, 0.25]))
    assert "annotations" not in predicted
    (prediction,) = predicted["predictions"]
    assert (prediction["score"], prediction["model_version"]) == (0.5, "keyseg")
    assert [region["score"] for region in prediction["result"]] == [0.75, 0.25]
    assert "score" not in json.loads(timeline_text("labelstudio", "day1", *timeline))[0]["predictions"][0]

    annotation = Annotation.of("day1", *timeline)
    (written,) = json.loads(annotations_text("labelstudio", [annotation]))
    assert "predictions" not in written
    assert written["annotations"][0].keys() == {"result"}

    (tmp_path / "v.labelstudio.json").write_text(json.dumps([predicted]))
    (again,) = read_annotations(tmp_path / "v.labelstudio.json")
    assert (again.video, again.intervals, again.duration_seconds) == ("day1", annotation.intervals, 5)
    assert [item.score for item in again.intervals] == [0.75, 0.25]


@pytest.mark.parametrize(
    ("media", "written"),
    [
        ("/data/upload/2/0a1b2c3d-day1.mp4", "/data/upload/2/0a1b2c3d-day1.mp4"),
        ("s3://bucket/day1.mp4", "s3://bucket/day1.mp4"),
        ("../videos/day1.mp4", "day1"),
        ("file:///videos/day1.mp4", "day1"),
        ("", "day1"),
    ],
)
def test_an_address_that_label_studio_can_open_is_written_back(media: str, written: str) -> None:
    annotation = Annotation("day1", (Interval(0, 1, "take"),), None, TEN, media=media)
    (found,) = json.loads(annotations_text("labelstudio", [annotation], WriteSettings()))
    assert found["data"]["video"] == written


def test_many_tasks_of_one_video_are_refused_before_each_gets_the_segments_of_all(tmp_path: Path) -> None:
    result = {"type": "timelinelabels", "value": {"ranges": [{"start": 1, "end": 5}], "timelinelabels": ["pour"]}}
    task = {"data": {"video": "day1.mp4", "fps": 25}, "annotations": [{"result": [result]}]}
    path = tmp_path / "a.labelstudio.json"
    path.write_text(json.dumps([task, task]))
    with pytest.raises(DataError, match="the video 'day1' is in it twice"):
        read_annotations(path, fps=Fraction(25))
