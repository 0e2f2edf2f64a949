"""Subtitles as people have them: without empty lines, numbers, hours or texts, in several encodings."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyseg.formats import AnnotationOptions, annotations_text, read_annotations
from keyseg.timeline import Annotation, DataError, Interval

FIELD = Path(__file__).parents[1] / "field" / "formats"
TWO = [(1.0, 2.0, "take"), (2.0, 3.0, "pour")]
Rows = list[tuple[float, float, str]]


def read(path: Path, **options: str) -> tuple[Rows, list[str]]:
    """The rows of a file and its notes, without its path."""
    notes: list[str] = []
    (annotation,) = read_annotations(path, options=AnnotationOptions(**options), note=notes.append)
    rows = [(float(i.start_seconds), float(i.end_seconds), i.label) for i in annotation.intervals]
    return rows, [note.removeprefix(f"{path}: ") for note in notes]


def file(folder: Path, text: str | bytes, suffix: str = "srt") -> Path:
    path = folder / f"day1.{suffix}"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_without_empty_lines() -> None:
    assert read(FIELD / "tight.srt") == (TWO, [])


@pytest.mark.parametrize(
    "text",
    [
        "1\n00:00:01,000 --> 00:00:02,000\ntake\n2\n00:00:02,000 --> 00:00:03,000\npour",
        "1\n00:01,000 --> 00:02,000\ntake\n2\n00:02,000 --> 00:03,000\npour\n",
        "00:00:01,000 --> 00:00:02,000\ntake\n00:00:02,000 --> 00:00:03,000\npour\n",
        "00:00:01,000 --> 00:00:02,000\ntake\n\n00:00:02,000 --> 00:00:03,000\npour\n",
        "7\n00:00:01,000 --> 00:00:02,000\ntake\n7\n00:00:02,000 --> 00:00:03,000\npour\n",
        "1\n00:00:01,000 --> 00:00:02,000\ntake\n00:00:02,000 --> 00:00:03,000\npour\n",
        "00:00:01,000 --> 00:00:02,000\ntake\n\n1\n00:00:02,000 --> 00:00:03,000\npour\n",
        " 1 \n 00:00:01,000  -->  00:00:02,000  X1:40 X2:600 \n take \n \t \n2\n00:00:02.000 --> 00:00:03.000\npour\n",
        "\n\n\n1\n00:00:01 --> 00:00:02\n<i>take</i>\n\n\n\n2\n0:0:2,0 --> 0:0:3,0\n{\\an8}pour\n\n",
    ],
)
def test_two_cues_however_they_are_spaced_and_numbered(text: str, tmp_path: Path) -> None:
    for newline in ("\n", "\r\n", "\r"):
        for encoding in ("utf-8", "utf-8-sig", "utf-16"):
            encoded = text.replace("\n", newline).encode(encoding)
            assert read(file(tmp_path, encoded)) == (TWO, []), (newline, encoding)


@pytest.mark.parametrize(
    "cues",
    [
        "00:01.000 --> 00:02.000 align:start line:0%\ntake\n00:02.000 --> 00:03.000\npour\n",
        "1\n00:01.000 --> 00:02.000\ntake\n2\n00:02.000 --> 00:03.000\npour\n",
        "first\n00:00:01.000 --> 00:00:02.000\n<v Ada>take\n\nsecond\n00:02.000 --> 00:03.000\n<b>pour</b>\n",
        "NOTE a note\n1\n\n00:01.000 --> 00:02.000\ntake\n\nSTYLE\n::cue {}\n\n00:02.000 --> 00:03.000\npour\n",
    ],
)
def test_vtt_without_empty_lines(cues: str, tmp_path: Path) -> None:
    assert read(file(tmp_path, f"WEBVTT\n\n{cues}", "vtt")) == (TWO, [])


def test_text_of_several_lines_and_of_numbers(tmp_path: Path) -> None:
    tight = "1\n00:00:01,000 --> 00:00:02,000\ntake\n2 cups\n3\n2\n00:00:02,000 --> 00:00:03,000\n5\n"
    assert read(file(tmp_path, tight)) == ([(1.0, 2.0, "take 2 cups 3"), (2.0, 3.0, "5")], [])
    unnumbered = "00:00:01,000 --> 00:00:02,000\n4\n00:00:02,000 --> 00:00:03,000\n5\n"
    assert read(file(tmp_path, unnumbered)) == ([(1.0, 2.0, "4"), (2.0, 3.0, "5")], [])
    arrows = "1\n00:00:01,000 --> 00:00:02,000\nleft --> right\n12:30 - lunch\n"
    assert read(file(tmp_path, arrows)) == ([(1.0, 2.0, "left --> right 12:30 - lunch")], [])


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("1\n00:00:01,000 --> 00:00:02,000\n\n2\n00:00:02,000 --> 00:00:03,000\npour\n", "2"),
        ("1\n00:00:01,000 --> 00:00:02,000\n2\n00:00:02,000 --> 00:00:03,000\npour\n", "2"),
        ("1\n00:00:01,000 --> 00:00:02,000\n<i> </i>\n2\n00:00:02,000 --> 00:00:03,000\npour\n", "2"),
        ("00:00:02,000 --> 00:00:03,000\npour\n00:00:03,000 --> 00:00:04,000", "3"),
    ],
)
def test_empty_cues_are_left_out_with_a_note(text: str, lines: str, tmp_path: Path) -> None:
    assert read(file(tmp_path, text)) == ([(2.0, 3.0, "pour")], [f"1 cue without a text left out, line {lines}"])


def test_many_empty_cues_are_one_note(tmp_path: Path) -> None:
    text = "WEBVTT\n\n" + "".join(f"00:{i:02d}.000 --> 00:{i:02d}.500\n&nbsp;\n\n" for i in range(12))
    rows, (note,) = read(file(tmp_path, text, "vtt"))
    assert rows == []
    assert note == "12 cues without a text left out, line 3, 6, 9, 12, 15, 18, 21, 24, 27, 30 ..."


def test_the_offset_of_a_stream_is_noted(tmp_path: Path) -> None:
    text = "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\n\n00:01.000 --> 00:02.000\ntake\n"
    rows, (note,) = read(file(tmp_path, text, "vtt"))
    assert rows == TWO[:1]
    assert "X-TIMESTAMP-MAP" in note


@pytest.mark.parametrize(
    "line", ["00:00:02,000 -> 00:00:03,000", "00:00:02,000-->00:00:03,000", "00:02,000 => 00:03,000"]
)
def test_a_damaged_line_of_times_never_becomes_text(line: str, tmp_path: Path) -> None:
    text = f"1\n00:00:01,000 --> 00:00:02,000\ntake\n2\n{line}\npour\n"
    with pytest.raises(DataError, match=r"day1\.srt:5: expected a cue's times"):
        read(file(tmp_path, text))


cues = st.lists(
    st.tuples(st.integers(1, 9999), st.sampled_from(["take", "pour 2", "7", "a, b"])), min_size=1, max_size=6
)


@given(cues, st.sampled_from(["srt", "vtt"]))
def test_empty_lines_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory, cues: list[tuple[int, str]], fmt: str
) -> None:
    at, intervals = Fraction(0), []
    for length, label in cues:
        intervals.append(Interval(at, at + Fraction(length, 1000), label))
        at = intervals[-1].end_seconds
    text = annotations_text(fmt, [Annotation("day1", tuple(intervals))])
    head, body = text.split("\n", 1) if fmt == "vtt" else ("", text)
    tight = f"{head}\n\n" * (fmt == "vtt") + "".join(f"{line}\n" for line in body.split("\n") if line)
    path = file(tmp_path_factory.mktemp("tight"), tight, fmt)
    assert read_annotations(path)[0].intervals == tuple(intervals)
