"""Files and folders that are old or new at every failure, and reading what may be damaged."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from keyseg.timeline import DataError, OutputExistsError
from keyseg.timeline.files import (
    end_replacing,
    file_sha256,
    json_text,
    naming,
    read_text,
    refuse_file,
    whole_file,
    whole_folder,
    write_bytes,
    write_json,
    write_log,
    write_text,
)
from keyseg.timeline.partials import remove_left


def tree(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Name and subject of every fsync, and of every rename, in order."""
    seen: list[tuple[str, str]] = []
    opened: dict[int, str] = {}

    def watch(module: object, name: str, note: Callable[..., None]) -> None:
        real = getattr(module, name)

        def watched(*args: object, **options: object) -> object:
            result = real(*args, **options)
            note(result, *args)
            return result

        monkeypatch.setattr(module, name, watched)

    watch(os, "open", lambda handle, path, *_: opened.update({handle: Path(path).name}))
    watch(os, "fsync", lambda _, handle: seen.append(("fsync", opened[handle])))
    for rename in ("replace", "rename"):
        watch(Path, rename, lambda _, path, target: seen.append((path.name, Path(target).name)))
    return seen


def test_a_file_is_synced_then_renamed_then_its_folder_is_synced(tmp_path: Path, steps: list[tuple[str, str]]) -> None:
    partial = ".a.txt.1.partial"
    write_text(tmp_path / "new" / "a.txt", "ä\r\n")
    assert (tmp_path / "new" / "a.txt").read_bytes() == "ä\r\n".encode()
    assert steps == [("fsync", partial), (partial, "a.txt"), ("fsync", "new")]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]


def test_a_folder_is_synced_with_its_content_before_it_is_renamed(tmp_path: Path, steps: list[tuple[str, str]]) -> None:
    (tmp_path / "bundle").mkdir()
    partial = ".bundle.1.partial"
    with whole_folder(tmp_path / "bundle") as folder:
        (folder / "in").mkdir()
        (folder / "in" / "a.txt").write_text("new")
    former = partial.replace("partial", "former")
    assert sorted(steps[:3]) == [("fsync", partial), ("fsync", "a.txt"), ("fsync", "in")]
    assert steps[3:] == [("bundle", former), (partial, "bundle"), ("fsync", tmp_path.name)]


@pytest.mark.parametrize("broken", ["writing", "fsync", "replace"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()], ids=["error", "interrupt"])
@pytest.mark.parametrize("exists", [True, False])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    broken: str, error: BaseException, exists: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    if exists:
        path.write_text("old")

    def fail(*_: object) -> None:
        raise error

    if broken != "writing":
        monkeypatch.setattr(*{"fsync": (os, "fsync"), "replace": (Path, "replace")}[broken], fail)

    def write() -> None:
        with whole_file(path) as partial:
            partial.write_text("half")
            if broken == "writing":
                fail()

    with pytest.raises(type(error)):
        write()
    assert tree(tmp_path) == ({"a.txt": "old"} if exists else {})


def test_a_file_that_cannot_be_replaced_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows while a spreadsheet shows it; the message names the file, not the one beside it."""
    write_text(tmp_path / "a.csv", "old")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Access is denied", str(tmp_path / ".a.csv.partial"))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(PermissionError) as raised:
        write_text(tmp_path / "a.csv", "new")
    reason = "cannot be written (Access is denied); is another program using it?"
    assert str(raised.value) == f"{tmp_path / 'a.csv'}: {reason}"
    assert tree(tmp_path) == {"a.csv": "old"}


@pytest.mark.parametrize("broken", ["writing", "fsync", "first rename", "second rename"])
@pytest.mark.parametrize("exists", [True, False])
def test_a_failed_write_leaves_the_old_folder_and_nothing_else(
    broken: str, exists: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "bundle"
    if exists:
        target.mkdir()
        (target / "a.txt").write_text("old")
    renames, real = [], Path.rename

    def fail(*_: object) -> None:
        raise OSError("disk full")

    def rename(path: Path, to: Path) -> Path:
        renames.append(path)
        if len(renames) == (1 if broken == "first rename" or not exists else 2):
            fail()
        return real(path, to)

    if broken == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    elif broken != "writing":
        monkeypatch.setattr(Path, "rename", rename)

    def write() -> None:
        with whole_folder(target) as folder:
            (folder / "a.txt").write_text("new")
            if broken == "writing":
                fail()

    with pytest.raises(OSError, match="disk full"):
        write()
    assert tree(tmp_path) == ({"bundle/a.txt": "old"} if exists else {})
    assert [path.name for path in tmp_path.iterdir()] == (["bundle"] if exists else [])


def test_a_folder_replaces_all_of_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "runs" / "bundle"
    for name in ("a.txt", "b.txt"):
        with whole_folder(target) as folder:
            (folder / name).write_text(name)
    assert tree(tmp_path) == {"runs/bundle/b.txt": "b.txt"}
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["bundle"]


needs_locks = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks, and nothing is swept")


@needs_locks
def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".a.txt.1.partial").write_text("left by a killed process, and longer")
    write_text(tmp_path / "a.txt", "new")
    for left in (".bundle.1.partial", ".bundle.1.former", ".bundle.2.former"):
        (tmp_path / left).mkdir()
        (tmp_path / left / "half.txt").write_text("half")
    with whole_folder(tmp_path / "bundle") as folder:
        (folder / "b.txt").write_text("new")
    assert tree(tmp_path) == {"a.txt": "new", "bundle/b.txt": "new"}
    (tmp_path / ".bundle.1.former").mkdir()
    end_replacing(tmp_path / "bundle")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "bundle"]


def test_the_old_folder_is_kept_aside_until_a_new_one_is_there(tmp_path: Path) -> None:
    """A kill between the two renames leaves it there, and what then fails does not remove it."""
    (tmp_path / ".bundle.1.former").mkdir()
    end_replacing(tmp_path / "bundle")
    with pytest.raises(KeyboardInterrupt), whole_folder(tmp_path / "bundle"):
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == [".bundle.1.former"]


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
def test_what_another_writes_at_the_same_time_is_left_alone(
    whole: Callable[[Path], AbstractContextManager[Path]], tmp_path: Path
) -> None:
    def put(place: Path, text: str) -> None:
        (place / "a" if place.is_dir() else place).write_text(text)

    with whole(tmp_path / "a") as mine:
        put(mine, "mine")
        with whole(tmp_path / "a") as other:
            put(other, "the other's")
        remove_left(mine)
        assert "mine" in tree(tmp_path).values()
    assert list(tree(tmp_path).values()) == ["mine"]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_the_mode_is_what_the_umask_gives(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "")
        with whole_folder(tmp_path / "bundle"):
            pass
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("a.txt", "bundle")] == [0o640, 0o750]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OSError(5, "Input/output error")])
def test_an_error_of_the_disk_names_the_file(error: OSError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise error

    named = re.escape(f"{error.strerror}: {str(tmp_path / 'a.txt')!r}")
    with pytest.raises(OSError, match=named), whole_file(tmp_path / "a.txt"):
        fail()
    monkeypatch.setattr(os, "fsync", fail)
    for write in (lambda: write_text(tmp_path / "a.txt", "x"), lambda: _fill(tmp_path / "a.txt")):
        with pytest.raises(OSError, match=named):
            write()
    with pytest.raises(OSError, match="of another file: 'b'"), naming(tmp_path):
        raise OSError(2, "of another file", "b")


def _fill(folder: Path) -> None:
    with whole_folder(folder) as partial:
        (partial / "b").touch()


def test_without_a_place_for_its_log_a_mistake_is_still_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert Path(write_log("lines")).read_text() == "lines"
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    assert "no log could be written (No such file or directory)" in write_log("lines")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals are a Unix thing")
@pytest.mark.parametrize("kind", ["whole_file", "whole_folder"])
def test_a_kill_while_writing_leaves_the_old_content(kind: str, tmp_path: Path) -> None:
    target = tmp_path / "target"
    inside = "" if kind == "whole_file" else "/ 'a.txt'"
    with (whole_file if kind == "whole_file" else whole_folder)(target) as partial:
        (partial if kind == "whole_file" else partial / "a.txt").write_text("old")
    before = {name: text for name, text in tree(tmp_path).items() if name.startswith("target")}
    code = f"""
import os, signal
from pathlib import Path
from keyseg.timeline.files import {kind}
with {kind}(Path({str(target)!r})) as partial:
    (partial {inside}).write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert {name: text for name, text in tree(tmp_path).items() if name.startswith("target")} == before
    assert all(path.name.startswith(".target.") for path in tmp_path.iterdir() if path != target)


def test_bytes_and_json(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a", b"\0\xff")
    assert (tmp_path / "a").read_bytes() == b"\0\xff"
    write_json(tmp_path / "b.json", {"größe": [1]})
    assert read_text(tmp_path / "b.json", "JSON") == json_text({"größe": [1]}) == '{\n "größe": [\n  1\n ]\n}\n'


def test_text_may_have_a_mark_and_any_line_ends(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree\n")
    assert read_text(tmp_path / "a.txt", "words") == "one\ntwo\nthree\n"


def test_what_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone: cannot read it \(no such file\); it should hold words, as UTF-8 text"):
        read_text(tmp_path / "gone", "words")
    with pytest.raises(DataError, match=r"cannot read it \(not a file\); it should hold words"):
        read_text(tmp_path, "words")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    with pytest.raises(
        DataError, match=r"latin\.txt:1: .* \(byte 0xe9 at position 3 is not utf-8\); .* words, as UTF-8 text$"
    ):
        read_text(tmp_path / "latin.txt", "words")


def test_hashes_are_those_of_the_content(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    write_bytes(tmp_path / "a", content)
    assert file_sha256(tmp_path / "a") == hashlib.sha256(content).hexdigest()
    with pytest.raises(DataError, match=r"gone: cannot read it \(no such file\)"):
        file_sha256(tmp_path / "gone")
    with pytest.raises(DataError, match=r"cannot read it \(not a file\)"):
        file_sha256(tmp_path)


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    refuse_file(tmp_path, "features")
    refuse_file(tmp_path / "new" / "deep", "features")
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "deep"):
        with pytest.raises(OutputExistsError, match="file is a file; name a folder for the features"):
            refuse_file(folder, "features")
