"""Damaged and malicious files: each is an error with the file, and with the line where there is one."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from time import process_time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keyseg.formats import FORMATS, AnnotationOptions, WriteSettings, annotations_text, read_annotations
from keyseg.timeline import Annotation, ConfigError, DataError, Interval, KeysegError, LabelMap, TimelineError
from keyseg.timeline.files import write_content

HUGE = "9" * 5000
ODD_TIMES = ("nan", "inf", "-1", "1e400", "-1e400", "1e999999999", HUGE, "0x10", "1_000", "1;5", "", "١٢.", "99999999")
AROUND = {
    "audacity": "{}\t2\ttake\n",
    "rttm": "SPEAKER v 1 {} 2 <NA> <NA> take <NA> <NA>\n",
    "csv": "video,label,start_seconds,end_seconds\nv,take,{},2\n",
    "boris": "Observation id,Behavior,Behavior type,Start (s),Stop (s)\nv,take,STATE,{},2\n",
    "textgrid": '"ooTextFile"\n"TextGrid"\n0\n3\n<exists>\n1\n"IntervalTier"\n"a"\n0\n3\n1\n{}\n2\n"take"\n',
}
ODD_CLOCKS = (
    "nan",
    "1",
    "00:61:00.000",
    "00:00:60.000",
    "-00:00:01.000",
    "99999:00:00.000",
    "00:00:01.0000000000",
    HUGE,
)
AROUND_CLOCKS = {
    "vtt": "WEBVTT\n\n{} --> 9000:00:00.000\ntake\n",
    "srt": "1\n{} --> 9000:00:00,000\ntake\n",
    "epic": "video_id,start_timestamp,stop_timestamp,narration\nv,{},9000:00:00.00,take\n",
}


def file(folder: Path, fmt: str, content: str | bytes) -> Path:
    path = folder / f"v{FORMATS[fmt].suffix}"
    write_content(path, content)
    return path


def refused(
    path: Path, fmt: str, words: str = "", line: int | None = None, fps: Fraction | None = Fraction(25)
) -> None:
    place = f"{path}:{line}:" if line else str(path)
    with pytest.raises(DataError, match=re.escape(place)) as caught:
        read_annotations(path, fmt, fps=fps)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("time", ODD_TIMES, ids=lambda text: text[:12] or "empty")
@pytest.mark.parametrize("fmt", AROUND)
def test_a_bad_time_is_refused_with_its_line(fmt: str, time: str, tmp_path: Path) -> None:
    text = AROUND[fmt].format(time)
    lines = text[: text.index("take")].count("\n") + 1 if fmt != "textgrid" else None
    refused(file(tmp_path, fmt, text), fmt, line=lines)


@pytest.mark.parametrize("time", ODD_CLOCKS, ids=lambda text: text[:12])
@pytest.mark.parametrize("fmt", AROUND_CLOCKS)
def test_a_bad_clock_time_is_refused_with_its_line(fmt: str, time: str, tmp_path: Path) -> None:
    text = AROUND_CLOCKS[fmt].format(time.replace(".", ",") if fmt == "srt" else time)
    refused(file(tmp_path, fmt, text), fmt, line=text[: text.index("-->") if "-->" in text else -2].count("\n") + 1)


@pytest.mark.parametrize("fmt", AROUND)
def test_an_end_before_the_start_is_refused_with_its_line(fmt: str, tmp_path: Path) -> None:
    text = AROUND[fmt].format("2.5").replace("2.5 2 <NA>", "2.5 0 <NA>")
    words = "is a point at 2.5 s" if fmt == "rttm" else "'take' ends at 2 s, before it starts at 2.5 s"
    refused(file(tmp_path, fmt, text), fmt, words)


def eaf(body: str, head: str = "") -> str:
    xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="x"'
    return f'<?xml version="1.0"?>{head}<ANNOTATION_DOCUMENT VERSION="3.0" {xsi}>{body}</ANNOTATION_DOCUMENT>'


LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghi", "bcdefghij", strict=True)
)
SLOT = '<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="{}"/><TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="{}"/>'
SLOT += "</TIME_ORDER>"
TIER = (
    '<TIER TIER_ID="t"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">'
    "<ANNOTATION_VALUE>{}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>"
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (eaf(TIER.format("&j;"), LAUGHS + "]>"), "DTDForbidden"),
        (eaf(TIER.format("&e;"), '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'), "Forbidden"),
        (eaf("", '<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd">'), "DTDForbidden"),
        ("", "not an ELAN annotation"),
        ("<a/>", "expected an ELAN annotation, got XML of 'a'"),
        ("<a", "not an ELAN annotation"),
        ("\0\0", "not an ELAN annotation"),
        ('<?xml version="1.0" encoding="no-such"?><a/>', "not an ELAN annotation"),
        ("<ANNOTATION_DOCUMENT/>", "not a complete ELAN annotation (it has no TIME_ORDER)"),
        (eaf(SLOT.format(1, "soon") + TIER.format("x")), "tier 't': expected a number, got 'soon'"),
        (eaf(TIER.format("x")), "it has no TIME_ORDER"),
        (eaf("<TIME_ORDER/>" + TIER.format("x")), "'x' refers to a time or annotation that is missing"),
        (eaf(SLOT.format(5, 1) + TIER.format("x")), "'x' ends at 0.001 s, before it starts at 0.005 s"),
        (eaf(SLOT.format(5, 5) + TIER.format("x")), "'x' is a point"),
        (eaf(SLOT.format(-5, 5) + TIER.format("x")), "expected a time from 0"),
        (eaf(SLOT.format(5, HUGE) + TIER.format("x")), "expected a number, got '9999"),
        (eaf(SLOT.format(0, 9) + TIER.format("")), "expected a label for 0 s to 0.009 s"),
    ],
    ids=str,
)
def test_malicious_or_damaged_elan(text: str, words: str, tmp_path: Path) -> None:
    refused(file(tmp_path, "eaf", text), "eaf", words)


def test_elan_without_entities_is_read(tmp_path: Path) -> None:
    (found,) = read_annotations(file(tmp_path, "eaf", eaf(SLOT.format(0, 9) + TIER.format("x &amp; y"))))
    assert found.intervals == (Interval(Fraction(0), Fraction(9, 1000), "x & y"),)


DEEP = "[" * 100_000
JSON = {
    "activitynet": '{"database": {"v": {"annotations": [{"segment": [0, 1], "label": "take"}]}}}',
    "labelstudio": '[{"data": {"video": "v"}, "annotations": [{"result": [{"value":'
    ' {"ranges": [{"start": 1, "end": 2}], "timelinelabels": ["take"]}}]}]}]',
    "json": '{"fps": "25", "frames": 2, "classes": ["take"], "background": [], "segments":'
    ' [{"start_frame": 0, "end_frame": 2, "label": "take"}]}',
    "boris-project": '{"behaviors_conf": {"0": {"code": "take", "type": "State event"}}, "observations": {"v":'
    ' {"events": [[0, "", "take", "", ""], [1, "", "take", "", ""]], "type": "LIVE"}}}',
    "via": annotations_text("via", [Annotation("v", (Interval(Fraction(0), Fraction(1), "take"),))]),
    "otio": annotations_text(
        "otio", [Annotation("v", (Interval(Fraction(0), Fraction(1), "take"),), None, Fraction(25))]
    ),
}


@pytest.mark.parametrize("fmt", JSON)
def test_sound_json_is_read(fmt: str, tmp_path: Path) -> None:
    (found,) = read_annotations(file(tmp_path, fmt, JSON[fmt]), fmt, fps=Fraction(25))
    assert found.labels == ("take",)


@pytest.mark.parametrize("fmt", JSON)
@pytest.mark.parametrize(
    "text",
    ["", "{", DEEP, "null", "3", "[]x", '"a"', "[[]]", "{}", "[1]", '{"a": NaN}', '{"a": 1, "a": 2}', "[" + HUGE + "]"],
)
def test_broken_or_other_json(fmt: str, text: str, tmp_path: Path) -> None:
    if fmt == "labelstudio" and text == "{}":
        return  # a task without annotations
    refused(file(tmp_path, fmt, text), fmt)


@pytest.mark.parametrize("fmt", JSON)
def test_a_duplicate_key_is_named(fmt: str, tmp_path: Path) -> None:
    text = JSON[fmt]
    key = re.findall(r'"(\w+)":', text)[-1]
    refused(file(tmp_path, fmt, text.replace(f'"{key}":', f'"{key}": 0, "{key}":')), fmt, f"duplicate key '{key}'")


@pytest.mark.parametrize("fmt", JSON)
def test_broken_json_is_refused_with_its_line(fmt: str, tmp_path: Path) -> None:
    refused(file(tmp_path, fmt, "\n\n" + JSON[fmt].replace("\n", " ") + "}"), fmt, "not JSON", line=3)


@pytest.mark.parametrize(
    "segment", ["[0]", "[0, 1, 2]", "[1, 0]", "[1, 1]", "[-1, 1]", '["a", 1]', "[null, 1]", "[true, 1]", "{}", "null",
                "[0, 1e999999999]", "[0, 1e99999999999999999999]", "[1e-999999999, 1]", "[0, Infinity]", f"[0, {HUGE}]"]
)  # fmt: skip
def test_bad_activitynet_segments(segment: str, tmp_path: Path) -> None:
    refused(file(tmp_path, "activitynet", JSON["activitynet"].replace("[0, 1]", segment)), "activitynet")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"label": "take"', '"label": 3', "annotations[0]: expected a string at 'label', got 3"),
        ('"label": "take"', '"label": " "', "annotations[0]: expected a label"),
        ('[{"segment"', '[7, {"segment"', "v: annotations[0]: expected an object, got 7"),
        ('{"v": {', '{"v": 7, "w": {', "v: expected an object with 'annotations', got 7"),
        ('"annotations"', '"duration": "long", "annotations"', "v: duration: expected a number, got 'long'"),
        ('"annotations"', '"fps": 0, "annotations"', "v: fps: a frame rate is a number such as 15"),
    ],
)
def test_activitynet_of_wrong_types(old: str, new: str, words: str, tmp_path: Path) -> None:
    refused(file(tmp_path, "activitynet", JSON["activitynet"].replace(old, new)), "activitynet", words)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"start": 1', '"start": 0', "ranges[0]: expected frames from 1 with start <= end, got 0 to 2"),
        ('"start": 1', '"start": 3', "got 3 to 2"),
        ('"start": 1', '"start": 1.5', "expected a whole number at 'start'"),
        ('"start": 1', '"start": true', "expected a whole number at 'start', got True"),
        ('"end": 2', '"end": 99999999999', "got 1 to 99999999999"),
        ('["take"]', '"take"', "expected a list at 'timelinelabels', got 'take'"),
        ('["take"]', "[]", "expected labels at 'timelinelabels', got []"),
        ('[{"start"', '7, "x": [{"start"', "ranges: expected a list, got 7"),
        ('"video": "v"', '"video": "v", "fps": "0/0"', "fps: a frame rate is a number"),
        ('"video": "v"', '"video": "v", "fps": "1/0"', "fps: a frame rate is a number"),
        ('{"video": "v"}', "3", "expected an object at 'data', got 3"),
    ],
)
def test_label_studio_of_wrong_types(old: str, new: str, words: str, tmp_path: Path) -> None:
    refused(file(tmp_path, "labelstudio", JSON["labelstudio"].replace(old, new)), "labelstudio", words)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"Timeline.1"', '"Nothing.1"'),
        ('"value":25.0', '"value":1e308'),
        ('"value":25.0', '"value":-25.0'),
        ('"value":25.0', '"value":0.0'),
        ('"rate":25.0', '"rate":0.0'),
        ('"rate":25.0', '"rate":-25.0'),
        ('"rate":25.0', '"rate":"x"'),
        ('"Clip.2"', '"Stack.1"'),
    ],
)
def test_inconsistent_otio(old: str, new: str, tmp_path: Path) -> None:
    content = json.dumps(json.loads(JSON["otio"]), separators=(",", ":"))
    assert old in content
    refused(file(tmp_path, "otio", content.replace(old, new)), "otio", fps=None)


BENTO = "Bento annotation file\nCh1----------\n"
CALTECH = "Caltech Behavior Annotator - Annotation File\n\n"
STREAM = "S1: start\tend\ttype\n-----\n"
EVENT = "001  AX       V     C        00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00\n"


@pytest.mark.parametrize(
    "text",
    [
        "garbage\n" + EVENT + "and more\n001 x\n",
        EVENT.replace("00:00:01:00", "00:00:01:77"),
        EVENT.replace("00:00:01:00", "soon"),
        EVENT + EVENT.replace("001", "002"),  # overlapping
        EVENT.replace(" C ", " Q "),
        "001 AX V C\n",
        "9" * 5000 + EVENT,
    ],
)
def test_broken_edl(text: str, tmp_path: Path) -> None:
    refused(file(tmp_path, "edl", text), "edl")


@pytest.mark.parametrize(
    ("fmt", "text", "words", "line"),
    [
        ("vtt", "", "expected WEBVTT", 1),
        ("vtt", "WEBVTTX\n", "expected WEBVTT", 1),
        ("vtt", "WEBVTT\n\ntake\n", "expected a cue's times", 3),
        ("vtt", "WEBVTT\n\n00:01.000-->00:02.000\ntake\n", "expected a cue's times", 3),
        ("vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\ntake\n00:02.000->00:03.000\npour\n", "a cue's times", 5),
        ("srt", "1\n00:01,000 --> 00:02,000\ntake\n2\n00:00:02,000 - 00:00:03,000\npour\n", "a cue's times", 5),
        ("vtt", "WEBVTT\n\na\n00:01.000 --> 00:02.000\nx\nb\n00:02.000 --> 00:03.000\ny\n", "cues have names", 7),
        ("srt", "1\ntake\n", "expected a cue's times", 1),
        ("srt", "1\n00:00:02,000 --> 00:00:01,000\ntake\n", "ends at 1 s, before it starts at 2 s", 2),
        ("audacity", "0 1 take\n", "with tabs between", 1),
        ("rttm", "LINE tea\n", "expected SPEAKER and nine fields", 1),
        ("rttm", "SPEAKER v 1 0 1 <NA> <NA>\n", "expected SPEAKER and nine fields", 1),
        ("csv", "", "expected a header with the columns label, start_seconds", 1),
        ("csv", "video,label,start_seconds,end_seconds\nv,take,0\n", "expected 4 cells as in the header, got 3", 2),
        ("csv", "video,label,start_seconds,end_seconds\n\nv,,0,1\n", "nothing in the column 'label'", 3),
        ("csv", "video,label,label,start_seconds,end_seconds\n", "duplicate column 'label'", 1),
        ("csv", f'video,label,start_seconds,end_seconds\nv,"{"x" * 200_000}",0,1\n', "not a table", 2),
        ("boris", "Behavior,Start (s)\n", "expected a header with the columns Behavior", 1),
        ("epic", "video_id\n", "expected a header with the columns video_id", 1),
        ("txt", "take\ncut tomato\n", "expected one class name", 2),
        ("annot", "Bento\n", "expected 'Bento annotation file'", 1),
        ("annot", "Bento annotation file\nrubbish\n", "expected a name, a colon and a value", 2),
        ("annot", BENTO + "1\t2\t2\n", "expected >BEHAVIOUR, or start, stop", 3),
        ("annot", BENTO + ">take\nStart\n1\n", "expected >BEHAVIOUR, or start, stop", 5),
        ("annot", BENTO + ">take\n0\t2\t3\n", "expected frames from 1 to a later one, got 0 to 2", 4),
        ("annot", BENTO + ">take\n3\t2\t3\n", "got 3 to 2", 4),
        ("annot", BENTO + ">take\n1\t99999999999\t3\n", "got 1 to 99999999999", 4),
        ("annot", BENTO + ">take\n1.5\tnan\t3\n", "expected a number, got 'nan'", 4),
        ("annot", BENTO + ">take\n1.5\t1.5\t0\n", "'take' is a point at 1.5 s", 4),
        ("annot", BENTO + ">take\n1.5\t1.0\t0\n", "'take' ends at 1 s, before it starts", 4),
        ("caltech", "Caltech\n", "expected 'Caltech Behavior Annotator", 1),
        ("caltech", CALTECH, "no stream in it", None),
        ("caltech", CALTECH + STREAM + "1 2\n", "expected first frame, last frame and behaviour", 5),
        ("caltech", CALTECH + STREAM + "2 1 take\n", "expected first frame, last frame and behaviour", 5),
        ("caltech", CALTECH + STREAM + "0 1 take\n", "expected first frame, last frame and behaviour", 5),
        ("caltech", CALTECH + STREAM + "1 2 take\n2 3 take\n", "expected a start after frame 2, got 2", 6),
        ("caltech", CALTECH + STREAM + STREAM, "a second stream S1", 5),
        ("textgrid", "", "the file ends where", None),
        ("textgrid", '"ooTextFile"\n"TextTier"\n', 'expected "TextGrid"', 2),
        ("textgrid", '"ooTextFile"\n"TextGrid"\n0\n"x"\n', "expected a time", 4),
        ("textgrid", '"ooTextFile"\n"TextGrid"\n0 1 <exists> 999999999\n"IntervalTier"\n', "the file ends where", None),
        ("textgrid", '"ooTextFile"\n"TextGrid"\n0 1 <exists> 1\n"PitchTier" "x"\n', "expected an IntervalTier or", 4),
        ("textgrid", '"ooTextFile"\n"TextGrid"\n0 1 <absent>\n', "no tier in it", None),
    ],
)
def test_damaged_text(fmt: str, text: str, words: str, line: int | None, tmp_path: Path) -> None:
    refused(file(tmp_path, fmt, text), fmt, words, line)


@pytest.mark.parametrize("fmt", list(FORMATS))
def test_bytes_that_are_no_text_and_files_that_are_not_there(fmt: str, tmp_path: Path) -> None:
    path = tmp_path / f"v{FORMATS[fmt].suffix}"
    path.write_bytes(b"\x80\x81\xfe\n" * 9)
    refused(path, fmt)
    refused(tmp_path / "absent", fmt)
    (tmp_path / "folder").mkdir()
    refused(tmp_path / "folder", fmt)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize("fmt", list(FORMATS))
def test_damage_raises_nothing_but_keyseg_errors(fmt: str, data: st.DataObject, tmp_path: Path) -> None:
    spans = (("take", 0, 1), ("pour", 2, 3))
    found = Annotation(
        "v", tuple(Interval(Fraction(a), Fraction(b), n) for n, a, b in spans), Fraction(4), Fraction(25)
    )
    content = annotations_text(fmt, [found])
    start = data.draw(st.integers(0, len(content)))
    end = start + data.draw(st.integers(0, 20))
    new = data.draw(st.text('0159.:-\t\n "<>{}[],x', max_size=5))
    if isinstance(content, bytes):
        path = file(tmp_path, fmt, content[:start] + new.encode() + content[end:])
    else:
        path = file(tmp_path, fmt, content[:start] + new + content[end:])
    try:
        for annotation in read_annotations(path, fmt, fps=Fraction(25)):
            assert all(0 <= item.start_seconds < item.end_seconds for item in annotation.intervals)
    except KeysegError:
        pass


LINES = ("txt", "recog", "frames", "csv", "json", "caltech")  # formats whose labels become class names


@pytest.mark.parametrize("fmt", [name for name in FORMATS if name not in (*LINES, "tsv", "activitynet", "labelstudio")])
@pytest.mark.parametrize("label", ["two\nlines", "a\tb", "a\0b", "a\u2028b", "a\x85b"])
def test_labels_that_a_line_cannot_hold_are_refused(fmt: str, label: str) -> None:
    written = [Annotation("v", (Interval(Fraction(0), Fraction(1), label),), Fraction(1), Fraction(25))]
    with pytest.raises(DataError, match=re.escape(f"{label!r} holds")):
        annotations_text(fmt, written)


@pytest.mark.parametrize("label", ["a --> b", "<i>", "{\\an8}x", "<b>bold</b>"])
def test_srt_refuses_what_it_would_lose_and_vtt_keeps_it(label: str, tmp_path: Path) -> None:
    written = [Annotation("v", (Interval(Fraction(0), Fraction(1), label),))]
    with pytest.raises(DataError, match=r"SRT cannot hold the label .* write vtt instead"):
        annotations_text("srt", written)
    assert read_annotations(file(tmp_path, "vtt", annotations_text("vtt", written)))[0].labels == (label,)


def test_frames_too_fine_for_the_decimals_are_refused() -> None:
    fine = Annotation("v", (Interval(Fraction(0), Fraction(1, 2000), "x"),), None, Fraction(2000))
    with pytest.raises(TimelineError, match="at 2000 frames per second, 3 decimals do not identify a frame"):
        annotations_text("vtt", [fine])
    with pytest.raises(TimelineError, match="too short for 3 decimals"):
        annotations_text("srt", [Annotation("v", (Interval(Fraction(0), Fraction(1, 2001), "x"),))])
    assert annotations_text("audacity", [fine]) == "0.000000\t0.000500\tx\n"


def test_what_writers_refuse() -> None:
    bare = Annotation("v", (Interval(Fraction(0), Fraction(1), "take cup"), Interval(Fraction(2), Fraction(3), "pour")))
    for fmt in ("txt", "recog", "frames", "csv", "tsv", "json", "labelstudio", "otio", "edl"):
        with pytest.raises(
            ConfigError, match=r"v: this format counts frames, and the frame rate is unknown; give --fps"
        ):
            annotations_text(fmt, [bare])
    assert annotations_text("txt", [bare], WriteSettings(fps=Fraction(1))) == "take_cup\nbackground\npour\n"
    assert (
        annotations_text("txt", [bare], WriteSettings(fps=Fraction(1), background=("SIL",), frames=4)).split()[-1]
        == "SIL"
    )
    with pytest.raises(TimelineError, match="no background class to fill the gap"):
        annotations_text("txt", [bare], WriteSettings(fps=Fraction(1), background=()))
    with pytest.raises(ConfigError, match="a file of vtt holds one video, got 2"):
        annotations_text("vtt", [bare, bare])
    both = Annotation("v", (*bare.intervals[:1], Interval(Fraction(1), Fraction(2), "take_cup")))
    with pytest.raises(DataError, match="'take cup' and 'take_cup' would both be the class 'take_cup'"):
        annotations_text("txt", [both], WriteSettings(fps=Fraction(1)))
    with pytest.raises(DataError, match="RTTM cannot hold a video name with white space, got 'my v'"):
        annotations_text("rttm", [Annotation("my v", bare.intervals)])
    late = Annotation("v", (Interval(Fraction(0), Fraction(86_400), "x"),), None, Fraction(25))
    with pytest.raises(TimelineError, match="timecode restarts after 24 hours"):
        annotations_text("edl", [late])
    with pytest.raises(ConfigError, match=r"timecode exists at 24000/1001, 24, .* none is a multiple of 7"):
        annotations_text("edl", [bare], WriteSettings(fps=Fraction(7)))
    long = Annotation("v", (Interval(Fraction(0), Fraction(9_000_000), "x"),))
    with pytest.raises(TimelineError, match="frames are too many"):
        annotations_text("txt", [long], WriteSettings(fps=Fraction(60)))


@pytest.mark.parametrize("fmt", list(FORMATS))
def test_overlaps_are_kept_or_refused_or_resolved(fmt: str, tmp_path: Path) -> None:
    spans = (Interval(Fraction(0), Fraction(4), "take"), Interval(Fraction(1), Fraction(2), "pour"))
    both = Annotation("v", spans, Fraction(4), Fraction(25))
    if FORMATS[fmt].overlaps:
        (found,) = read_annotations(file(tmp_path, fmt, annotations_text(fmt, [both])), fmt)
        assert found.intervals == spans
    else:
        with pytest.raises(TimelineError, match="'take' from 0 s to 4 s and 'pour' from 1 s to 2 s overlap"):
            annotations_text(fmt, [both])
    text = annotations_text(fmt, [both], WriteSettings(overlap="last"))
    (found,) = read_annotations(file(tmp_path, fmt, text), fmt, fps=Fraction(25))
    assert [(i.start_seconds, i.end_seconds, i.label) for i in found.intervals] == [
        (0, 1, "take"),
        (1, 2, "pour"),
        (2, 4, "take"),
    ]


def test_background_by_name_and_none(tmp_path: Path) -> None:
    path = file(tmp_path, "txt", "SIL\ntake\nSIL\n")
    (plain,) = read_annotations(path, fps=Fraction(1))
    assert (plain.background, plain.actions()) == ((), plain)
    (named,) = read_annotations(path, fps=Fraction(1), background=["SIL"])
    assert [item.label for item in named.actions().intervals] == ["take"]
    assert annotations_text("txt", [named]) == "SIL\ntake\nSIL\n"
    assert json.loads(annotations_text("json", [named.actions()]))["background"] == ["SIL"]
    (none,) = read_annotations(file(tmp_path, "txt", "background\n"), fps=Fraction(1), background=[])
    assert none.actions().labels == ("background",)


def test_two_background_classes_stay_two(tmp_path: Path) -> None:
    runs = ((0, "start"), (2, "take"), (4, "end"))
    facts = {"fps": "2", "frames": 6, "classes": ["end", "start", "take"], "background": ["start", "end"]}
    text = json.dumps(facts | {"segments": [{"start_frame": a, "end_frame": a + 2, "label": n} for a, n in runs]})
    found = read_annotations(file(tmp_path, "json", text))
    assert annotations_text("txt", found).split() == ["start"] * 2 + ["take"] * 2 + ["end"] * 2
    content = json.loads(annotations_text("json", found))
    assert (content["classes"], content["background"]) == (["end", "start", "take"], ["start", "end"])
    assert annotations_text("audacity", found) == "1.000000\t2.000000\ttake\n"


def test_labels_of_a_data_set_are_the_classes() -> None:
    labels = LabelMap(("pour", "take", "idle"), ("idle",))
    found = Annotation("v", (Interval(Fraction(0), Fraction(1), "take"),), Fraction(2), Fraction(2))
    content = json.loads(annotations_text("json", [found], WriteSettings(labels=labels)))
    assert (content["classes"], content["background"]) == (["pour", "take", "idle"], ["idle"])
    assert [segment["label"] for segment in content["segments"]] == ["take", "idle"]
    with pytest.raises(TimelineError, match="unknown class 'take'"):
        annotations_text("json", [found], WriteSettings(labels=LabelMap(("pour", "idle"), ("idle",))))


_SPAN = (
    '<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="8000" TIME_SLOT_REF1="a" TIME_SLOT_REF2="b"><ANNOTATION_VALUE>'
    "take</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"
)


def _elan(tiers: str) -> str:
    """The content of a file of ELAN with two time slots."""
    slots = '<TIME_SLOT TIME_SLOT_ID="a" TIME_VALUE="0"/><TIME_SLOT TIME_SLOT_ID="b" TIME_VALUE="1000"/>'
    return f"<ANNOTATION_DOCUMENT><HEADER/><TIME_ORDER>{slots}</TIME_ORDER>{tiers}</ANNOTATION_DOCUMENT>"


def test_references_lead_to_the_times_of_the_annotation_at_their_end(tmp_path: Path) -> None:
    def refer(name: str, to: str) -> str:
        value = f"<ANNOTATION_VALUE>{name}</ANNOTATION_VALUE>"
        reference = f'<REF_ANNOTATION ANNOTATION_ID="{name}" ANNOTATION_REF="{to}">{value}</REF_ANNOTATION>'
        return f"<ANNOTATION>{reference}</ANNOTATION>"

    chain = refer("x", "y") + refer("y", "8000") + refer("z", "x")
    path = tmp_path / "a.eaf"
    path.write_text(_elan(f'<TIER TIER_ID="below">{chain}</TIER><TIER TIER_ID="times">{_SPAN}</TIER>'))
    (found,) = read_annotations(path, options=AnnotationOptions(tier=("below",)))
    assert found.intervals == tuple(Interval(0, 1, name) for name in "xyz")
    path.write_text(_elan(f'<TIER TIER_ID="below">{refer("x", "y")}{refer("y", "x")}</TIER>'))
    with pytest.raises(DataError, match="'x' refers to a time or annotation that is missing"):
        read_annotations(path, options=AnnotationOptions(tier=("below",)))


def test_many_rows_columns_and_tiers_take_linear_time(tmp_path: Path) -> None:
    rows = "".join(f'{at}\n{at + 1}\n"take"\n' for at in range(10_000))
    tiers = "".join(f'"IntervalTier"\n"t{n}"\n0\n1\n0\n' for n in range(5_000))
    columns = ",".join(f"c{n}" for n in range(12_000))
    chain = "".join(
        f'<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="{n}" ANNOTATION_REF="{n + 1}"/></ANNOTATION>' for n in range(8_000)
    )
    texts = {
        "rows.TextGrid": f'"ooTextFile"\n"TextGrid"\n0\n1\n<exists>\n1\n"IntervalTier"\n"a"\n0\n1\n10000\n{rows}',
        "tiers.TextGrid": f'"ooTextFile"\n"TextGrid"\n0\n1\n<exists>\n5000\n{tiers}',
        "a.csv": f"video,label,start_seconds,end_seconds,{columns}\n",
        "folders.csv": "video,label,start_seconds,end_seconds\n"
        + "".join(f"{first}/{'a/' * 150_000}v.mp4,take,0,1\n" for first in "bc"),
        "tiers.eaf": _elan("".join(f'<TIER TIER_ID="{n}">{_SPAN}</TIER>' for n in range(4_000))),
        "nested.eaf": _elan("<TIER>" * 4_000 + _SPAN * 4_000 + "</TIER>" * 4_000),
        "spaces.edl": f"TITLE: v\n* KEYSEG FPS: 25\n{' ' * 1_500}x\n",
        "lines.edl": "TITLE: v\n* KEYSEG FPS: 25\n" + "\n" * 50_000,
        "chain.eaf": _elan(f"<TIER>{_SPAN}{chain}</TIER>"),
    }
    options = AnnotationOptions(per_subject=True)
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        before = process_time()
        with suppress(KeysegError):
            read_annotations(tmp_path / name, options=options)
        assert process_time() - before < 4, name


@pytest.mark.parametrize("fmt", FORMATS.ours)
@pytest.mark.parametrize("bad", ["a\0b", "\udcff"])
def test_what_is_no_text_is_not_written(fmt: str, bad: str) -> None:
    span, settings = Interval(0, 1, "take"), WriteSettings(fps=Fraction(25))
    for annotation in (
        Annotation("a", (Interval(0, 1, bad),)),
        Annotation("a", (span,), background=(bad,)),
        Annotation(bad, (span,)),
        Annotation("a", (span,), track=bad),
        Annotation("a\rb", (span,)),
    ):
        with pytest.raises(DataError, match="rename it"):
            annotations_text(fmt, [annotation], settings)
    with pytest.raises(DataError, match="rename it"):
        annotations_text(fmt, [Annotation("a", (span,))], replace(settings, tier=bad))
    assert annotations_text(fmt, [Annotation("a", (span,), media=f"/films/{bad}.mp4")], settings)


def test_labels_that_would_be_read_as_a_comment_are_not_written_on_one_line() -> None:
    settings = WriteSettings(fps=Fraction(25))
    with pytest.raises(TimelineError, match="would be read as a comment; write csv instead"):
        annotations_text("recog", [Annotation("a", (Interval(0, 1, "#x"), Interval(1, 2, "y")))], settings)
    assert annotations_text("recog", [Annotation("a", (Interval(0, 1, "y"), Interval(1, 2, "#x")))], settings)
