"""BORIS' tables of events: versions, offsets, media one after the other and side by side, subjects, points."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from keyseg.formats import AnnotationOptions, read_annotations
from keyseg.formats.table_of_formats import format_of
from keyseg.timeline import Annotation, DataError

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
    with pytest.raises(
        DataError, match=r"events\.csv:2: observation 'day 1' has no subject 'Ada'; it has Bea, No focal su"
    ):
        read_annotations(path, options=AnnotationOptions(tier=("Ada",)))


def test_boris_observations_of_one_video_keep_their_own_names(tmp_path: Path) -> None:
    text = BORIS_8.replace(",NA,NA,NA,,,,", ",videos/a.mp4,0,60,,,,")
    assert [found.video for found in read_annotations(file(tmp_path, "events.csv", text))] == ["day 1", "day 2"]


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
