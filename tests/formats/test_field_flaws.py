"""Segments as they are published: flaws are listed at once, or cut and dropped with notes; scores are kept."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from keyseg.formats import AnnotationOptions, WriteSettings, annotations_text, read_annotations
from keyseg.timeline import Annotation, ConfigError, DataError, TimelineError

FIELD = Path(__file__).parents[1] / "field" / "formats"
LENIENT = AnnotationOptions(lenient=True)


def rows(annotation: Annotation) -> list[tuple[float, float, str]]:
    return [(float(i.start_seconds), float(i.end_seconds), i.label) for i in annotation.intervals]


def lenient(path: Path, **options: Any) -> tuple[list[Annotation], list[str]]:
    notes: list[str] = []
    return read_annotations(path, options=LENIENT, note=notes.append, **options), notes


def activitynet(folder: Path, segments: dict[str, list[list[float]]], **facts: object) -> Path:
    path = folder / "published.json"
    videos = {
        video: facts | {"annotations": [{"segment": ends, "label": f"a{n}"} for n, ends in enumerate(several)]}
        for video, several in segments.items()
    }
    path.write_text(json.dumps({"database": videos}))
    return path


def test_the_flaws_of_a_published_file_are_listed_at_once() -> None:
    with pytest.raises(DataError) as caught:
        read_annotations(FIELD / "flaws.activitynet.json")
    assert "2 segments cannot be right; correct them, or cut and drop them with --lenient" in str(caught.value)
    assert "day1: annotations[0]: 'wash' is a point at 0 s" in str(caught.value)
    assert "day1: annotations[2]: 'pour' ends at 10.12 s, after the video, which is 10 s long" in str(caught.value)


def test_lenient_cuts_and_drops_them_with_notes_that_count_and_name() -> None:
    (day1,), notes = lenient(FIELD / "flaws.activitynet.json")
    assert rows(day1) == [(2, 5, "take"), (5, 10, "pour")]
    assert [note.split(": ", 1)[1] for note in notes] == [
        "1 segment of length 0 dropped: 'wash' from 0 to 0 s of day1",
        "1 segment cut at the end of the video: 'pour' from 5 to 10.12 s of day1",
    ]


@pytest.mark.parametrize(
    ("segment", "words", "left"),
    [
        ([-1, 4], "starts at -1 s, before the video", [(0, 4, "a0")]),
        ([-1, 12], "starts at -1 s, before the video", [(0, 10, "a0")]),
        ([-3, -1], "ends at -1 s, before the video starts", []),
        ([5, 2], "ends at 2 s, before it starts at 5 s", []),
        ([5, 5], "is a point at 5 s", []),
        ([10, 12], "starts at 10 s, after the video", []),
        ([8, 10.1], "ends at 10.1 s, after the video", [(8, 10, "a0")]),
    ],
)
def test_each_flaw_alone(
    segment: list[float], words: str, left: list[tuple[float, float, str]], tmp_path: Path
) -> None:
    path = activitynet(tmp_path, {"v": [segment, [1, 2]]}, duration=10)
    with pytest.raises(DataError, match=rf"annotations\[0\]: 'a0' {words}.*--lenient"):
        read_annotations(path)
    (video,), notes = lenient(path)
    assert [row for row in rows(video) if row[2] == "a0"] == left
    assert len(notes) == 1
    assert "1 segment " in notes[0]
    assert "'a0' from" in notes[0]


def test_flaws_of_all_videos_are_in_one_error_and_in_one_note(tmp_path: Path) -> None:
    path = activitynet(tmp_path, {f"v{n}": [[1, 2], [3, 3]] for n in range(30)})
    with pytest.raises(DataError) as caught:
        read_annotations(path)
    assert "30 segments cannot be right" in str(caught.value)
    assert "v19: annotations[1]" in str(caught.value)
    assert "v20" not in str(caught.value)
    assert str(caught.value).endswith("and 10 more")
    videos, notes = lenient(path)
    assert [rows(video) for video in videos] == [[(1, 2, "a0")]] * 30
    assert len(notes) == 1
    assert "30 segments of length 0 dropped" in notes[0]
    assert notes[0].endswith(" ...")


def test_half_a_frame_past_the_end_is_no_flaw(tmp_path: Path) -> None:
    path = activitynet(tmp_path, {"v": [[1, 10.02]]}, duration=10, fps=25)
    (video,) = read_annotations(path)
    assert video.intervals[0].end_seconds == Fraction("10.02")
    with pytest.raises(DataError, match="after the video"):
        read_annotations(activitynet(tmp_path, {"v": [[1, 10.021]]}, duration=10, fps=25))


def test_what_keeps_no_frame_after_a_cut_is_dropped(tmp_path: Path) -> None:
    (video,), notes = lenient(activitynet(tmp_path, {"v": [[1, 2], [9.99, 11]]}, duration=10, fps=25))
    assert rows(video) == [(1, 2, "a0")]
    assert "1 segment without a frame after a cut dropped" in notes[0]


def test_points_are_given_a_length_where_that_is_asked_for(tmp_path: Path) -> None:
    path = activitynet(tmp_path, {"v": [[4, 4], [10, 10], [11, 11]]}, duration=10, fps=10)
    options = AnnotationOptions(points=5, lenient=True)
    notes: list[str] = []
    (video,) = read_annotations(path, options=options, note=notes.append)
    assert rows(video) == [(4, 4.5, "a0"), (9.9, 10, "a1")]
    assert "1 segment of length 0 dropped: 'a2'" in notes[0]
    (none,) = read_annotations(path, options=AnnotationOptions(points="drop", lenient=True), note=notes.append)
    assert none.intervals == ()
    assert "2 events without a length left out" in notes[-1]
    with pytest.raises(ConfigError, match="number of frames from 1"):
        read_annotations(path, options=AnnotationOptions(points=0, lenient=True))


TABLES = {
    "seconds.csv": "video,start_seconds,end_seconds,label\nv,2,2,wash\nv,-1,3,take\nv,5,4,pour\nv,6,7,stir\n",
    "seconds.tsv": "start_seconds\tend_seconds\tlabel\n2\t2\twash\n-1\t3\ttake\n5\t4\tpour\n6\t7\tstir\n",
    "labels.txt": "2.0\t2.0\twash\n-1.0\t3.0\ttake\n5.0\t4.0\tpour\n6.0\t7.0\tstir\n",
    "all.rttm": "".join(
        f"SPEAKER v 1 {start} {length} <NA> <NA> {label} <NA> <NA>\n"
        for start, length, label in ((2, 0, "wash"), (-1, 4, "take"), (5, -1, "pour"), (6, 1, "stir"))
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_lenient_means_the_same_for_every_table(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(TABLES[name])
    fmt = "audacity" if name == "labels.txt" else None
    with pytest.raises(DataError, match="3 segments cannot be right"):
        read_annotations(path, fmt)
    (video,), notes = lenient(path, fmt=fmt)
    assert rows(video) == [(0, 3, "take"), (6, 7, "stir")]
    assert [note.split(":")[1].strip().partition("segment ")[2] for note in notes] == [
        "of length 0 dropped",
        "cut at the start of the video",
        "with the end before the start dropped",
    ]


def test_lenient_drops_the_flaws_of_epic_kitchens(tmp_path: Path) -> None:
    path = tmp_path / "v.epic.csv"
    path.write_text(
        "video_id,start_timestamp,stop_timestamp,narration\n"
        "v,00:00:02.00,00:00:02.00,wash\nv,00:00:05.00,00:00:04.00,pour\nv,00:00:06.00,00:00:07.00,stir\n"
    )
    with pytest.raises(DataError, match="2 segments cannot be right"):
        read_annotations(path)
    (video,), notes = lenient(path)
    assert (rows(video), len(notes)) == ([(6, 7, "stir")], 2)


def test_the_higher_score_keeps_its_segment_whole() -> None:
    (day1,) = read_annotations(FIELD / "scores.activitynet.json")
    assert [item.score for item in day1.intervals] == [0.9, 0.01]
    assert rows(day1.resolved("score")) == [(0.5, 3, "take")]
    with pytest.raises(TimelineError, match="overlap"):
        day1.resolved()


def test_scores_are_written_back(tmp_path: Path) -> None:
    path = tmp_path / "again.activitynet.json"
    path.write_text(annotations_text("activitynet", read_annotations(FIELD / "scores.activitynet.json")))
    (again,) = read_annotations(path)
    assert [(item.label, item.score) for item in again.intervals] == [("take", 0.9), ("pour", 0.01)]
    text = annotations_text("activitynet", [again], WriteSettings(overlap="score"))
    assert [item["score"] for item in json.loads(text)["database"]["day1"]["annotations"]] == [0.9]


@pytest.mark.parametrize(("low", "high"), [("0.2", "0.7"), ("-3.5", "-0.25")])
def test_scores_of_rttm_and_tables(low: str, high: str, tmp_path: Path) -> None:
    rttm = tmp_path / "v.rttm"
    rttm.write_text(f"SPEAKER v 1 0 4 <NA> <NA> take {low} <NA>\nSPEAKER v 1 2 1 <NA> <NA> pour {high} <NA>\n")
    table = tmp_path / "v.csv"
    table.write_text(f"start_seconds,end_seconds,label,score\n0,4,take,{low}\n2,3,pour,{high}\n")
    for path in (rttm, table):
        (video,) = read_annotations(path)
        assert rows(video.resolved("score")) == [(0, 2, "take"), (2, 3, "pour"), (3, 4, "take")]


def test_a_score_that_is_no_number_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "v.json"
    path.write_text('{"results": {"v": [{"segment": [0, 1], "label": "take", "score": "high"}]}}')
    with pytest.raises(DataError, match=r"v\[0\]|annotations\[0\]: score: expected a number, got 'high'"):
        read_annotations(path)


def test_the_address_of_a_video_is_kept(tmp_path: Path) -> None:
    (video,) = read_annotations(activitynet(tmp_path, {"v": [[0, 1]]}, url="https://example.org/watch?v=v"))
    assert (video.video, video.media) == ("v", "https://example.org/watch?v=v")
