"""Files as VIA 3, Bento and the Caltech Behavior Annotator write them: the right times of the right video."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from keyseg.formats import AnnotationOptions, annotations_text, read_annotations
from keyseg.formats.format import WriteSettings
from keyseg.formats.table_of_formats import format_of
from keyseg.timeline import Annotation, ConfigError, DataError, Interval

FPS = Fraction(25)


def spans(annotation: Annotation) -> list[tuple[float, float, str]]:
    return [(float(i.start_seconds), float(i.end_seconds), i.label) for i in annotation.intervals]


def project(metadata: list[Any], **parts: Any) -> str:
    """A project of two videos, with an attribute to select from, a text and a region's name."""
    segment = {"anchor_id": "FILE1_Z2_XY0", "desc": "", "default_option_id": ""}
    attributes = {
        "1": {"aname": "activity", "type": 4, "options": {"0": "take cup", "1": "pour"}, **segment},
        "2": {"aname": "who", "type": 1, "options": {}, **segment},
        "3": {"aname": "object", "type": 1, "options": {}, **segment, "anchor_id": "FILE1_Z1_XY1"},
        "4": {"aname": "all", "type": 2, "options": {"0": "sit", "1": "talk"}, **segment},
    }
    files = {
        "1": {"fid": 1, "fname": "day1.mp4", "type": 4, "loc": 1, "src": ""},
        "2": {"fid": 2, "fname": "Second day", "type": 4, "loc": 3, "src": "/videos/day2.mp4"},
    }
    content = {
        "project": {"pid": "__VIA_PROJECT_ID__", "pname": "x", "vid_list": ["1", "2"]},
        "config": {},
        "attribute": attributes,
        "file": files,
        "view": {"1": {"fid_list": [1]}, "2": {"fid_list": ["2"]}},
        "metadata": {
            f"1_{n}": {"flg": 0, "xy": [], **entry} if isinstance(entry, dict) else entry
            for n, entry in enumerate(metadata)
        },
    }
    return json.dumps(content | parts)


def via(folder: Path, metadata: list[Any], **parts: Any) -> Path:
    path = folder / "project.json"
    path.write_text(project(metadata, **parts))
    return path


TAKE = {"vid": "1", "z": [1.5, 2.25], "av": {"1": "0"}}
POUR = {"vid": "2", "z": [0, 3], "av": {"1": "1"}}


def test_via_segments_of_each_video_in_seconds(tmp_path: Path) -> None:
    path = via(tmp_path, [TAKE, POUR])
    assert format_of(path) == "via"
    first, second = read_annotations(path)
    assert (first.video, first.media, spans(first)) == ("day1", "day1.mp4", [(1.5, 2.25, "take cup")])
    assert (second.video, second.media, spans(second)) == ("day2", "/videos/day2.mp4", [(0, 3, "pour")])
    assert first.fps is None
    first, second = read_annotations(via(tmp_path, [TAKE]))
    assert (second.video, second.intervals) == ("day2", ())


def test_via_regions_and_segments_without_a_label_are_noted(tmp_path: Path) -> None:
    region = {"vid": "1", "z": [0.9], "xy": [2, 10, 10, 5, 5], "av": {"3": "cup"}}
    path = via(
        tmp_path, [TAKE, region, {"vid": "1", "z": [], "av": {"3": "file"}}, {"vid": "1", "z": [4, 5], "av": {}}]
    )
    notes: list[str] = []
    first, _ = read_annotations(path, note=notes.append)
    assert spans(first) == [(1.5, 2.25, "take cup")]
    assert [note.split(": ", 1)[1] for note in notes] == [
        "1 regions in frames are left out; only temporal segments are read",
        "1 temporal segments without a label are left out",
    ]


def test_via_labels_of_attributes_that_are_not_there_are_noted(tmp_path: Path) -> None:
    notes: list[str] = []
    stray = {"vid": "1", "z": [4, 5], "av": {"": "0", "9": "1"}}
    first, _ = read_annotations(via(tmp_path, [TAKE, stray]), note=notes.append)
    assert spans(first) == [(1.5, 2.25, "take cup")]
    assert notes[0].endswith("labels of attributes that the file does not define ('', '9') are left out")
    first, _ = read_annotations(via(tmp_path, [stray]))
    assert first.intervals == ()


def test_via_attributes_are_tiers_and_tracks(tmp_path: Path) -> None:
    who = {"vid": "1", "z": [1, 2], "av": {"2": "Ann"}}
    path = via(tmp_path, [TAKE, who])
    with pytest.raises(ConfigError, match="several attributes: 'activity', 'who'; choose one with --tier"):
        read_annotations(path)
    (first, _) = read_annotations(path, options=AnnotationOptions(tier=("none", "who")))
    assert spans(first) == [(1, 2, "Ann")]
    found = read_annotations(path, options=AnnotationOptions(per_subject=True))
    assert [(a.name, len(a.intervals)) for a in found] == [
        ("day1.activity", 1), ("day1.who", 1), ("day2.activity", 0), ("day2.who", 0)
    ]  # fmt: skip
    both = {"vid": "1", "z": [1, 2], "av": {"4": "1,0"}}
    assert spans(read_annotations(via(tmp_path, [both]))[0]) == [(1, 2, "sit"), (1, 2, "talk")]


def test_via_points(tmp_path: Path) -> None:
    path, notes = via(tmp_path, [TAKE, {"vid": "1", "z": [4], "av": {"1": "1"}}]), []
    with pytest.raises(DataError, match="metadata 1_1: 'pour' is a point at 4 s"):
        read_annotations(path)
    first, _ = read_annotations(path, options=AnnotationOptions(points="drop"), note=notes.append)
    assert spans(first) == [(1.5, 2.25, "take cup")]
    assert "1 event without a length left out: 'pour'" in notes[0]
    first, _ = read_annotations(path, fps=FPS, options=AnnotationOptions(points=5))
    assert spans(first)[1] == (4, 4.2, "pour")
    with pytest.raises(ConfigError, match="give --fps"):
        read_annotations(path, options=AnnotationOptions(points=5))


@pytest.mark.parametrize(
    ("metadata", "parts", "words"),
    [
        ([TAKE | {"av": {"1": ""}}], {}, "metadata 1_0: expected a label for 1.5 s to 2.25 s; --lenient"),
        ([TAKE | {"av": {"1": "7"}}], {}, "metadata 1_0: the attribute has no option '7'"),
        ([TAKE | {"av": {"1": 0}}], {}, "metadata 1_0: expected a text, or the id of an option, got 0"),
        ([TAKE | {"z": [2, 1]}], {}, "'take cup' ends at 1 s, before it starts at 2 s"),
        ([TAKE | {"z": [1, 2, 3]}], {}, "expected start and end, got 3 times"),
        ([TAKE | {"z": ["a", 2]}], {}, "expected a number, got 'a'"),
        ([TAKE | {"vid": None}], {}, "expected the id of a view at 'vid', got None"),
        ([TAKE], {"view": {"1": {"fid_list": [1, 2]}}}, "view 1: expected one file, got 2"),
        ([TAKE], {"view": {"1": {"fid_list": [9]}}}, "view 1: there is no file '9'"),
        ([TAKE], {"view": {"1": 3}}, "view 1: expected an object, got 3"),
        ([3], {}, "metadata 1_0: expected an object, got 3"),
        ([TAKE], {"attribute": {"1": {"aname": "x", "type": 4}}}, "expected an object at 'options'"),
        ([TAKE], {"view": {"1": {"fid_list": [1]}, "2": {"fid_list": [1]}}}, "the video 'day1' is in it twice"),
    ],
)
def test_via_that_is_inconsistent_is_refused(metadata: Any, parts: Any, words: str, tmp_path: Path) -> None:
    path = via(tmp_path, metadata, **parts)
    with pytest.raises(DataError, match=str(path)) as caught:
        read_annotations(path, "via")
    assert words in str(caught.value)


def test_a_segment_of_a_view_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="metadata 1_0: there is no view '9'"):
        read_annotations(via(tmp_path, [TAKE | {"vid": "9"}]))


def test_what_via_gets(tmp_path: Path) -> None:
    videos = [
        Annotation("day1", (Interval(1, 2, "take cup"), Interval(3, 4, "pour")), media="https://a.org/v/day1.mp4"),
        Annotation("day2", (), media="videos/day2.avi"),
        Annotation("other", (), media="videos/day3.mp4"),
    ]
    content = json.loads(annotations_text("via", videos, WriteSettings(tier="activity")))
    assert content["attribute"]["1"]["aname"] == "activity"
    assert content["attribute"]["1"]["options"] == {"0": "pour", "1": "take cup"}
    assert content["project"]["vid_list"] == ["1", "2", "3"]
    assert [(f["fname"], f["loc"], f["src"]) for f in content["file"].values()] == [
        ("day1.mp4", 2, "https://a.org/v/day1.mp4"), ("day2.avi", 1, ""), ("other", 1, "")
    ]  # fmt: skip
    assert [entry["z"] for entry in content["metadata"].values()] == [[1, 2], [3, 4]]


BENTO = """Bento annotation file
Movie file(s):  C:\\films\\day 1.mp4 {more}

Stimulus name: mouse
Annotation start frame: {first}
Annotation stop frame: 100
{rate}

List of channels:
Ch1
Ch2

List of annotations:
attack
Annotation framerate: 7

Ch1----------
>attack
Start\tStop\tDuration
{rows}

Ch2----------

"""


def bento(folder: Path, rows: str = "26\t50\t25", more: str = "", first: int = 1, rate: str = "25.000000") -> Path:
    path = folder / "a.annot"
    rate = f"Annotation framerate: {rate}" if rate else ""
    path.write_text(BENTO.format(rows=rows, more=more, first=first, rate=rate))
    return path


def test_bento_frames_count_from_1_and_include_both_ends(tmp_path: Path) -> None:
    path = bento(tmp_path, "26\t50\t25\n76\t76\t1")
    assert format_of(path) == "annot"
    (found,) = read_annotations(path)
    assert spans(found) == [(1, 2, "attack"), (3, 3.04, "attack")]
    assert (found.video, found.media, found.fps) == ("day 1", "C:\\films\\day 1.mp4", FPS)
    assert found.duration_seconds == 4


def test_bento_seconds_are_seconds_in_the_whole_file(tmp_path: Path) -> None:
    (found,) = read_annotations(bento(tmp_path, "1.5 2.25 0.75\n3 4 1"))
    assert spans(found) == [(1.5, 2.25, "attack"), (3, 4, "attack")]


def test_bento_frames_without_a_rate_are_not_guessed(tmp_path: Path) -> None:
    for rate in ("", "NaN"):
        path = bento(tmp_path, rate=rate)
        with pytest.raises(ConfigError, match=r"counts frames, and the frame rate is unknown; give --fps"):
            read_annotations(path)
        assert spans(read_annotations(path, fps=Fraction(50))[0]) == [(0.5, 1, "attack")]
    (found,) = read_annotations(bento(tmp_path, rate="29.970000"))
    assert found.fps == Fraction(30000, 1001)


def test_bento_notes_what_leaves_a_choice(tmp_path: Path) -> None:
    notes: list[str] = []
    (found,) = read_annotations(bento(tmp_path, more="day 1 side.seq", first=40), note=notes.append)
    assert found.video == "day 1"
    assert "2 movies side by side; the annotation is of C:\\films\\day 1.mp4" in notes[0]
    assert "counted from the start of the movie" in notes[1]


def test_bento_bouts_after_the_end_are_cut_or_left_out_where_that_is_asked_for(tmp_path: Path) -> None:
    notes: list[str] = []
    path = bento(tmp_path, "76\t110\t35\n120\t130\t11")
    (found,) = read_annotations(path, options=AnnotationOptions(lenient=True), note=notes.append)
    assert spans(found) == [(3, 4, "attack")]
    assert [note.split(": ", 1)[1] for note in notes] == [
        "1 segment cut at the end of the video: 'attack' from 3 to 4.4 s of day 1",
        "1 segment after the end of the video dropped: 'attack' from 4.76 to 5.2 s of day 1",
    ]


def test_bento_channels_are_tiers_and_tracks(tmp_path: Path) -> None:
    path = bento(tmp_path)
    path.write_text(path.read_text().rstrip() + "\n>mount\nStart\tStop\tDuration\n1\t25\t25\n")
    with pytest.raises(ConfigError, match="several channels: 'Ch1', 'Ch2'; choose one with --tier"):
        read_annotations(path)
    (found,) = read_annotations(path, options=AnnotationOptions(tier=("Ch2",)))
    assert spans(found) == [(0, 1, "mount")]
    found = read_annotations(path, options=AnnotationOptions(per_subject=True))
    assert [annotation.name for annotation in found] == ["day 1.Ch1", "day 1.Ch2"]


CALTECH = """Caltech Behavior Annotator - Annotation File

Configuration file:
other o
attack a

S1: start    end     type
-----------------------------
      1      25     other
     26      50     attack
     51     100     other

S2: start    end     type
-----------------------------
      1     100     mount
"""


def test_caltech_streams_count_frames_from_1(tmp_path: Path) -> None:
    path = tmp_path / "day1_annot.txt"
    path.write_bytes(CALTECH.replace("\n", "\r\n").encode())
    assert format_of(path) == "caltech"
    with pytest.raises(ConfigError, match="several streams: 'S1', 'S2'; choose one with --tier"):
        read_annotations(path, fps=FPS)
    with pytest.raises(ConfigError, match="counts frames, and the frame rate is unknown; give --fps"):
        read_annotations(path, options=AnnotationOptions(tier=("S1",)))
    (found,) = read_annotations(path, fps=FPS, options=AnnotationOptions(tier=("S1",)))
    assert (found.video, found.duration_seconds, found.background) == ("day1", 4, ("other",))
    assert spans(found.actions()) == [(1, 2, "attack")]
    found_all = read_annotations(path, fps=FPS, options=AnnotationOptions(per_subject=True))
    assert [annotation.name for annotation in found_all] == ["day1.S1", "day1.S2"]
    (named,) = read_annotations(path, fps=FPS, background=["mount"], options=AnnotationOptions(tier=("S1",)))
    assert named.background == ("mount",)


def test_caltech_has_a_key_per_class() -> None:
    many = Annotation("v", tuple(Interval(n, n + 1, f"c{n}") for n in range(95)), Fraction(95), Fraction(1))
    with pytest.raises(DataError, match="has keys for 94 classes, got 95"):
        annotations_text("caltech", [many])
    text = annotations_text("caltech", [Annotation("v", many.intervals[:94], Fraction(94), Fraction(1))])
    keys = [line.split()[1] for line in text.split("\n\n")[1].split("\n")[1:]]
    assert len(set(keys)) == 94
