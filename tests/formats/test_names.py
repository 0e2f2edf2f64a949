"""What the videos of a file are called: paths, addresses, spellings, Unicode forms."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyseg.formats import FORMATS, read_annotations
from keyseg.formats.text import VIDEO_SUFFIXES, path_parts, video_name
from keyseg.timeline import DataError

NFC, NFD = "caf\u00e9", "cafe\u0301"


def read(folder: Path, fmt: str, *names: str) -> list[tuple[str, str]]:
    """Name and media of the videos in a file that names these, one line each."""
    lines = {
        "csv": ("video,start_seconds,end_seconds,label\n", "{},0,1,x\n"),
        "tsv": ("video\tstart_seconds\tend_seconds\tlabel\n", "{}\t0\t1\tx\n"),
        "rttm": ("", "SPEAKER {} 1 0 1 <NA> <NA> x <NA> <NA>\n"),
        "epic": ("video_id,start_timestamp,stop_timestamp,narration\n", "{},00:00:00.0,00:00:01.0,x\n"),
    }
    head, line = lines[fmt]
    path = folder / f"all{FORMATS[fmt].suffix}"
    rows = (line.format(name) for name in names)
    path.write_text(head + "".join(rows), encoding="utf-8")
    return [(annotation.video, annotation.media) for annotation in read_annotations(path, fmt)]


@pytest.mark.parametrize("fmt", ["csv", "tsv", "rttm", "epic"])
def test_the_name_is_the_end_of_the_path_and_the_path_is_kept(fmt: str, tmp_path: Path) -> None:
    names = ("P01/a.mp4", r"C:\x\b.MKV", "c.1.mp4", "d.1", "./e", "http://host/f%20g.mov?t=1#z", "h.mp4.mp4", "i.txt")
    assert read(tmp_path, fmt, *names) == [
        ("a", "P01/a.mp4"),
        ("b", r"C:\x\b.MKV"),
        ("c.1", "c.1.mp4"),
        ("d.1", ""),
        ("e", "./e"),
        ("f g", "http://host/f%20g.mov?t=1#z"),
        ("h.mp4", "h.mp4.mp4"),
        ("i.txt", ""),
    ]


@pytest.mark.parametrize("fmt", ["csv", "tsv", "rttm", "epic"])
def test_files_of_one_name_keep_the_folders_that_distinguish_them(fmt: str, tmp_path: Path) -> None:
    found = read(tmp_path, fmt, "P01/cam1.mp4", "P02/cam1.mp4", "P01/cam2.mp4")
    assert [name for name, _ in found] == ["P01/cam1", "P02/cam1", "cam2"]
    found = read(tmp_path, fmt, "x/a/raw/cam1.mp4", r"x\b\raw\cam1.mp4", "a/raw/cam2.mp4")
    assert [name for name, _ in found] == ["a/raw/cam1", "b/raw/cam1", "cam2"]
    assert [name for name, _ in read(tmp_path, fmt, NFD, NFC, NFD)] == [NFC]  # one video


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        ("a", "a.mp4", "the video 'a' is in it twice, as 'a' and 'a.mp4'"),
        ("P/a.mp4", "P/a.avi", "the video 'a' is in it twice, as 'P/a.mp4' and 'P/a.avi'"),
        ("P/a", "./P/a", "the video 'a' is in it twice, as 'P/a' and './P/a'"),
        ("a.mp4", "P/a.mp4", "'a.mp4' and 'P/a.mp4' may be the same video; spell each video in one way"),
        ("P/a.mp4", "C:/x/P/a.mp4", "'P/a.mp4' and 'C:/x/P/a.mp4' may be the same video"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_two_spellings_of_one_video_are_an_error(
    one: str, other: str, message: str, turned: bool, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as error:
        read(tmp_path, "csv", *((other, one) if turned else (one, other)), "b")
    shown = str(error.value)
    assert "all.csv: " in shown
    assert message in shown or (turned and {repr(one), repr(other)} <= set(shown.replace(",", "").split()))


@given(
    st.lists(st.text("ab./\\ é:?#%1", min_size=1), max_size=4),
    st.text("abé .1-_", min_size=1).filter(lambda name: name.strip(" .") == name),
    st.sampled_from(sorted(VIDEO_SUFFIXES)),
)
def test_any_path_of_a_video_has_its_name(folders: list[str], name: str, suffix: str) -> None:
    for separator in "/\\":
        path = separator.join([*folders, f"{name}{suffix}"])
        assert video_name(path) == name or "://" in path
        assert path_parts(path)[-1] == f"{name}{suffix}" or "://" in path


def test_an_address_that_is_broken_has_a_name_too() -> None:
    assert [video_name(text) for text in ("http://[", "://", "", "/", "a://b/", "file:///C:/x/%C3%A9.mp4")] == [
        *("[", "", "", "", "b"),
        "é",
    ]
