"""Frame labels: what was written is read back, usual variants are read, and damage is reported by file and line."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg.formats.frame_labels import locate_frame_labels, read_frame_labels, write_frame_labels
from keyseg.timeline import DataError, OutputExistsError

# Any class name: no white space, no lone surrogates (no text), no byte order mark (dropped at the start of a file).
_NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="\ufeff"),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(names=st.lists(_NAMES, max_size=40))
def test_what_is_written_is_read_back(names, tmp_path_factory):
    path = tmp_path_factory.mktemp("labels") / "video.txt"
    write_frame_labels(path, names)
    assert read_frame_labels(path) == names


@pytest.mark.parametrize(
    "raw",
    [
        b"cut\npour\npour\n",
        b"cut\npour\npour",
        b"cut\r\npour\r\npour\r\n",
        b"\xef\xbb\xbfcut\npour\npour\n",
        b"cut\npour\npour\n\n \n\n",
        b"cut \n pour\npour\t\n",
        b"### Frame level recognition: ###\ncut pour pour\n",
        b"### Frame level recognition: ###\r\ncut pour  pour \r\n\r\n",
        b"### Recognized sequence: ###\ncut pour\n### Score: ###\n7\n### Frame level recognition: ###\ncut pour pour\n",
    ],
)
def test_usual_variants_read_alike(raw, tmp_path):
    path = tmp_path / "video.txt"
    path.write_bytes(raw)
    assert read_frame_labels(path) == ["cut", "pour", "pour"]


def test_a_class_that_starts_like_a_comment_is_a_class(tmp_path):
    path = tmp_path / "video.txt"
    path.write_text("#cut\n#cut\n")
    assert read_frame_labels(path) == ["#cut", "#cut"]


def test_labels_come_with_their_line(tmp_path):
    plain, recog = tmp_path / "plain.txt", tmp_path / "recog"
    plain.write_text("cut\npour\npour\n")
    recog.write_text("### Frame level recognition: ###\ncut pour pour\n")
    assert locate_frame_labels(plain) == (["cut", "pour", "pour"], None)
    assert locate_frame_labels(recog) == (["cut", "pour", "pour"], 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cut\n\npour\n", r"video.txt:2: expected one class name without white space, got ''"),
        ("cut\npour milk\npour\n", r"video.txt:2: expected one class name without white space, got 'pour milk'"),
        # As many words as lines, so that only a check of each line finds it.
        ("cut\n\npour milk\n", r"video.txt:2: expected one class name"),
        ("### Frame level: ###\ncut pour\n\ncut\n", r"video.txt:4: expected all labels on one line .* got 'cut'"),
    ],
)
def test_damage_is_named_by_line(text, message, tmp_path):
    path = tmp_path / "video.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_frame_labels(path)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(
        DataError, match=r"gone.txt: cannot read it \(no such file\); it should hold one class name per line"
    ):
        read_frame_labels(tmp_path / "gone.txt")
    with pytest.raises(DataError, match="not a file"):
        read_frame_labels(tmp_path)
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(DataError, match=r"latin.txt:1: cannot read it .*UTF-8 text"):
        read_frame_labels(tmp_path / "latin.txt")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are a Unix thing")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(DataError, match="not a file"):
        read_frame_labels(tmp_path / "pipe.txt")


@pytest.mark.parametrize("text", ["", "\n\n", "### Frame level recognition: ###\n"])
def test_an_empty_file_has_no_frames(text, tmp_path):
    path = tmp_path / "video.txt"
    path.write_text(text)
    assert read_frame_labels(path) == []


@pytest.mark.parametrize("bad", ["", "pour milk", "cut\n", " cut"])
def test_a_name_that_would_not_be_read_back_is_not_written(bad, tmp_path):
    path = tmp_path / "video.txt"
    path.write_text("before\n")
    with pytest.raises(DataError, match="cannot write frame 1: a class name has no white space"):
        write_frame_labels(path, ["cut", bad])
    assert path.read_text() == "before\n"


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "video.txt"
    path.write_text("before\n")

    def refuse(*_args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(DataError, match=r"cannot write the labels \(disk full\)"):
        write_frame_labels(path, ["cut"])
    assert [file.name for file in tmp_path.iterdir()] == ["video.txt"]
    assert path.read_text() == "before\n"


def test_the_folder_is_created_unless_it_is_a_file(tmp_path):
    write_frame_labels(tmp_path / "new" / "video.txt", ["cut"])
    assert (tmp_path / "new" / "video.txt").read_text() == "cut\n"
    (tmp_path / "file").touch()
    with pytest.raises(OutputExistsError, match="file is a file; name a folder for the output"):
        write_frame_labels(tmp_path / "file" / "video.txt", ["cut"])
