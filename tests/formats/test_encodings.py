"""Text in other encodings than UTF-8, in every format: read where it is shown or named, and never guessed."""

from __future__ import annotations

import codecs
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from keyseg.formats import FORMATS, AnnotationOptions, WriteSettings, annotations_text, format_named, read_annotations
from keyseg.timeline import Annotation, ConfigError, DataError, Interval, KeysegError
from keyseg.timeline.files import read_text

NAMES = sorted(set(FORMATS) - {"eaf", "nwb"})  # XML states its encoding itself, and NWB is no text
BOTH = (Interval(Fraction(0), Fraction(1), "Öffnen"), Interval(Fraction(1), Fraction(2), "gießen"))
ACTIONS = Annotation("day1", BOTH, Fraction(2), Fraction(25), ("background",))
MARKS = {
    "utf-8-sig": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
}


def content(fmt: str, newline: str = "\n") -> str:
    return annotations_text(fmt, [ACTIONS], WriteSettings(fps=Fraction(25))).replace("\n", newline)


def file(folder: Path, fmt: str, content: bytes) -> Path:
    path = folder / f"day1{format_named(fmt).suffix}"
    path.write_bytes(content)
    return path


def labels(path: Path, fmt: str | None = None, **options: Any) -> tuple[str, ...]:
    (annotation,) = read_annotations(path, fmt, fps=Fraction(25), options=AnnotationOptions(**options))
    return annotation.labels


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", MARKS)
@pytest.mark.parametrize("fmt", NAMES)
def test_a_byte_order_mark_shows_the_encoding(fmt: str, encoding: str, newline: str, tmp_path: Path) -> None:
    encoded = MARKS[encoding] + content(fmt, newline).encode(encoding.removesuffix("-sig"))
    path = file(tmp_path, fmt, encoded)
    assert labels(path) == labels(path, encoding="cp1252") == ("gießen", "Öffnen")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("fmt", sorted(set(NAMES) - {"txt"}))
def test_utf_16_without_a_mark_shows_in_its_zeros(fmt: str, encoding: str, tmp_path: Path) -> None:
    assert labels(file(tmp_path, fmt, content(fmt).encode(encoding))) == ("gießen", "Öffnen")


@pytest.mark.parametrize("fmt", sorted(set(NAMES) - {"boris-project"}))  # it is written in ASCII
def test_windows_1252_is_read_where_it_is_named(fmt: str, tmp_path: Path) -> None:
    path = file(tmp_path, fmt, content(fmt).encode("cp1252"))
    assert labels(path, encoding="cp1252") == labels(path, encoding="Windows-1252") == ("gießen", "Öffnen")
    with pytest.raises(DataError) as caught:
        labels(path)
    place = next(at for at, letter in enumerate(content(fmt)) if not letter.isascii())
    line = content(fmt).count("\n", 0, place) + 1
    byte = {"Ö": "0xd6", "ß": "0xdf"}[content(fmt)[place]]
    assert f"{path}:{line}: cannot read it (byte {byte} at position {place} is not utf-8)" in str(caught.value)
    assert "or in the encoding that --encoding names, such as cp1252" in str(caught.value)


def test_the_wrong_encoding_is_named(tmp_path: Path) -> None:
    path = file(tmp_path, "srt", b"1\n00:00:01,000 --> 00:00:02,000\n\x81\n")
    with pytest.raises(DataError, match=r"srt:3: cannot read it \(byte 0x81 at position 32 is not cp1252\)"):
        labels(path, encoding="cp1252")
    odd = file(tmp_path, "vtt", "WEBVTT".encode("utf-16") + b"x")
    with pytest.raises(DataError, match="utf-16"):
        labels(odd)


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("cp1525", "unknown encoding 'cp1525' (did you mean 'cp125"),
        ("utf-16le", ""),
        ("utf-61", "(did you mean 'utf16'?)"),
        ("rot13", "unknown encoding 'rot13'"),
        ("hex", "unknown encoding 'hex'"),
        ("", ""),
        ("a\0b", "unknown encoding"),
        ("Grüße", "unknown encoding"),
    ],
)
def test_an_unknown_encoding_is_an_error_with_the_nearest(encoding: str, words: str, tmp_path: Path) -> None:
    path = file(tmp_path, "srt", b"")
    if not words:
        assert labels(path, encoding=encoding) == ()
        return
    with pytest.raises(ConfigError) as caught:
        labels(path, encoding=encoding)
    assert words in str(caught.value)


@pytest.mark.parametrize("fmt", NAMES)
def test_zero_bytes_are_refused(fmt: str, tmp_path: Path) -> None:
    text = content(fmt).replace("ffnen", "f\0fnen")
    with pytest.raises(KeysegError, match="zero bytes"):
        labels(file(tmp_path, fmt, text.encode()))


def test_files_of_our_own_name_no_option(tmp_path: Path) -> None:
    (tmp_path / "mapping.txt").write_bytes("0 Öl\n".encode("cp1252"))
    with pytest.raises(DataError, match=r"as UTF-8 text$"):
        read_text(tmp_path / "mapping.txt", "one 'id name' per line")
