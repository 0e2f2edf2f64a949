"""A folder that is filled: whatever stops it, the same call continues, and what others put there stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock

from keyseg.data.folders import filled, refuse_filled
from keyseg.timeline import DataError, OutputExistsError

PARTS = {"features/a": "1", "groundTruth/a": "2", "mapping.txt": "3", "set.yaml": "4"}


def tree(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


def fill(folder: Path, last: tuple[str, ...] = ("set.yaml", "mapping.txt")) -> None:
    with filled(folder, ("set.yaml",), last) as new:
        for name, text in PARTS.items():
            (new / name).parent.mkdir(exist_ok=True)
            (new / name).write_text(text)


@pytest.mark.parametrize("moved", range(5))
@pytest.mark.parametrize("exists", [False, True])
def test_any_prefix_of_the_parts_is_continued(
    moved: int, exists: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, real, seen = tmp_path / "set", Path.replace, []
    if exists:
        folder.mkdir()
        (folder / "set.yaml").write_text("old")

    def replace(path: Path, target: Path) -> Path:
        seen.append(target.name)
        if len(seen) > moved:
            raise KeyboardInterrupt
        return real(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        if moved < len(PARTS):
            with pytest.raises(KeyboardInterrupt):
                fill(folder)
            assert not (folder / "mapping.txt").exists()
        else:
            fill(folder)
            assert seen == ["features", "groundTruth", "set.yaml", "mapping.txt"]
            return
    refuse_filled(folder, ("set.yaml",))
    fill(folder)
    assert tree(folder) == PARTS
    assert not (folder / ".keyseg-init").exists()


def test_an_error_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "set.yaml").write_text("old")
    for name in ("new", "old"):
        with pytest.raises(FileNotFoundError), filled(tmp_path / name, ("set.yaml",), ()) as new:
            (new / "no folder" / "a").write_text("half")
    assert tree(tmp_path) == {"old/set.yaml": "old"}
    assert not (tmp_path / "new").exists()
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["set.yaml"]


def test_an_error_after_an_interruption_keeps_the_mark(tmp_path: Path) -> None:
    (tmp_path / ".keyseg-init").mkdir()
    (tmp_path / "features").mkdir()
    with pytest.raises(KeyboardInterrupt), filled(tmp_path, (), ()):
        raise KeyboardInterrupt
    fill(tmp_path)
    assert tree(tmp_path) == PARTS


def test_what_is_not_ours_is_refused_and_stays(tmp_path: Path) -> None:
    (tmp_path / "features").mkdir()
    for check in (lambda: refuse_filled(tmp_path, ("set.yaml",)), lambda: fill(tmp_path)):
        with pytest.raises(OutputExistsError, match="is not empty; choose a new folder"):
            check()
    assert [path.name for path in tmp_path.iterdir()] == ["features"]


def test_one_process_at_a_time_fills_a_folder(tmp_path: Path) -> None:
    (tmp_path / ".keyseg-init").mkdir()
    with FileLock(tmp_path / ".keyseg-init" / ".lock"), pytest.raises(DataError, match="another keyseg is making"):
        fill(tmp_path)
