"""Files as the tools themselves write them, made by hand: the cases beyond the plain one."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from keyseg.formats import AnnotationOptions, annotations_text, read_annotations
from keyseg.formats.table_of_formats import format_of
from keyseg.timeline import Annotation, ConfigError, DataError, Interval

NTSC = Fraction(30000, 1001)


def file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def rows(annotation: Annotation) -> list[tuple[float, float, str]]:
    return [(float(i.start_seconds), float(i.end_seconds), i.label) for i in annotation.intervals]


def one(path: Path, fmt: str | None = None, **options: Any) -> Annotation:
    (found,) = read_annotations(path, fmt, **options)
    return found


EPIC_100 = """narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,\
start_frame,stop_frame,narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes
P01_01_0,P01,P01_01,00:00:01.089,00:00:00.14,00:00:03.37,8,202,open door,open,3,door,3,['door'],[3]
P01_01_1,P01,P01_01,00:00:02.629,01:00:04.37,01:00:06.17,262,370,turn on light,turn-on,6,light,114,['light'],[114]
P01_102_0,P01,P01_102,00:00:01.100,00:00:00.54,00:00:02.23,27,111,take knife and plate,take,0,knife,4,\
"['knife', 'plate']","[4, 2]"
"""


def test_epic_kitchens(tmp_path: Path) -> None:
    path = file(tmp_path, "EPIC_100_train.csv", EPIC_100)
    assert format_of(path) == "epic"
    first, second = read_annotations(path)
    assert (first.video, rows(first)) == ("P01_01", [(0.14, 3.37, "open door"), (3604.37, 3606.17, "turn-on light")])
    assert (second.video, rows(second)) == ("P01_102", [(0.54, 2.23, "take knife")])


def test_epic_narrations_without_verb_and_noun(tmp_path: Path) -> None:
    text = "participant_id,video_id,start_timestamp,stop_timestamp,narration\nP01,P01_01,0:00:01.5,0:00:02,open door\n"
    assert rows(one(file(tmp_path, "narrations.csv", text))) == [(1.5, 2, "open door")]
    bare = text.replace(",narration", "").replace(",open door", "")
    with pytest.raises(DataError, match=r"narrations\.csv:2: expected a verb and a noun, or a narration"):
        read_annotations(file(tmp_path, "narrations.csv", bare))


ACTIVITYNET = """{"version": "VERSION 1.3", "taxonomy": [{"parentName": "Root", "nodeName": "Walking", "nodeId": 1}],
"database": {
 "sJI4V6I9tCk": {"duration": 30.53, "subset": "training", "resolution": "320x240", "url": "https://example.org/x",
  "annotations": [{"segment": [11.25, 28.41], "label": "Longboarding"}, {"segment": [0, 3e-1], "label": "Walking"}]},
 "video_test_0000004": {"subset": "Test", "duration": 33.67, "fps": 29.97,
  "annotations": [{"label": "CricketBowling", "segment": [0.2, 1.1], "segment(frames)": [6.0, 33.0], "label_id": 5}]},
 "untrimmed": {"duration_second": 5, "subset": "testing"}}}"""


def test_activitynet_and_thumos(tmp_path: Path) -> None:
    path = file(tmp_path, "activity_net.v1-3.min.json", ACTIVITYNET)
    assert format_of(path) == "activitynet"
    first, second, third = read_annotations(path)
    assert rows(first) == [(0, 0.3, "Walking"), (11.25, 28.41, "Longboarding")]
    assert (first.duration_seconds, first.fps) == (Fraction("30.53"), None)
    assert (second.video, second.fps, rows(second)) == ("video_test_0000004", NTSC, [(0.2, 1.1, "CricketBowling")])
    assert (third.duration_seconds, third.intervals) == (5, ())


def test_activitynet_results_of_a_detector(tmp_path: Path) -> None:
    text = (
        '{"version": "1", "results": {"v": [{"label": "a", "score": 0.9, "segment": [1.5, 2]}]}, "external_data": {}}'
    )
    assert rows(one(file(tmp_path, "detections.json", text))) == [(1.5, 2, "a")]


VTT = """\ufeffWEBVTT - tea, by hand\r
Kind: captions\r
\r
STYLE\r
::cue { color: red }\r
\r
REGION\r
id:below\r
\r
NOTE a comment\r
of two lines\r
\r
00:01.500 --> 00:02.000 align:start position:10%\r
<v Anna><i>take</i> cup &amp; <c.red>saucer</c>\r
\r
first id\r
00:00:02.000 --> 01:00:03.250\r
pour\r
slowly\r
"""


def test_webvtt(tmp_path: Path) -> None:
    path = file(tmp_path, "tea.vtt", VTT)
    assert rows(one(path)) == [(1.5, 2, "take cup & saucer"), (2, 3603.25, "pour slowly")]
    assert one(path).video == "tea"


def test_webvtt_without_a_cue_and_without_an_empty_line(tmp_path: Path) -> None:
    assert one(file(tmp_path, "tea.vtt", "WEBVTT")).intervals == ()
    with pytest.raises(DataError, match=r"tea\.vtt:1: expected an empty line between WEBVTT and the first cue"):
        read_annotations(file(tmp_path, "tea.vtt", "WEBVTT\n00:01.000 --> 00:02.000\ntake\n"))


def test_srt(tmp_path: Path) -> None:
    text = "1\n00:00:01,500 --> 00:00:02,000 X1:40 X2:600\n{\\an8}<i>take</i> cup\n\n\n"
    text += '2\n00:00:02,000 --> 10:00:03,250\n<font color="#ff0000">5</font>\n'
    assert rows(one(file(tmp_path, "tea.srt", text))) == [(1.5, 2, "take cup"), (2, 36003.25, "5")]
    assert one(file(tmp_path, "empty.srt", "")).intervals == ()


ELAN = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2024-03-05T10:11:12+01:00" FORMAT="3.0" VERSION="3.0"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">
    <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
        <MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/videos/tea.mp4" MIME_TYPE="video/mp4" RELATIVE_MEDIA_URL="./tea.mp4"/>
        <PROPERTY NAME="lastUsedAnnotationId">4</PROPERTY>
    </HEADER>
    <TIME_ORDER>
        <TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="440"/>
        <TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="1500"/>
        <TIME_SLOT TIME_SLOT_ID="ts3"/>
        <TIME_SLOT TIME_SLOT_ID="ts4" TIME_VALUE="36000040"/>
    </TIME_ORDER>
    <TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="right hand">
        <ANNOTATION>
            <ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
                <ANNOTATION_VALUE>take cup</ANNOTATION_VALUE>
            </ALIGNABLE_ANNOTATION>
        </ANNOTATION>
        <ANNOTATION>
            <ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts4">
                <ANNOTATION_VALUE>pour &amp; wait</ANNOTATION_VALUE>
            </ALIGNABLE_ANNOTATION>
        </ANNOTATION>
    </TIER>
    <TIER LINGUISTIC_TYPE_REF="words" PARENT_REF="right hand" TIER_ID="translation">
        <ANNOTATION>
            <REF_ANNOTATION ANNOTATION_ID="a3" ANNOTATION_REF="a1">
                <ANNOTATION_VALUE>prendre</ANNOTATION_VALUE>
            </REF_ANNOTATION>
        </ANNOTATION>
    </TIER>
    <TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="left hand"/>
    <LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="default-lt" TIME_ALIGNABLE="true"/>
    <LINGUISTIC_TYPE CONSTRAINTS="Symbolic_Association" GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="words"
        TIME_ALIGNABLE="false"/>
    <CONSTRAINT DESCRIPTION="1-1 association with a parent annotation" STEREOTYPE="Symbolic_Association"/>
</ANNOTATION_DOCUMENT>
"""


def test_elan_reads_the_only_tier_with_times_or_the_one_named(tmp_path: Path) -> None:
    path = file(tmp_path, "tea.eaf", ELAN)
    expected = [(0.44, 1.5, "take cup"), (1.5, 36000.04, "pour & wait")]
    assert rows(one(path)) == rows(one(path, options=AnnotationOptions(tier=("right hand",)))) == expected
    assert rows(one(path, options=AnnotationOptions(tier=("translation",)))) == [(0.44, 1.5, "prendre")]
    assert one(path, options=AnnotationOptions(tier=("left hand",))).intervals == ()
    with pytest.raises(
        ConfigError, match=r"no tier 'right' \(did you mean 'right hand'\?\); it has 'right hand', 'tran"
    ):
        read_annotations(path, options=AnnotationOptions(tier=("right",)))


def test_elan_with_several_tiers_lists_them(tmp_path: Path) -> None:
    another = ELAN[ELAN.index("        <ANNOTATION>") : ELAN.index("    </TIER>")].replace('"a', '"b')
    both = ELAN.replace('TIER_ID="left hand"/>', f'TIER_ID="left hand">{another}</TIER>')
    with pytest.raises(ConfigError, match="several tiers: 'right hand', 'left hand'; choose one with --tier"):
        read_annotations(file(tmp_path, "tea.eaf", both))


def test_elan_with_a_slot_without_time(tmp_path: Path) -> None:
    path = file(tmp_path, "tea.eaf", ELAN.replace('REF2="ts4"', 'REF2="ts3"'))
    with pytest.raises(
        DataError, match=r"tea\.eaf: tier 'right hand': 'pour & wait' has no times; choose the parent tier"
    ):
        read_annotations(path)


def test_a_table_of_three_columns_holds_one_video(tmp_path: Path) -> None:
    found = one(file(tmp_path, "day1.csv", "start_seconds,end_seconds,label\n0.5,2,take cup\n2,3.25,pour\n"))
    assert (found.video, found.fps, rows(found)) == ("day1", None, [(0.5, 2, "take cup"), (2, 3.25, "pour")])


def test_audacity_with_spectral_lines(tmp_path: Path) -> None:
    text = "1.000000\t2.500000\ttake cup\n\\\t6928.456055\t7000.000000\n2.500000\t3.000000\tpour\r\n"
    path = file(tmp_path, "Label Track.txt", text)
    assert format_of(path) == "audacity"
    assert rows(one(path)) == [(1, 2.5, "take cup"), (2.5, 3, "pour")]
    with pytest.raises(DataError, match=r"Track\.txt:1: 'x' is a point at 1 s"):
        read_annotations(file(tmp_path, "Label Track.txt", "1.0\t1.0\tx\n"))
    with pytest.raises(DataError, match=r"Track\.txt:1: expected a label for 1 s to 2 s"):
        read_annotations(file(tmp_path, "Label Track.txt", "1.0\t2.0\t\n"))


LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 3.25
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "actions"
        xmin = 0
        xmax = 3.25
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = ""
        intervals [2]:
            xmin = 0.5
            xmax = 2
            text = "say ""hi"" 5 times"
        intervals [3]:
            xmin = 2
            xmax = 3.25
            text = "pour"
    item [2]:
        class = "TextTier"
        name = "clicks"
        xmin = 0
        xmax = 3.25
        points: size = 1
        points [1]:
            number = 1.5
            mark = "click"
"""
SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
3.25
<exists>
1
"IntervalTier"
"actions"
0
3.25
2
0.5
2
"say ""hi"" 5 times"
2
3.25
"pour"
"""


@pytest.mark.parametrize("text", [LONG, SHORT, LONG.replace("\n", "\r\n")], ids=["long", "short", "crlf"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_textgrid_in_both_forms(text: str, encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "tea.TextGrid"
    path.write_bytes(text.encode(encoding))
    found = one(path)
    assert rows(found) == [(0.5, 2, 'say "hi" 5 times'), (2, 3.25, "pour")]
    assert (found.video, found.duration_seconds) == ("tea", Fraction("3.25"))


def test_textgrid_with_several_tiers_lists_them(tmp_path: Path) -> None:
    path = file(tmp_path, "tea.TextGrid", LONG.replace("TextTier", "IntervalTier").replace("1.5\n", "1.5\nxmax = 2\n"))
    with pytest.raises(ConfigError, match="several tiers: 'actions', 'clicks'; choose one with --tier"):
        read_annotations(path)
    assert rows(one(path, options=AnnotationOptions(tier=("clicks",)))) == [(1.5, 2, "click")]
    with pytest.raises(ConfigError, match="no tier 'click'"):
        read_annotations(path, options=AnnotationOptions(tier=("click",)))


def test_textgrid_points(tmp_path: Path) -> None:
    path, notes = file(tmp_path, "tea.TextGrid", LONG), list[str]()
    assert rows(one(path, note=notes.append)) == [(0.5, 2, 'say "hi" 5 times'), (2, 3.25, "pour")]
    assert notes == [f"{path}: 1 event without a length left out, of 'clicks'; see --tier and --points"]
    clicks = AnnotationOptions(tier=("hands", "clicks"))
    with pytest.raises(DataError, match=r"TextGrid:35: 'click' is a point at 1.5 s.*--points drop"):
        one(path, options=clicks)
    notes.clear()
    assert rows(one(path, options=replace(clicks, points="drop"), note=notes.append)) == []
    assert notes == [f"{path}: 1 event without a length left out: 'click'; see --points"]
    given = one(path, options=replace(clicks, points=5), fps=Fraction(10))
    assert rows(given) == [(1.5, 2, "click")]
    with pytest.raises(ConfigError, match="several tiers: 'actions', 'clicks'"):
        one(path, options=AnnotationOptions(points=5), fps=Fraction(10))


def test_textgrid_of_points_alone(tmp_path: Path) -> None:
    head, tail = LONG[: LONG.index("    item [1]")].replace("size = 2", "size = 1"), LONG[LONG.index("    item [2]") :]
    path = file(tmp_path, "tea.TextGrid", head + tail)
    with pytest.raises(DataError, match="'click' is a point"):
        one(path)
    found = one(path, options=AnnotationOptions(points=1), fps=Fraction(2))
    assert (rows(found), found.track) == ([(1.5, 2, "click")], "")


def test_textgrid_states_and_points_of_one_subject(tmp_path: Path) -> None:
    text = LONG.replace('name = "clicks"', 'name = "actions"')
    path = file(tmp_path, "tea.TextGrid", text)
    with pytest.raises(DataError, match=r"'click' is a point at 1\.5 s"):
        one(path)
    found = one(path, options=AnnotationOptions(points=2), fps=Fraction(10))
    assert rows(found) == [(0.5, 2, 'say "hi" 5 times'), (1.5, 1.7, "click"), (2, 3.25, "pour")]
    twice = text.replace("TextTier", "IntervalTier").replace("1.5\n", "1.5\nxmax = 2\n")
    with pytest.raises(DataError, match="two tiers are called 'actions'; rename one"):
        one(file(tmp_path, "tea.TextGrid", twice))


def test_textgrid_one_timeline_per_tier(tmp_path: Path) -> None:
    text = LONG.replace("TextTier", "IntervalTier").replace("1.5\n", "1.5\nxmax = 2\n")
    path = file(tmp_path, "tea.TextGrid", text)
    each = read_annotations(path, options=AnnotationOptions(per_subject=True))
    assert [(a.name, a.track, rows(a)[-1]) for a in each] == [
        ("tea.actions", "actions", (2, 3.25, "pour")),
        ("tea.clicks", "clicks", (1.5, 2, "click")),
    ]
    notes: list[str] = []
    path = file(tmp_path, "tea.TextGrid", text.replace('"click"', '""'))
    (only,) = read_annotations(path, options=AnnotationOptions(per_subject=True), note=notes.append)
    assert (only.name, notes) == ("tea.actions", [f"{path}: nothing is labelled in 'clicks'; left out"])
    both = read_annotations(
        file(tmp_path, "tea.TextGrid", LONG), options=AnnotationOptions(per_subject=True, points=1), fps=Fraction(2)
    )
    assert [rows(a)[-1] for a in both] == [(2, 3.25, "pour"), (1.5, 2, "click")]


LABEL_STUDIO = """[{"id": 7, "annotations": [
 {"id": 11, "was_cancelled": true, "result": [{"value": {"choices": ["bad"]}}]},
 {"id": 12, "was_cancelled": false, "completed_by": 1, "result": [
  {"value": {"ranges": [{"start": 1, "end": 30}], "timelinelabels": ["take"]}, "id": "Xy", "from_name": "videoLabels",
   "to_name": "video", "type": "timelinelabels", "origin": "manual"},
  {"value": {"ranges": [{"start": 31, "end": 31}], "timelinelabels": ["pour"]}, "id": "Xz", "from_name": "videoLabels",
   "to_name": "video", "type": "timelinelabels", "origin": "manual"},
  {"value": {"choices": ["good"]}, "type": "choices"}]}],
 "drafts": [], "predictions": [], "data": {"video": "/data/upload/1/1a2b3c4d-tea.mp4"}, "meta": {}}]"""


def test_label_studio_counts_frames_from_one_and_ranges_include_both_ends(tmp_path: Path) -> None:
    path = file(tmp_path, "project-1-at-2024.json", LABEL_STUDIO)
    assert format_of(path) == "labelstudio"
    found = one(path, fps=Fraction(30))
    assert (found.video, rows(found)) == ("tea", [(0, 1, "take"), (1, 1 + 1 / 30, "pour")])
    with pytest.raises(ConfigError, match=r"annotations\[1\]: result\[0\]: this format counts frames, .* give --fps"):
        read_annotations(path)


def test_label_studio_with_two_annotations(tmp_path: Path) -> None:
    path = file(tmp_path, "two.json", LABEL_STUDIO.replace("true", "false"))
    with pytest.raises(DataError, match=r"two\.json\[0\]: 2 annotations of one video, by unknown, 1; keep one"):
        read_annotations(path, fps=Fraction(30))


def test_label_studio_json_min_and_seconds(tmp_path: Path) -> None:
    text = '[{"video": "s3://bucket/tea.mp4", "id": 1, "videoLabels": [{"ranges": [{"start": 1, "end": 3}],'
    text += ' "timelinelabels": ["take"]}], "annotator": 1}]'
    found = one(file(tmp_path, "min.json", text), fps=Fraction(1))
    assert (found.video, rows(found)) == ("tea", [(0, 3, "take")])
    value = '{"start": 0.5, "end": 2.25, "instant": false, "timeserieslabels": ["run"]}'
    text = '[{"data": {"csv": "http://x/walk.csv"}, "annotations": [{"result": [{"value": %s}]}]}]' % value  # noqa: UP031
    assert rows(one(file(tmp_path, "series.json", text))) == [(0.5, 2.25, "run")]


RTTM = """;; comment
SPKR-INFO tea 1 <NA> <NA> <NA> adult Anna <NA> <NA>
SPEAKER tea 1 0.50 1.75 <NA> <NA> take <NA> <NA>
SPEAKER coffee 1 3 1e0 <NA> <NA> pour <NA>
SPEAKER tea 1 2.25 .5 <NA> <NA> pour <NA> <NA>
"""


def test_rttm(tmp_path: Path) -> None:
    tea, coffee = read_annotations(file(tmp_path, "all.rttm", RTTM))
    assert (tea.video, rows(tea)) == ("tea", [(0.5, 2.25, "take"), (2.25, 2.75, "pour")])
    assert (coffee.video, rows(coffee)) == ("coffee", [(3, 4, "pour")])
    assert read_annotations(file(tmp_path, "none.rttm", "")) == []


EDL = """* made by hand
TITLE: tea time
FCM: NON-DROP FRAME

001  TAPE1    V     C        01:00:00:00 01:00:01:12 00:00:02:00 00:00:03:12
* FROM CLIP NAME: take cup
002  BL       V     C        00:00:00:00 00:00:00:13 00:00:03:12 00:00:04:00
003  TAPE1    V     C        01:00:01:12 01:00:02:00 00:00:04:00 00:00:04:13
M2   TAPE1    12.0      01:00:01:12
"""


def test_edl_of_another_program(tmp_path: Path) -> None:
    path = file(tmp_path, "cut.edl", EDL)
    found = one(path, fps=Fraction(25))
    assert (found.video, found.fps, found.duration_seconds) == ("tea time", 25, None)
    assert rows(found) == [
        (2, 3.48, "take cup"),
        (4, 4.52, "TAPE1"),
    ]  # black is a gap; a clip without a name is called by its reel
    with pytest.raises(ConfigError, match=r"cut\.edl: this format counts frames, .* give --fps"):
        read_annotations(path)
    with pytest.raises(ConfigError, match=r"timecode exists at .*24, 25, .* none is a multiple of 7"):
        read_annotations(path, fps=Fraction(7))
    assert one(file(tmp_path, "none.edl", "TITLE: x\n"), fps=Fraction(25)).intervals == ()


def test_otio_of_another_program(tmp_path: Path) -> None:
    otio = pytest.importorskip("opentimelineio")
    time, span = otio.opentime.RationalTime, otio.opentime.TimeRange
    timeline = otio.schema.Timeline("cut")
    for name, kind in (("V1", "Video"), ("A1", "Audio"), ("V2", "Video")):
        track = otio.schema.Track(name, kind=kind)
        track.append(otio.schema.Gap(source_range=span(time(0, 24), time(12, 24))))
        track.append(otio.schema.Clip(f"{name} clip", source_range=span(time(86400, 23.976), time(24, 23.976))))
        timeline.tracks.append(track)
    path = tmp_path / "cut.otio"
    otio.adapters.write_to_file(timeline, str(path))
    found = one(path)
    assert [item.label for item in found.intervals] == ["V1 clip", "V2 clip"]
    assert [item.label for item in one(path, options=AnnotationOptions(tier=("V2",))).intervals] == ["V2 clip"]
    with pytest.raises(ConfigError, match="no video track 'A1'"):
        read_annotations(path, options=AnnotationOptions(tier=("A1",)))
    assert found.video == "cut"


def test_a_table_of_another_program_needs_no_frames(tmp_path: Path) -> None:
    text = "label;video;start_seconds;end_seconds;comment\ntake cup;tea;0.5;1;x\npour;tea;2;3.5;y\n"
    found = one(file(tmp_path, "mine.csv", text))
    assert (found.video, found.fps, rows(found)) == ("tea", None, [(0.5, 1, "take cup"), (2, 3.5, "pour")])


@pytest.mark.parametrize("fps", ["15", "25", "30000/1001", "7.5", "1000/33", "23/7"])
def test_a_table_implies_its_rate(fps: str, tmp_path: Path) -> None:
    rate = Fraction(fps)
    cells = [(0, 7), (7, 100), (100, 54321)]
    text = "video,start_frame,end_frame,start_seconds,end_seconds,label\n"
    text += "".join(f"v,{a},{b},{round(float(a / rate), 6)},{round(float(b / rate), 6)},x\n" for a, b in cells)
    found = one(file(tmp_path, "v.csv", text))
    assert found.fps == rate
    assert [(i.start_seconds * rate, i.end_seconds * rate) for i in found.intervals] == cells


def test_a_table_whose_frames_and_seconds_disagree(tmp_path: Path) -> None:
    head = "video,start_frame,end_frame,start_seconds,end_seconds,label\n"
    with pytest.raises(DataError, match=r"v\.csv:2: frames and seconds disagree with the other rows"):
        read_annotations(file(tmp_path, "v.csv", f"{head}v,0,10,0,3,x\nv,10,20,4,5,x\n"))
    with pytest.raises(DataError, match="imply no frame rate; give --fps"):
        read_annotations(file(tmp_path, "v.csv", f"{head}v,0,10,0,0,x\n"))


@pytest.mark.parametrize(
    ("name", "text", "fmt"),
    [
        ("v.txt", "take\ntake\n", "txt"),
        ("v.txt", "", "txt"),
        ("v", "### Frame level recognition: ###\ntake take\n", "recog"),
        ("v.txt", "### Frame level recognition: ###\ntake take\n", "recog"),
        ("v", "take\n", "txt"),
        ("v.labels.txt", "", "audacity"),
        ("v.dat", "SPEAKER v 1 0 1 <NA> <NA> x <NA> <NA>\n", "rttm"),
        ("P03.tea", "take\n", "txt"),
        ("v.TEXTGRID", SHORT, "textgrid"),
    ],
)
def test_formats_are_found_by_name_and_content(name: str, text: str, fmt: str, tmp_path: Path) -> None:
    assert format_of(file(tmp_path, name, text)) == fmt


def test_a_file_of_no_format_names_those_that_it_could_be(tmp_path: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"x\.csv: it looks like none of csv, tsv, frames, epic, boris, vtrace; name its format with --from",
    ):
        format_of(file(tmp_path, "x.csv", "a,b\n1,2\n"))
    with pytest.raises(DataError, match=r"x: cannot read it \(no such file\)"):
        format_of(tmp_path / "x")
    with pytest.raises(DataError, match=r": cannot read it \(not a file\)"):
        format_of(tmp_path)
    with pytest.raises(ConfigError, match=r"unknown format 'elan'.*known: txt, recog"):
        read_annotations(file(tmp_path, "x.eaf", ""), "elan")


def test_suffixes_differ_and_none_hides_another() -> None:
    from keyseg.formats import FORMATS, format_to_write

    suffixes = [form.suffix for form in FORMATS.values()]
    assert len(set(suffixes)) == len(suffixes)
    for name, form in FORMATS.items():
        assert format_to_write(Path(f"video{form.suffix}")) == name
    assert format_to_write(Path("video.mp4")) is None


@pytest.mark.parametrize(
    ("written", "rate"),
    [
        ("29.97", NTSC),
        ("29.970", NTSC),
        ("23.976", Fraction(24000, 1001)),
        ("59.94", Fraction(60000, 1001)),
        ("30", Fraction(30)),
        ("12.5", Fraction(25, 2)),
        ("30000/1001", NTSC),
        ("2997/100", Fraction(2997, 100)),
        ("0.0001", Fraction(1, 10_000)),
    ],
)
def test_a_decimal_rate_may_be_rounded_and_a_fraction_is_exact(written: str, rate: Fraction, tmp_path: Path) -> None:
    text = f'[{{"data": {{"video": "v", "fps": "{written}"}}, "annotations": [{{"result": []}}]}}]'
    assert one(file(tmp_path, "v.labelstudio.json", text)).fps == rate


@pytest.mark.parametrize("fps", ["0", "1/0", "fast"])
def test_a_damaged_rate_in_our_own_notes_is_an_error(fps: str, tmp_path: Path) -> None:
    words = f"a frame rate is a number such as .*; got '{fps}'"
    with pytest.raises(DataError, match=rf"v\.edl: KEYSEG FPS: {words}"):
        read_annotations(file(tmp_path, "v.edl", f"TITLE: v\n* KEYSEG FPS: {fps}\n"), fps=Fraction(25))
    span = (Interval(Fraction(0), Fraction(1), "take"),)
    text = annotations_text("otio", [Annotation("v", span, None, Fraction(25))]).replace('"25"', f'"{fps}"')
    with pytest.raises(DataError, match=rf"v\.otio: metadata: {words}"):
        read_annotations(file(tmp_path, "v.otio", text))


def test_a_table_keeps_its_times_whatever_rate_is_written(tmp_path: Path) -> None:
    """The rate of `--fps` is that of the columns of frames only if the seconds agree."""
    path = tmp_path / "v.csv"
    columns = "start_frame,end_frame,start_seconds,end_seconds,label\n"
    path.write_text(f"{columns}0,10,0,1,a\n10,30,1,3,b\n")
    for fps in (10, 20, 7):
        (found,) = read_annotations(path, fps=Fraction(fps))
        assert [item.end_seconds for item in found.intervals] == [1, 3]
        assert found.fps == 10
    path.write_text(f"{columns}0,30,0,1,a\n30,61,1,2.03,b\n")  # seconds with two decimals imply no rate
    assert read_annotations(path, fps=Fraction(30))[0].intervals[1].end_seconds == Fraction(61, 30)
    with pytest.raises(DataError, match="disagree"):
        read_annotations(path, fps=Fraction(15))
