"""Reading what others wrote: only files, of a bounded size, and only text that can be written again."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from keyseg.timeline import BundleError, DataError
from keyseg.timeline.files import read_bytes, read_text
from keyseg.timeline.json_text import read_json, read_object


def socket_at(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path.name)


SPECIAL: dict[str, Callable[[Path], object]] = {
    "folder": lambda path: path.mkdir(),
    "broken link": lambda path: path.symlink_to("nowhere"),
    "link loop": lambda path: path.symlink_to(path),
}
if sys.platform != "win32":
    SPECIAL |= {"pipe": os.mkfifo, "device": lambda path: path.symlink_to("/dev/zero"), "socket": socket_at}


@pytest.mark.parametrize("kind", SPECIAL)
def test_only_files_are_read(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    path = tmp_path / "tea.json"
    SPECIAL[kind](path)
    for read in (read_bytes, read_text, read_json, read_object):
        with pytest.raises(DataError, match=r"tea\.json: cannot read it \(.+\); it should hold a timeline"):
            read(path, "a timeline")


def test_a_name_with_a_zero_byte_is_no_file() -> None:
    with pytest.raises(DataError, match="cannot read it"):
        read_bytes(Path("a\0b"), "a timeline")


def test_the_size_is_bounded_before_anything_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tea.json"
    with path.open("wb") as file:
        file.truncate(2**40)  # of which nothing is stored
    with pytest.raises(
        DataError, match=r"tea\.json: too large \(1048576\.0 MiB, and at most 256\.0 MiB are read; split"
    ):
        read_text(path, "labels")
    with pytest.raises(BundleError, match=r"at most 64\.0 MiB .* it should hold a timeline.*; copy it again"):
        read_object(path, "a timeline", advice="copy it again", refuse=BundleError)
    path.write_text("12345")
    assert read_text(path, "labels", most=5) == "12345"
    with pytest.raises(DataError, match="too large"):
        read_text(path, "labels", most=4)


@pytest.mark.parametrize(
    ("content", "encoding"), [(b"a\nb+2AA-", "utf-7"), (rb"a\nb\ud800", "unicode_escape"), (b"a\nb\0", "utf-8")]
)
def test_text_that_cannot_be_written_is_refused_with_its_line(content: bytes, encoding: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.txt:2: cannot read it \((it has|byte)"):
        read_text(tmp_path / "a.txt", "labels", encoding)
