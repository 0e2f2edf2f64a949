"""BORIS' tables of events: versions, offsets, media one after the other and side by side, subjects, points."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from keyseg.formats import AnnotationOptions, annotations_text, read_annotations
from keyseg.formats.table_of_formats import format_of
from keyseg.timeline import Annotation, DataError, Interval

NTSC = Fraction(30000, 1001)


def file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def rows(annotation: Annotation) -> list[tuple[float, float, str]]:
    return [(float(i.start_seconds), float(i.end_seconds), i.label) for i in annotation.intervals]


def one(path: Path, **options: Any) -> Annotation:
    (found,) = read_annotations(path, **options)
    return found


BORIS_8 = """Observation id,Observation date,Description,Observation type,Source,Time offset (s),Coding duration,\
Media duration (s),FPS (frame/s),weather,Subject,Observation duration by subject by observation,Behavior,\
Behavioral category,Modifier #1,Behavior type,Start (s),Stop (s),Duration (s),Media file name,Image index start,\
Image index stop,Image file path start,Image file path stop,Comment start,Comment stop
day 1,2023-05-04 10:00:00,,Media file,"player #1:videos/a.mp4",0.0,60.040,61.500,29.970,sunny,No focal subject,12.0,\
take,Not defined,left,STATE,1.500,4.250,2.750,videos/a.mp4,45,127,,,,"nice, really"
day 1,2023-05-04 10:00:00,,Media file,"player #1:videos/a.mp4",0.0,60.040,61.500,29.970,sunny,Bea,12.0,\
pour,Not defined,,STATE,4.250,9.000,4.750,videos/a.mp4,127,270,,,,
day 2,2023-05-05 10:00:00,,Live observation,NA,0.0,60.040,NA,NA,sunny,Bea,12.0,\
pour,Not defined,,STATE,0.000,2.000,2.000,NA,NA,NA,,,,
"""


def test_boris_aggregated_events(tmp_path: Path) -> None:
    path = file(tmp_path, "events.csv", BORIS_8)
    assert format_of(path) == "boris"
    first, second = read_annotations(path)
    assert (first.video, first.duration_seconds, first.fps) == ("a", Fraction("61.5"), NTSC)
    assert rows(first) == [(1.5, 4.25, "take"), (4.25, 9, "pour")]
    assert (second.video, second.duration_seconds, second.fps, rows(second)) == ("day 2", None, None, [(0, 2, "pour")])
    chosen = read_annotations(path, options=AnnotationOptions(tier=("Bea",)))
    assert [rows(annotation) for annotation in chosen] == [[(4.25, 9, "pour")], [(0, 2, "pour")]]
    with pytest.raises(DataError, match=r"events\.csv:2: no subject 'Ada' in observation 'day 1' \(it has Bea, No foc"):
        read_annotations(path, options=AnnotationOptions(tier=("Ada",)))


def test_boris_observations_of_one_video_keep_their_own_names(tmp_path: Path) -> None:
    text = BORIS_8.replace(",NA,NA,NA,,,,", ",videos/a.mp4,0,60,,,,")
    assert [found.video for found in read_annotations(file(tmp_path, "events.csv", text))] == ["day 1", "day 2"]


FOCAL = BORIS_8.replace(",NA,NA,NA,,,,", ",videos/a.mp4,0,60,,,,").replace("No focal subject", "Ada")


def test_observations_of_one_video_and_of_one_subject_each(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        "events.csv",
        FOCAL.replace(
            'day 1,2023-05-04 10:00:00,,Media file,"player #1:videos/a.mp4"\
,0.0,60.040,61.500,29.970,sunny,Bea',
            "day 2,2023-05-05 10:00:00,,Live observation,NA,0.0,60.040,NA,NA,sunny,Bea",
        ),
    )
    notes: list[str] = []
    each = read_annotations(path, options=AnnotationOptions(per_subject=True))
    assert [(found.video, found.track) for found in each] == [("a", "Ada"), ("a", "Bea")]
    of_one = one(path, options=AnnotationOptions(tier=("Ada",)), note=notes.append)
    assert (of_one.video, rows(of_one)) == ("a", [(1.5, 4.25, "take")])
    assert notes == [f"{path}: no subject 'Ada', left out: observation 'day 2' (it has Bea)"]


@pytest.mark.parametrize(
    "table",
    [
        "Start (s),Stop (s)\np,/pictures; ,take,STATE,NA,NA\na,player #1:a.mp4,take,STATE,1,2\n",
        "Time\np,/pictures; ,take,START,NA\na,player #1:a.mp4,take,START,1\na,player #1:a.mp4,take,STOP,2\n",
    ],
)
def test_events_in_pictures_have_no_time(table: str, tmp_path: Path) -> None:
    notes: list[str] = []
    path = file(tmp_path, "e.boris.csv", f"Observation id,Source,Behavior,Behavior type,{table}")
    assert rows(one(path, note=notes.append)) == [(1, 2, "take")]
    assert notes == [f"{path}: events without a time, as those of pictures, are left out: 1 in observation 'p'"]


def test_two_observations_of_a_video_and_subject_keep_their_names(tmp_path: Path) -> None:
    each = read_annotations(file(tmp_path, "events.csv", FOCAL), options=AnnotationOptions(per_subject=True))
    assert [found.name for found in each] == ["day 1.Ada", "day 1.Bea", "day 2.Bea"]


def test_boris_7_with_tabs(tmp_path: Path) -> None:
    head = (
        "Observation id,Observation date,Description,Media file,Total length,FPS,Subject,Behavior,Behavioral category"
    )
    head += ",Modifiers,Behavior type,Start (s),Stop (s),Duration (s),Comment start,Comment stop"
    row = "6008,2021-12-06,,T:/Video Project/6008.mp4,1381.010,25.0,No focal subject,hold,Mom,,STATE,689.000,989.023"
    row += ",300.023,,"
    text = f"{head}\n{row}\n".replace(",", "\t")
    found = one(file(tmp_path, "6008.tsv", text))
    assert (found.video, found.duration_seconds, found.fps) == ("6008", Fraction("1381.01"), 25)
    assert rows(found) == [(689, 989.023, "hold")]


def test_boris_point_events_have_no_length(tmp_path: Path) -> None:
    text = BORIS_8.replace("STATE,1.500,4.250,2.750", "POINT,1.500,1.500,NA")
    with pytest.raises(DataError, match=r"events\.csv:2: 'take' is a point at 1.5 s, and points have no length; leave"):
        read_annotations(file(tmp_path, "events.csv", text))


BORIS_TABULAR = """Observation id,Observation date,Media duration (s),FPS,Subject,Behavior,Behavioral category,\
Modifier #1,Behavior type,Time,Media file name,Image index,Image file path,Comment
a,2023,10.0,25.0,Bea,take,,left,START,1.0,a.mp4,25,NA,
a,2023,10.0,25.0,Bea,take,,right,START,1.5,a.mp4,37,NA,
a,2023,10.0,25.0,Bea,take,,left,STOP,2.0,a.mp4,50,NA,
a,2023,10.0,25.0,Bea,take,,right,STOP,2.5,a.mp4,62,NA,
"""


def test_boris_tabular_events_are_paired_with_their_modifiers(tmp_path: Path) -> None:
    found = one(file(tmp_path, "a.csv", BORIS_TABULAR))
    assert rows(found) == [(1, 2, "take"), (1.5, 2.5, "take")]


def test_boris_tabular_events_of_version_7(tmp_path: Path) -> None:
    text = "Observation id\tday 1\n\nMedia file(s)\n\n"
    text += (
        "Time\tMedia file path\tTotal length\tFPS\tSubject\tBehavior\tBehavioral category\tModifiers\tComment\tStatus\n"
    )
    text += "1.0\ta.mp4\t9.5\t25\t\ttake\t\t\t\tSTART\n2.5\ta.mp4\t9.5\t25\t\ttake\t\t\t\tSTOP\n"
    found = one(file(tmp_path, "old.tsv", text))
    assert (found.video, rows(found), found.duration_seconds) == ("a", [(1, 2.5, "take")], Fraction("9.5"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (("right,STOP,2.5", "right,START,2.5"), "a.csv:5: START of 'take', which started already"),
        (("right,START,1.5", "right,STOP,1.5"), "a.csv:3: STOP of 'take', which has not started"),
        (("left,STOP,2.0", "left,HALT,2.0"), "a.csv:4: expected START, STOP or POINT of 'take', got 'HALT'"),
        (("left,STOP,2.0", "up,STOP,2.0"), "a.csv:4: STOP of 'take', which has not started"),
        (("a,2023,10.0,25.0,Bea,take,,right,STOP,2.5,a.mp4,62,NA,\n", ""), "a.csv:3: START of 'take' has no STOP"),
    ],
)
def test_boris_tabular_events_that_do_not_pair(changes: tuple[str, str], words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=re.escape(words)):
        read_annotations(file(tmp_path, "a.csv", BORIS_TABULAR.replace(*changes)))


FIELD = Path(__file__).parents[1] / "field" / "formats"
AGGREGATED = (
    "Observation id,Source,Time offset (s),Media duration (s),FPS (frame/s),Subject,Behavior,Behavior type,Start (s),"
    "Stop (s),Media file name\n"
)
TABULAR = (
    "Observation id,Source,Time offset (s),Media duration (s),FPS,Subject,Behavior,Behavior type,Time,Media file name\n"
)
TWO = "player #1:v/day1.mp4;v/day2.mp4"


def aggregated(*events: str, source: str = TWO, offset: str = "0.0", lengths: str = "10.000;20.000") -> str:
    """Each event is behaviour, type, start, stop and media file name."""
    facts = f"obs1,{source},{offset},{lengths},25.000;30.000,"
    return AGGREGATED + "".join(f"{facts}No focal subject,{event}\n" for event in events)


def by_media(text: str, tmp_path: Path, **options: Any) -> dict[str, list[tuple[float, float, str]]]:
    found = read_annotations(file(tmp_path, "e.boris.csv", text), **options)
    return {annotation.media: rows(annotation) for annotation in found}


@pytest.mark.parametrize("name", ["offset.boris.csv", "offset-tabular.boris.csv"])
def test_the_time_offset_is_not_in_the_times_of_the_video(name: str) -> None:
    found = one(FIELD / name)
    assert (found.video, found.media, rows(found)) == ("day1", "day1.mp4", [(2, 5, "groom")])


@pytest.mark.parametrize(
    ("offset", "start", "stop"),
    [("0.0", "2", "5"), ("-1.5", "0.5", "3.5"), ("3600", "3602", "3605"),
     ("1700000000.000", "1700000002", "1700000005"), ("NA", "2", "5"), ("2.000", "2", "5")],
)  # fmt: skip
def test_offsets_of_any_size(offset: str, start: str, stop: str, tmp_path: Path) -> None:
    expected = [(0, 3, "groom")] if offset == "2.000" else [(2, 5, "groom")]
    text = aggregated(f"groom,STATE,{start},{stop},a.mp4", source="player #1:a.mp4", offset=offset, lengths="10.000")
    assert by_media(text, tmp_path) == {"a.mp4": expected}
    cells = f"obs1,player #1:a.mp4,{offset},10,25,,groom"
    text = TABULAR + f"{cells},START,{start},a.mp4\n{cells},STOP,{stop},a.mp4\n"
    assert by_media(text, tmp_path) == {"a.mp4": expected}


def test_an_event_before_the_video_names_the_offset(tmp_path: Path) -> None:
    text = aggregated("groom,STATE,1,5,a.mp4", source="player #1:a.mp4", offset="2.0", lengths="10.000")
    with pytest.raises(DataError, match=r":2: 'groom' at 1 s is before 'a.mp4', which starts at 2 s.*offset of 2 s"):
        by_media(text, tmp_path)
    with pytest.raises(DataError, match=r"csv:2: Time offset \(s\): expected a number, got 'soon'"):
        by_media(text.replace("2.0", "soon"), tmp_path)


def test_a_table_without_offset_says_so(tmp_path: Path) -> None:
    notes: list[str] = []
    by_media(
        AGGREGATED.replace("Time offset (s)", "x") + "o,,,5,5,,groom,STATE,1,2,a.mp4\n", tmp_path, note=notes.append
    )
    assert len(notes) == 1
    assert "does not say whether its observations have a time offset" in notes[0]
    by_media(aggregated("groom,STATE,1,2,a.mp4", source="player #1:a.mp4", lengths="9"), tmp_path, note=notes.append)
    assert len(notes) == 1


def test_media_follow_each_other(tmp_path: Path) -> None:
    found = one(FIELD / "two-media.boris.csv")
    assert (found.video, found.media, found.duration_seconds, rows(found)) == (
        "day2",
        "day2.mp4",
        10,
        [(2, 5, "groom")],
    )
    text = aggregated(
        "groom,STATE,1,2.5,v/day1.mp4", "rest,STATE,2.5,10,v/day1.mp4", "groom,STATE,10.000,11.0,v/day2.mp4"
    )
    expected = {"v/day1.mp4": [(1, 2.5, "groom"), (2.5, 10, "rest")], "v/day2.mp4": [(0, 1, "groom")]}
    assert by_media(text, tmp_path) == expected
    first, second = read_annotations(file(tmp_path, "e.boris.csv", text))
    assert (first.fps, first.duration_seconds, second.fps, second.duration_seconds) == (25, 10, 30, 20)
    assert (first.video, second.video) == ("day1", "day2")
    shifted = text.replace(",0.0,", ",100,")
    for time in ("1,2.5", "2.5,10", "10.000,11.0"):
        shifted = shifted.replace(f"STATE,{time}", "STATE," + ",".join(str(float(t) + 100) for t in time.split(",")))
    assert by_media(shifted, tmp_path) == expected


def test_three_media_and_one_event_through_all(tmp_path: Path) -> None:
    notes: list[str] = []
    source, lengths = "player #1:a.mp4;b.mp4;c.mp4", "1.000;2.000;3.000"
    text = aggregated("groom,STATE,0.5,4,a.mp4", source=source, lengths=lengths).replace("25.000;30.000", "25;25;25")
    found = by_media(text, tmp_path, note=notes.append)
    assert found == {"a.mp4": [(0.5, 1, "groom")], "b.mp4": [(0, 2, "groom")], "c.mp4": [(0, 1, "groom")]}
    assert [note.split(": ", 1)[1] for note in notes] == [
        "2 event(s) continue in the next media file, and are split: groom, groom"
    ]


@pytest.mark.parametrize(("start", "stop"), [("9.999", "12"), ("10", "12"), ("10.001", "12"), ("9.998", "12")])
@pytest.mark.parametrize("named", ["", "day1.mp4", "v/day2.mp4"])
def test_a_start_at_a_joint_is_rounded_to_it(start: str, stop: str, named: str, tmp_path: Path) -> None:
    text = aggregated(f"groom,STATE,{start},{stop},{named}")
    begin = 0.001 if start == "10.001" else 0
    assert by_media(text, tmp_path) == {"v/day2.mp4": [(begin, 2, "groom")]}
    text = aggregated("groom,STATE,8,10.001,")
    assert by_media(text, tmp_path) == {"v/day1.mp4": [(8, 10, "groom")]}


def test_media_without_events_are_left_out_with_a_note(tmp_path: Path) -> None:
    notes: list[str] = []
    by_media(aggregated("groom,STATE,1,2,v/day1.mp4"), tmp_path, note=notes.append)
    assert notes == [f"{tmp_path / 'e.boris.csv'}: nothing is coded in 'v/day2.mp4'; left out"]


def test_the_file_that_a_row_names_must_be_where_its_time_is(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r":2: 'groom' at 1 s is in 'v/day1.mp4' by .* names 'v/day2.mp4'"):
        by_media(aggregated("groom,STATE,1,2,v/day2.mp4"), tmp_path)
    with pytest.raises(DataError, match=r":2: 'day3.mp4' is not among the media of its obs.*, v/day1.mp4, v/day2"):
        by_media(aggregated("groom,STATE,1,2,day3.mp4"), tmp_path)
    assert by_media(aggregated("groom,STATE,1,2,day1.mp4"), tmp_path) == {"v/day1.mp4": [(1, 2, "groom")]}
    # With an offset, BORIS looks for the name without it.
    late = aggregated("groom,STATE,11,12,v/day2.mp4", offset="5.0")
    assert by_media(late, tmp_path) == {"v/day1.mp4": [(6, 7, "groom")]}


@pytest.mark.parametrize("source", ["player #1:a.mp4|player #2:b.mp4", "player #1: a.mp4, player #2: b.mp4"])
def test_players_side_by_side(source: str, tmp_path: Path) -> None:
    notes: list[str] = []
    text = aggregated("groom,STATE,1,2,a.mp4", source=f'"{source}"', lengths="10.000|20.000")
    assert by_media(text, tmp_path, note=notes.append) == {"a.mp4": [(1, 2, "groom")]}
    assert "media files play side by side; the events belong to a.mp4, not to b.mp4 (observation 'obs1')" in notes[0]
    both = text + text.splitlines()[-1].replace("groom,STATE,1,2,a.mp4", "rest,STATE,15,16,b.mp4") + "\n"
    assert by_media(both, tmp_path) == {"a.mp4": [(1, 2, "groom")], "b.mp4": [(15, 16, "rest")]}
    (first, second) = read_annotations(file(tmp_path, "e.boris.csv", both))
    assert (first.duration_seconds, second.duration_seconds) == (10, 20)


def test_media_in_sequence_side_by_side(tmp_path: Path) -> None:
    source = "player #1:a.mp4;b.mp4|player #2:c.mp4;d.mp4"
    text = aggregated("groom,STATE,3.5,4,d.mp4", "rest,STATE,3.5,4,a.mp4", source=source, lengths="5;5|3;7")
    assert by_media(text, tmp_path) == {"d.mp4": [(0.5, 1, "groom")], "a.mp4": [(3.5, 4, "rest")]}


VERSION_7 = """Observation id\tday 1

Media file(s)

Player #1\ta.mp4
{more}
Observation date\t2020-01-01 10:00:00

Time offset (s)\t{offset}

Time\tMedia file path\tTotal length\tFPS\tSubject\tBehavior\tBehavioral category\tModifiers\tComment\tStatus
{start}\ta.mp4\t9.5\t25\t\ttake\t\t\t\tSTART
{stop}\ta.mp4\t9.5\t25\t\ttake\t\t\t\tSTOP
"""


@pytest.mark.parametrize("separator", ["\t", ","])
def test_the_offset_above_a_table_of_version_7(separator: str, tmp_path: Path) -> None:
    text = VERSION_7.format(more="", offset="2.5", start="3.5", stop="5").replace("\t", separator)
    notes: list[str] = []
    found = one(file(tmp_path, "old.csv", text), note=notes.append)
    assert (found.video, found.duration_seconds, rows(found)) == ("a", Fraction("9.5"), [(1, 2.5, "take")])
    assert notes == []


def test_version_7_does_not_say_where_the_second_media_file_starts(tmp_path: Path) -> None:
    text = VERSION_7.format(more="Player #1\tb.mp4\n", offset="0.0", start="3.5", stop="5")
    assert by_media(text, tmp_path) == {"a.mp4": [(3.5, 5, "take")]}
    with pytest.raises(DataError, match=r":14: 'take' at 3.5 s is in 'b.mp4', and the lengths of the media"):
        by_media(text.replace("\ta.mp4\t", "\tb.mp4\t"), tmp_path)
    head = "Observation id,Media file,Total length,FPS,Behavior,Behavior type,Start (s),Stop (s)\n"
    rows_of_7 = "o,b.mp4,30,25,take,STATE,12,13\no,c.mp4,30,25,take,STATE,22,23\n"
    with pytest.raises(DataError, match=r"csv:2: 'take' at 12 s is in 'b.mp4', and the lengths"):
        by_media(head + rows_of_7, tmp_path)


def test_points_are_refused_left_out_or_given_frames(tmp_path: Path) -> None:
    text = aggregated("groom,STATE,1,2,", "sniff,POINT,3,NA,", "sniff,POINT,10,10.000,", "peck,POINT,30,30,")
    with pytest.raises(DataError, match=r"csv:3: 'sniff' is a point at 3 s.*--points drop.*--points FRAMES"):
        by_media(text, tmp_path)
    notes: list[str] = []
    dropped = by_media(text, tmp_path, options=AnnotationOptions(points="drop"), note=notes.append)
    assert dropped == {"v/day1.mp4": [(1, 2, "groom")], "v/day2.mp4": []}
    assert len(notes) == 1
    assert "3 events without a length left out: 'peck', 'sniff'" in notes[0]
    given = by_media(text, tmp_path, options=AnnotationOptions(points=5))
    assert given["v/day1.mp4"] == [(1, 2, "groom"), (3, 3.2, "sniff")]
    assert given["v/day2.mp4"] == [(0, pytest.approx(1 / 6), "sniff"), (pytest.approx(20 - 1 / 30), 20, "peck")]
    cells = "obs1,player #1:a.mp4,0,10,25,,sniff"
    tabular = TABULAR + f"{cells},POINT,3,a.mp4\n"
    assert by_media(tabular, tmp_path, options=AnnotationOptions(points=5)) == {"a.mp4": [(3, 3.2, "sniff")]}


def test_one_timeline_per_subject(tmp_path: Path) -> None:
    found = read_annotations(file(tmp_path, "e.csv", BORIS_8), options=AnnotationOptions(per_subject=True))
    assert [(a.name, a.video, a.track, rows(a)) for a in found] == [
        ("a", "a", "", [(1.5, 4.25, "take")]),
        ("a.Bea", "a", "Bea", [(4.25, 9, "pour")]),
        ("day 2.Bea", "day 2", "Bea", [(0, 2, "pour")]),
    ]
    text = annotations_text("boris", found)
    again = read_annotations(file(tmp_path, "again.csv", text), options=AnnotationOptions(per_subject=True))
    assert [(a.name, a.media, rows(a)) for a in again] == [
        ("a", "videos/a.mp4", rows(found[0])), ("a.Bea", "videos/a.mp4", rows(found[1])),
        ("day 2.Bea", "day 2", rows(found[2])),
    ]  # fmt: skip


@pytest.mark.parametrize("fmt", ["csv", "activitynet", "boris", "boris-project"])
def test_subjects_stay_apart_in_every_format(fmt: str, tmp_path: Path) -> None:
    found = read_annotations(file(tmp_path, "e.csv", BORIS_8), options=AnnotationOptions(per_subject=True))[:2]
    again = read_annotations(
        file(tmp_path, "again", annotations_text(fmt, found)), fmt, options=AnnotationOptions(per_subject=True)
    )
    assert [(a.name, a.actions().labels) for a in again] == [("a", ("take",)), ("a.Bea", ("pour",))]


def test_the_first_subject_that_an_observation_has(tmp_path: Path) -> None:
    path = file(tmp_path, "e.csv", BORIS_8.replace("sunny,Bea,12.0,\\\n", "sunny,Ada,12.0,"))
    chosen = read_annotations(path, options=AnnotationOptions(tier=("Ada", "No focal subject", "Bea")))
    assert [rows(a) for a in chosen] == [[(1.5, 4.25, "take")], [(0, 2, "pour")]]


@pytest.mark.parametrize("name", ["day1.1", "a.b.c", "talk.final", "v1.0.mp4x"])
def test_names_with_dots_survive(name: str, tmp_path: Path) -> None:
    written = Annotation(name, (Interval(0, 1, "take"),), Fraction(2), Fraction(25))
    for fmt in ("boris", "boris-project"):
        (found,) = read_annotations(file(tmp_path, "v", annotations_text(fmt, [written])), fmt)
        assert (found.video, found.name) == (name, name)
    (found,) = read_annotations(FIELD / "dots.csv", fps=Fraction(10))
    again = one(file(tmp_path, "d.boris.csv", annotations_text("boris", [found])))
    assert (again.video, again.labels) == ("day1.1", ("take",))


def test_a_medium_with_a_semicolon_in_its_name(tmp_path: Path) -> None:
    written = Annotation("a;b", (Interval(0, 1, "take"),), Fraction(2), Fraction(25), media="v/a;b.mp4")
    found = one(file(tmp_path, "v.boris.csv", annotations_text("boris", [written])))
    assert (found.video, found.media, rows(found)) == ("a;b", "v/a;b.mp4", [(0, 1, "take")])
