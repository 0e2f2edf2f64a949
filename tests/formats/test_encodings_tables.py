"""Tables as a German Excel and other spreadsheets write them: semicolons, decimal commas, `sep=;`, Unicode text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from keyseg.formats import AnnotationOptions, read_annotations
from keyseg.timeline import DataError

ROWS = [(0.5, 2.25, "Öffnen"), (2.25, 10.0, "gießen, viel")]
CSV = "video;start_seconds;end_seconds;label\r\nday1;0,5;2,25;Öffnen\r\nday1;2,25;10;gießen, viel\r\n"
BORIS = (
    "Observation id;Media duration (s);FPS (frame/s);Subject;Behavior;Behavior type;Start (s);Stop (s)"
    ";Media file name\r\n"
    "day1;12,5;29,97;No focal subject;Öffnen;STATE;0,5;2,25;day1.mp4\r\n"
    "day1;12,5;29,97;No focal subject;gießen, viel;STATE;2,25;10,000;day1.mp4\r\n"
)
EPIC = (
    "video_id;start_timestamp;stop_timestamp;narration\r\n"
    "day1;00:00:00,500;00:00:02,250;Öffnen\r\nday1;00:00:02,250;00:00:10,000;gießen, viel\r\n"
)


def read(path: Path, **options: Any) -> list[tuple[float, float, str]]:
    (annotation,) = read_annotations(path, options=AnnotationOptions(**options))
    assert annotation.video == "day1"
    return [(float(i.start_seconds), float(i.end_seconds), i.label) for i in annotation.intervals]


def file(folder: Path, text: str, encoding: str = "utf-8", name: str = "day1.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("above", ["", "sep=;\r\n", '"sep=;"\r\n', "SEP=;\r\n"])
@pytest.mark.parametrize("text", [CSV, BORIS, EPIC], ids=["csv", "boris", "epic"])
def test_a_german_excel(text: str, above: str, tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        assert read(file(tmp_path, above + text, encoding)) == ROWS, encoding
    path = file(tmp_path, above + text, "cp1252")
    assert read(path, encoding="cp1252") == ROWS
    with pytest.raises(DataError, match=r"cannot read it \(byte 0xd6 at position \d+ is not utf-8\).*--encoding"):
        read(path)


def test_numbers_of_boris_beside_the_times(tmp_path: Path) -> None:
    (annotation,) = read_annotations(file(tmp_path, BORIS))
    assert (float(annotation.duration_seconds or 0), str(annotation.fps)) == (12.5, "30000/1001")


@pytest.mark.parametrize("name", ["day1.tsv", "day1.csv", "day1.txt"])
def test_unicode_text_of_excel(name: str, tmp_path: Path) -> None:
    assert read(file(tmp_path, CSV.replace(";", "\t"), "utf-16", name)) == ROWS
    if name != "day1.txt":  # where one word in the first line is a label
        assert read(file(tmp_path, "sep=\t\r\n" + CSV.replace(";", "\t"), "utf-16", name)) == ROWS


def test_semicolons_with_decimal_points(tmp_path: Path) -> None:
    assert read(file(tmp_path, re.sub(r"(\d),(\d)", r"\1.\2", CSV))) == ROWS


def test_labels_keep_their_commas(tmp_path: Path) -> None:
    text = "start_seconds;end_seconds;label\n0,5;1,5;cut 1,5 kg\n1,5;2;2,5 kg\n2;3;4,5\n"
    assert [label for *_, label in read(file(tmp_path, text))] == ["cut 1,5 kg", "2,5 kg", "4,5"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CSV.replace("0,5", "0.5"), "day1.csv:3: start_seconds: decimal points and decimal commas in one column"),
        (CSV.replace("0,5", "1.000,5"), "day1.csv:2: start_seconds: expected a number, got '1.000,5'"),
        (CSV.replace(";2,25;10", ";2,25;zehn"), "day1.csv:3: end_seconds: expected a number, got 'zehn'"),
        (
            'start_seconds,end_seconds,label\n"1,234","2,5",take\n',
            "day1.csv:2: start_seconds: expected a number, got '1,234'",
        ),
        (
            "start_seconds,end_seconds,label\n0,5,2,5,take\n",
            "expected 3 cells as in the header, got 5; are there decimal",
        ),
    ],
)
def test_what_could_mean_two_things_is_an_error(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(file(tmp_path, text))
    assert words in str(caught.value)
