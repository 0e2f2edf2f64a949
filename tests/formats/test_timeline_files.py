"""txt, csv and json: what is written is read back, and other tools find the columns they expect."""

import csv
import io
import json
import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyseg.formats import FORMATS, WriteSettings, read_annotations, timeline_text
from keyseg.formats.frames import segmented
from keyseg.formats.timeline_json import read_whole
from keyseg.timeline import ConfigError, DataError, LabelMap, Segment, Segmentation, TimeBase

LABELS = LabelMap(("take", "background", "cut,tomato", "pour"), ("background",))
NTSC = TimeBase(Fraction(30000, 1001), sample_rate=2)
EXAMPLE = Segmentation.from_segments([Segment(0, 3, 3), Segment(3, 5, 1), Segment(5, 30, 2)])
segmentations = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), max_size=8).map(
    lambda runs: Segmentation.from_frames([label for label, n in runs for _ in range(n)])
)


def write(folder, fmt, segmentation, timebase=NTSC):
    path = folder / f"video.{fmt}"
    path.write_text(timeline_text(fmt, "video", segmentation, LABELS, timebase), encoding="utf-8")
    return path


def edited(folder, **changes):
    """A JSON timeline of EXAMPLE with some keys changed."""
    path = write(folder, "json", EXAMPLE)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return path


def read(path, fps=None):
    """Segmentation, classes and time base of the only video in a file."""
    (annotation,) = read_annotations(path, fps=fps)
    return segmented(annotation, WriteSettings())


@given(segmentations)
def test_json_reads_back_as_it_was(tmp_path_factory, segmentation):
    _, result, labels, timebase = read_whole(write(tmp_path_factory.mktemp("json"), "json", segmentation))
    assert result == segmentation
    assert labels == LABELS
    assert timebase.fps == NTSC.fps


def test_json_keeps_neighbours_of_one_class_apart(tmp_path):
    twice = Segmentation([0, 4, 7], [1, 1])
    assert read_whole(write(tmp_path, "json", twice))[1] == twice


@given(segmentations)
def test_txt_reads_back_the_same_names(tmp_path_factory, segmentation):
    path = write(tmp_path_factory.mktemp("txt"), "txt", segmentation)
    result, labels, _ = read(path, Fraction(15))
    expected = LABELS.decode(segmentation.to_frames())
    assert path.read_text().split() == expected
    assert labels.decode(result.to_frames()) == expected
    assert labels.names == tuple(sorted(set(expected)))
    assert labels.background == (("background",) if "background" in expected else ())


@given(segmentations)
def test_csv_holds_every_segment(segmentation):
    rows = list(csv.DictReader(io.StringIO(timeline_text("csv", "a,b", segmentation, LABELS, NTSC))))
    assert {row["video"] for row in rows} <= {"a,b"}
    back = [Segment(int(r["start_frame"]), int(r["end_frame"]), LABELS.id(r["label"])) for r in rows]
    assert tuple(back) == segmentation.segments


def test_txt_is_one_label_per_line():
    assert timeline_text("txt", "v", Segmentation.from_frames([3, 3, 0]), LABELS, NTSC) == "pour\npour\ntake\n"


def test_csv_to_the_letter():
    assert timeline_text("csv", "P03-tea", EXAMPLE, LABELS, NTSC) == (
        "video,start_frame,end_frame,start_seconds,end_seconds,label\n"
        "P03-tea,0,3,0.0,0.1001,pour\n"
        "P03-tea,3,5,0.1001,0.166833,background\n"
        'P03-tea,5,30,0.166833,1.001,"cut,tomato"\n'
    )


def test_json_to_the_key():
    content = json.loads(timeline_text("json", "P03-tea", EXAMPLE, LABELS, NTSC))
    assert list(content) == ["video", "fps", "frames", "classes", "background", "segments"]
    segments = content.pop("segments")
    assert content == {
        "video": "P03-tea",
        "fps": "30000/1001",
        "frames": 30,
        "classes": ["take", "background", "cut,tomato", "pour"],
        "background": ["background"],
    }
    assert [list(segment) for segment in segments] == [
        ["start_frame", "end_frame", "start_seconds", "end_seconds", "label"]
    ] * 3
    assert segments[1] == {
        "start_frame": 3,
        "end_frame": 5,
        "start_seconds": 0.1001,
        "end_seconds": 0.166833,
        "label": "background",
    }


def test_an_empty_video_is_an_empty_file(tmp_path):
    empty = Segmentation.from_frames([])
    assert timeline_text("txt", "v", empty, LABELS, NTSC) == ""
    assert timeline_text("csv", "v", empty, LABELS, NTSC).count("\n") == 1
    assert read(write(tmp_path, "txt", empty), Fraction(15))[0] == empty


def test_an_unknown_format_names_the_nearest_and_all():
    known = ", ".join(FORMATS)
    with pytest.raises(ConfigError, match=re.escape(f"unknown format 'jsn' (did you mean 'json'?); known: {known}")):
        timeline_text("jsn", "v", EXAMPLE, LABELS, NTSC)


def test_recog_files_are_read(tmp_path):
    path = tmp_path / "video"
    path.write_text("### Frame level recognition: ###\npour pour take\n")
    result, labels, _ = read(path, Fraction(15))
    assert labels.decode(result.to_frames()) == ["pour", "pour", "take"]


def test_a_bad_line_of_a_label_file_is_named(tmp_path):
    path = tmp_path / "video.txt"
    path.write_text("pour\ncut tomato\n")
    with pytest.raises(DataError, match=re.escape(f"{path}:2: expected one class name without white space")):
        read(path, Fraction(15))


def test_csv_reads_back_with_the_rate_that_its_columns_show(tmp_path):
    result, labels, timebase = read(write(tmp_path, "csv", EXAMPLE))
    assert result.boundaries.tolist() == EXAMPLE.boundaries.tolist()
    assert labels.decode(result.labels) == ["pour", "background", "cut,tomato"]
    assert labels.background == ("background",)
    assert timebase.fps == NTSC.fps


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "looks like none of json, activitynet, labelstudio, via, otio"),
        ("{}", "none of json"),
        ("null", "none of json"),
    ],
)
def test_other_json_is_refused(tmp_path, text, words):
    path = tmp_path / "video.json"
    path.write_text(text)
    with pytest.raises(DataError, match=re.escape(f"{path}: it ") + f".*{words}.*--from"):
        read(path)


def test_json_without_a_key_says_which(tmp_path):
    path = tmp_path / "video.json"
    path.write_text('{"fps": "30", "segments": [], "classes": [], "background": []}')
    with pytest.raises(DataError, match=re.escape(f"{path}: not a timeline that keyseg wrote (frames: Field required")):
        read(path)


def test_a_json_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"absent\.json: cannot read it \(no such file\)"):
        read(tmp_path / "absent.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"segments": [{"start_frame": 0, "end_frame": 30, "label": "stir"}]}, "unknown class 'stir'"),
        (
            {"frames": 30.5, "segments": [{"start_frame": 0, "end_frame": 30.5, "label": "take"}]},
            "frames: Input should be a valid integer, got 30.5",
        ),
        ({"background": ["nothing"]}, "background 'nothing' is not a class"),
        ({"fps": "0"}, "above 0 and at most 100000; got '0'"),
        ({"fps": "1/0"}, "such as 30000/1001, above 0 and at most 100000; got '1/0'"),
        ({"fps": 30}, "fps: expected text, got 30; put it in quotes"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"segments": [{"start_frame": 0, "end_frame": True, "label": "take"}]}, "segments.0.end_frame"),
        ({"frames": 31}, "segments must follow each other from frame 0 to 31"),
        ({"segments": [{"start_frame": 2, "end_frame": 30, "label": "take"}]}, "segments must follow each other"),
        (
            {
                "segments": [
                    {"start_frame": 0, "end_frame": 10, "label": "take"},
                    {"start_frame": 20, "end_frame": 30, "label": "pour"},
                ]
            },
            "segments must follow each other from frame 0 to 30",
        ),
    ],
)
def test_inconsistent_json_is_refused(tmp_path, changes, message):
    path = edited(tmp_path, **changes)
    with pytest.raises(DataError, match=re.escape(str(path)) + ".*" + re.escape(message)):
        read(path)


def test_edited_reads_without_a_change(tmp_path):
    assert read_whole(edited(tmp_path))[1] == EXAMPLE
