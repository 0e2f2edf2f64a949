"""Files and folders appear whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from keyseg.timeline import files
from keyseg.timeline.files import whole_file, whole_folder, write_bytes, write_json, write_text

WRITERS: dict[str, tuple[Callable[[Path], None], bytes]] = {
    "bytes": (lambda path: write_bytes(path, b"new"), b"new"),
    "text": (lambda path: write_text(path, "n\u00e9w\r\n"), "n\u00e9w\r\n".encode()),
    "json": (lambda path: write_json(path, {"n\u00e9w": 1}), '{\n "n\u00e9w": 1\n}\n'.encode()),
}


posix = pytest.mark.skipif(os.name == "nt", reason="Windows syncs no folders, forks no processes and has no modes")


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What reaches the disk, in order: fsync of a file or folder, and renames."""
    log: list[str] = []
    fsync, replace, rename = os.fsync, Path.replace, Path.rename

    def logged_fsync(handle: int) -> None:
        inode = os.fstat(handle).st_ino
        log.append(f"fsync {inode}")
        fsync(handle)

    def logged(move: Callable[[Path, Path], Path]) -> Callable[[Path, Path], Path]:
        def moved(source: Path, target: Path) -> Path:
            log.append(f"{source.stat().st_ino} becomes {Path(target).name}")
            return move(source, target)

        return moved

    monkeypatch.setattr(os, "fsync", logged_fsync)
    monkeypatch.setattr(Path, "replace", logged(replace))
    monkeypatch.setattr(Path, "rename", logged(rename))
    return log


@posix
@pytest.mark.parametrize("kind", WRITERS)
def test_a_file_is_synced_then_renamed_then_its_folder_synced(kind: str, tmp_path: Path, steps: list[str]) -> None:
    write, content = WRITERS[kind]
    path = tmp_path / "deep" / "file"
    write(path)
    inode = path.stat().st_ino
    assert steps == [f"fsync {inode}", f"{inode} becomes file", f"fsync {path.parent.stat().st_ino}"]
    assert path.read_bytes() == content
    assert os.listdir(path.parent) == ["file"]


@posix
def test_a_folder_is_synced_with_all_that_is_in_it_before_it_appears(tmp_path: Path, steps: list[str]) -> None:
    folder = tmp_path / "folder"
    with whole_folder(folder) as partial:
        (partial / "inside").mkdir()
        (partial / "inside" / "file").write_text("new")
    parts = {f"fsync {path.stat().st_ino}" for path in (folder, folder / "inside", folder / "inside" / "file")}
    assert set(steps[:3]) == parts
    assert steps[3:] == [f"{folder.stat().st_ino} becomes folder", f"fsync {tmp_path.stat().st_ino}"]
    assert folder.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("moment", ["write", "fsync", "rename"])
def test_an_error_leaves_the_old_file_and_nothing_else(
    kind: str, moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError("no space left")

    if moment == "write":
        write_half = lambda partial, content: (partial.open("wb").write(content[:1]), full())  # noqa: E731
        monkeypatch.setattr(Path, "write_bytes", write_half)
    else:
        monkeypatch.setattr(*{"fsync": (os, "fsync"), "rename": (Path, "replace")}[moment], full)
    with pytest.raises(OSError, match="no space left"):
        WRITERS[kind][0](path)
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_an_error_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with whole_folder(folder) as partial:
        (partial / "file").write_text("old")

    def fill_half() -> None:
        with whole_folder(folder) as partial:
            (partial / "file").write_text("ne")
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        fill_half()
    assert (folder / "file").read_text() == "old"
    assert os.listdir(tmp_path) == ["folder"]
    with whole_folder(folder) as partial:
        (partial / "other").write_text("new")
    assert os.listdir(folder) == ["other"]
    assert os.listdir(tmp_path) == ["folder"]


@posix
@pytest.mark.parametrize("old", ["old", None])
def test_a_kill_in_the_middle_leaves_the_old_file_or_none(old: str | None, tmp_path: Path) -> None:
    path = tmp_path / "file"
    if old:
        path.write_text(old)
    child = os.fork()
    if child == 0:
        with whole_file(path) as partial:
            partial.write_text("ne")
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert (path.read_text() if path.exists() else None) == old
    files.write_text(path, "new")
    assert path.read_text() == "new"
