"""Tables of start frame, end frame and label: never taken for seconds, and refused where they could be either."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import pytest

from keyseg.formats import AnnotationOptions, annotations_text, read_annotations
from keyseg.formats.table_of_formats import format_of
from keyseg.timeline import Annotation, ConfigError, DataError, Interval

FIELD = Path(__file__).parents[1] / "field" / "formats"
THIRTY = Fraction(30)


def file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def frames(path: Path, fmt: str | None = None) -> tuple[list[tuple[int, int, str]], list[str]]:
    notes: list[str] = []
    (found,) = read_annotations(path, fmt, fps=THIRTY, note=notes.append)
    return [(int(i.start_seconds * 30), int(i.end_seconds * 30), i.label) for i in found.intervals], notes


def test_padded_whole_numbers_are_frames() -> None:
    path = FIELD / "frames-not-seconds.txt"
    assert format_of(path) == "frames"
    (found,) = read_annotations(path, fps=THIRTY)
    assert found.video == "frames-not-seconds"
    assert found.intervals == (Interval(3, 10, "attach wheel"), Interval(10, 18, "attach cabin"))
    with pytest.raises(ConfigError, match="the frame rate is unknown; give --fps"):
        read_annotations(path)
    with pytest.raises(DataError, match="those of frames, not seconds; use --from frames --fps RATE"):
        read_annotations(path, "audacity")


TWO = [(90, 300, "attach wheel"), (300, 540, "turn, slowly")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tabs.txt", "000090\t000300\tattach wheel\n000300\t000540\tturn, slowly\n"),
        ("one-padded.txt", "090\t300\tattach wheel\n300\t540\tturn, slowly\n"),
        ("spaces.txt", "90 300 attach wheel\n300 540 turn, slowly\n".replace(",", "")),
        ("commas.txt", '90,300,attach wheel\n300,540,"turn, slowly"\n'),
        ("commas.csv", '90,300,attach wheel\n300,540,"turn, slowly"\n'),
        ("header.txt", "start_frame\tend_frame\taction\n90\t300\tattach wheel\n300\t540\tturn, slowly\n"),
        ("header.csv", 'start_frame,end_frame,label\n90,300,attach wheel\n300,540,"turn, slowly"\n'),
        ("semicolons.csv", "Start frame;Stop frame;Label\n90;300;attach wheel\n300;540;turn, slowly\n"),
        ("words.txt", "start_frame end_frame label\n90 300 attach wheel\n300 540 turn, slowly\n".replace(",", "")),
        ("padded-header.tsv", "start\tend\tlabel\n0090\t0300\tattach wheel\n0300\t0540\tturn, slowly\n"),
        ("blank.txt", "0090\t0300\tattach wheel\n\n# by hand\n0300\t0540\tturn, slowly\n\n"),
    ],
)
def test_tables_of_frames_in_many_hands(name: str, text: str, tmp_path: Path) -> None:
    path = file(tmp_path, name, text)
    assert format_of(path) == "frames"
    found, notes = frames(path)
    assert [row[:2] for row in found] == [row[:2] for row in TWO]
    assert [row[2].replace(",", "") for row in found] == ["attach wheel", "turn slowly"]
    assert [note.split(": ", 1)[1] for note in notes] == [
        "frames are counted at 30 per second; end frames are excluded"
    ]


def test_the_fine_labels_of_assembly101(tmp_path: Path) -> None:
    text = (
        "id,video,start_frame,end_frame,action_id,verb_id,noun_id,action_cls,verb_cls,noun_cls,toy_id\n"
        "0,9011/C10095_rgb.mp4,100,130,1,2,3,pick up wheel,pick up,wheel,a\n"
        "1,9012/C10095_rgb.mp4,10,40,1,2,3,put down wheel,put down,wheel,b\n"
    )
    videos = read_annotations(file(tmp_path, "train.csv", text), "frames", fps=THIRTY)
    assert [[item.label for item in video.intervals] for video in videos] == [["pick up wheel"], ["put down wheel"]]
    assert videos[0].intervals[0].start_seconds == Fraction(100, 30)


def test_a_remark_after_the_label_is_left_out_with_a_note(tmp_path: Path) -> None:
    found, notes = frames(file(tmp_path, "a.txt", "000\t090\tattach wheel\tby hand\n090\t100\tturn\t\n"))
    assert found == [(0, 90, "attach wheel"), (90, 100, "turn")]
    assert any("what comes after the label is left out in 1 lines" in note for note in notes)


@pytest.mark.parametrize(
    ("text", "expected", "words"),
    [
        ("1-30 SIL  \n31-150 take_cup  \n151-151 SIL\n", [(0, 30), (30, 150), (150, 151)], "the first frame is 1"),
        ("0 9 take\n10 19 pour\n", [(0, 10), (10, 20)], "included, and the first frame is 0"),
        ("5 9 take\n10 19 pour\n30 40 stir\n", [(5, 10), (10, 20), (30, 41)], "included, and the first frame is 0"),
        ("1 10 take\n10 19 pour\n", [(1, 10), (10, 19)], "end frames are excluded"),
        ("1 10 take\n11 20 pour\n20 30 stir\n", [(1, 10), (11, 20), (20, 30)], "end frames are excluded"),
        ("3 10 take\n", [(3, 10)], "end frames are excluded"),
    ],
)
def test_rows_show_whether_their_ends_are_included(
    text: str, expected: list[tuple[int, int]], words: str, tmp_path: Path
) -> None:
    found, notes = frames(file(tmp_path, "v.txt", text))
    assert [row[:2] for row in found] == expected
    assert words in notes[0]


@pytest.mark.parametrize("text", ["90\t300\ttake\n300\t540\tpour\n", "0\t5\ttake\n"])
def test_whole_numbers_between_tabs_may_be_seconds_and_are_refused(text: str, tmp_path: Path) -> None:
    path = file(tmp_path, "v.txt", text)
    words = "could be frames or audacity; choose with --from frames --fps RATE or --from audacity"
    words += ", or call the file v.frames.txt or v.labels.txt"
    with pytest.raises(DataError, match=re.escape(words)):
        read_annotations(path, fps=THIRTY)
    assert frames(path, "frames")[0][0][0] == int(text.split("\t")[0])
    assert [format_of(file(tmp_path, f"v.{end}.txt", text)) for end in ("frames", "labels")] == ["frames", "audacity"]
    notes: list[str] = []
    (seconds,) = read_annotations(path, "audacity", note=notes.append)
    assert seconds.intervals[0].start_seconds == int(text.split("\t")[0])
    assert "whole numbers are read as seconds; if they are frames, use --from frames" in notes[0]


def test_numbers_above_a_day_of_seconds_are_frames(tmp_path: Path) -> None:
    assert format_of(file(tmp_path, "v.txt", "90\t300\ttake\n300\t86401\tpour\n")) == "frames"


@pytest.mark.parametrize("text", ["1\t2.5\ttake\n", "0.0\t1.0\ttake\n", "1\t2\ttake\n2\t3.25\tpour\n"])
def test_a_decimal_point_anywhere_shows_seconds(text: str, tmp_path: Path) -> None:
    path = file(tmp_path, "v.txt", text)
    assert format_of(path) == "audacity"
    notes: list[str] = []
    read_annotations(path, note=notes.append)
    assert notes == []


def test_a_header_of_seconds_is_no_table_of_frames(tmp_path: Path) -> None:
    assert format_of(file(tmp_path, "v.csv", "start_seconds,end_seconds,label\n090,300,take\n")) == "csv"
    with pytest.raises(DataError, match="looks like none of"):
        format_of(file(tmp_path, "v.csv", "start,end,label\n90,300,take\n"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0090\t0300\ttake\nsoon\t540\tpour\n", ":2: expected start frame, end frame and label, got 'soon"),
        ("5 -10 take\n", ":1: expected start frame, end frame and label, got '5 -10 take'"),
        ("0090\t0300\t\n", ":1: expected start frame"),
        ("90 300\n", ":1: expected start frame"),
        (f"0 {'9' * 5000} take\n", ":1: expected start frame"),
        ("label start_frame end_frame\ntake 1 2\n", ":1: expected start_frame, end_frame and label in this order"),
        ("start_frame,end_frame,label\n1,2\n", ":2: expected 3 cells"),
        ("start_frame,end_frame,label\n1.5,2,take\n", ":2: expected a frame number, got '1.5'"),
        ("start_frame,end_frame,label\n1,,take\n", ":2: nothing in the column 'end_frame'"),
        (f"0090\t0300\t{'take' * 50_000}\n", ":1: cannot be divided into cells"),
        ("0300\t0090\ttake\n", ":1: 'take' ends at 3 s, before it starts at 10 s"),
    ],
)
def test_damaged_tables_of_frames(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=re.escape(words)):
        read_annotations(file(tmp_path, "v.frames.txt", text), fps=THIRTY)


def test_lenient_drops_rows_that_cannot_be_right(tmp_path: Path) -> None:
    path = file(tmp_path, "v.txt", "0300\t0090\ttake\n0090\t0090\twash\n0090\t0300\tpour\n")
    with pytest.raises(DataError, match="2 segments cannot be right"):
        read_annotations(path, fps=THIRTY)
    (found,) = read_annotations(path, fps=THIRTY, options=AnnotationOptions(lenient=True))
    assert found.labels == ("pour",)


def test_what_is_written_is_a_table_with_a_header(tmp_path: Path) -> None:
    written = Annotation("v", (Interval(1, 2, "take cup"), Interval(2, 3, "pour")), Fraction(4), THIRTY)
    text = annotations_text("frames", [written])
    assert text.split("\n")[:3] == ["start_frame\tend_frame\tlabel", "0\t30\tbackground", "30\t60\ttake_cup"]
    assert frames(file(tmp_path, "v.frames.txt", text))[0][-1] == (90, 120, "background")


def test_comments_above_a_table_are_not_labels_of_frames(tmp_path: Path) -> None:
    rows = [(0, 90, "take"), (90, 120, "pour")]
    lines = "0 90 take\n90 120 pour\n"
    for above in ("#start end label\n", "# fps: 30\n# by Ann\n", "# fps: 30\nstart_frame end_frame label\n"):
        path = file(tmp_path, "v.txt", above + lines)
        assert format_of(path) == "frames"
        assert frames(path)[0] == rows
    path = file(tmp_path, "v.csv", "# by Ann\nstart_frame,end_frame,label\n" + lines.replace(" ", ","))
    assert frames(path)[0] == rows
    for labels in ("0 0 1", "0 25 take"):  # the classes of a file of MS-TCN may be numbers
        assert format_of(file(tmp_path, "v.txt", f"### Frame level recognition: ###\n{labels}\n")) == "recog"
    with pytest.raises(DataError, match="looks like none of txt, recog"):
        format_of(file(tmp_path, "v.txt", "# start end label\n0.5 2.5 take\n"))


def test_seconds_with_decimal_commas_are_no_frames(tmp_path: Path) -> None:
    path = file(tmp_path, "v.txt", "0,500000\t1,250000\ttake\n1,250000\t2,0\tpour\n")
    assert format_of(path) == "audacity"
    (found,) = read_annotations(path)
    assert found.intervals == (Interval(Fraction(1, 2), Fraction(5, 4), "take"), Interval(Fraction(5, 4), 2, "pour"))
    for line in ("0,5;1,25;take", "0.5,1.25,take", "90,300\ttake", "1.500,5\t2.000,0\ttake"):
        with pytest.raises(DataError, match="looks like none of txt, recog"):
            format_of(file(tmp_path, "v.txt", f"{line}\n"))
    for line in ("0;25;take", "0,25,take"):
        assert format_of(file(tmp_path, "v.txt", f"{line}\n")) == "frames"


def test_a_label_between_spaces_keeps_its_commas(tmp_path: Path) -> None:
    assert frames(file(tmp_path, "v.txt", "0 25 take, then pour\n"))[0] == [(0, 25, "take, then pour")]
    assert frames(file(tmp_path, "v.txt", "0-25 take; pour\n"))[0] == [(0, 25, "take; pour")]
    assert frames(file(tmp_path, "v.txt", "0;25;take, then pour\n"))[0] == [(0, 25, "take, then pour")]
