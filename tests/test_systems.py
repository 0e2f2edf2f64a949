"""Windows and macOS beside Linux: names of files, modules that are missing there, and text that is equal everywhere."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from keyseg.formats.conversion import convert
from keyseg.inference.folder import predict_files
from keyseg.timeline import DataError
from keyseg.timeline.files import check_file_names
from keyseg.video.jobs import Work, extract_all

WRONG_NAMES = {
    "": "it is empty",
    " \t": "it is empty",
    ".day1": "starts with a dot is hidden",
    "..": "starts with a dot is hidden",
    "day\n1": "it contains a control character",
    "day1\x00": "it contains a control character",
    "2024-05-01 10:30": "Windows allows none of",
    "a/b": "Windows allows none of",
    "a\\b": "Windows allows none of",
    "player #1: rat?": "Windows allows none of",
    "day1.": "Windows drops a dot or a space at the end",
    "day1 ": "Windows drops a dot or a space at the end",
    "con": "Windows reserves it for a device",
    "Aux.left": "Windows reserves it for a device",
    "COM1": "Windows reserves it for a device",
    "lpt².a.b": "Windows reserves it for a device",
    "nul .a": "Windows reserves it for a device",
    "CONOUT$": "Windows reserves it for a device",
}


@pytest.mark.parametrize("name", WRONG_NAMES)
def test_names_that_no_file_may_have_are_refused_with_the_reason(name: str) -> None:
    with pytest.raises(DataError) as refused:
        check_file_names(["day1", name])
    assert f"the video name {name!r} cannot be the name of a file: " in str(refused.value)
    assert WRONG_NAMES[name] in str(refused.value)
    assert "rename the video" in str(refused.value)


@pytest.mark.parametrize(
    "name", ["day1", "day1.1", "conference", "com10", "auxiliary", "a.con", "Tür 3 (b)", "猫", "nul_"]
)
def test_other_names_are_taken(name: str) -> None:
    check_file_names([name])


@pytest.mark.parametrize("names", [("Day1", "day1"), ("Tür", "Tu\u0308r"), ("TÜR", "tu\u0308r")])
def test_two_names_of_one_file_are_refused(names: tuple[str, str]) -> None:
    with pytest.raises(DataError, match=r"would be one file on Windows or macOS; rename one of the videos"):
        check_file_names(names)
    check_file_names([names[0], names[0]])  # one video


def one_video_each(folder: Path, *names: str) -> Path:
    path = folder / "all.csv"
    rows = [f"{name},0,1,take" for name in names]
    path.write_text("\n".join(["video,start_seconds,end_seconds,label", *rows, ""]), encoding="utf-8", newline="\n")
    return path


@pytest.mark.parametrize(("names", "reason"), [(("a", "nul"), "reserves"), (("Day1", "day1"), "one file on Windows")])
def test_convert_writes_no_file_under_such_a_name(names: tuple[str, ...], reason: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=reason):
        convert(one_video_each(tmp_path, *names), tmp_path / "out", to_format="vtt", fps=Fraction(10))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("names", "reason"), [(("a", "nul"), "reserves"), (("Day1", "day1"), "one file on Windows")])
def test_features_and_timelines_get_no_such_name(names: tuple[str, ...], reason: str, tmp_path: Path) -> None:
    videos = [tmp_path / f"{name}.mp4" for name in names]
    for video in videos:
        video.write_bytes(b"")
    with pytest.raises(DataError, match=reason):
        extract_all(videos, Work("motion", Fraction(10), tmp_path / "out"), notify=lambda event: None)
    with pytest.raises(DataError, match=reason):
        predict_files(tmp_path / "bundle", videos, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
