"""Unpacking one data set of an archive: all of it and nothing else, whatever the archive holds."""

from __future__ import annotations

import io
import os
import shutil
import stat
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock

from keyseg.data import archive as archive_module
from keyseg.data.archive import check_space, check_target, size_text, unpack
from keyseg.timeline import ConfigError, DataError


class Place(SimpleNamespace):
    """A folder with an archive, and `out` in another one."""

    def save(self, content: bytes) -> Path:
        self.path.write_bytes(content)
        return self.path

    def unpack(self, content: bytes, name: str = "gtea") -> None:
        unpack(self.save(content), name, self.out, self.progress)

    def progress(self, stage: str, done: int, total: int) -> None:
        assert stage == "unpacking"
        self.calls.append((stage, done, total))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "sets").mkdir()
    return Place(path=tmp_path / "data.zip", out=tmp_path / "sets" / "gtea", calls=[])


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def tree(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def files(disk_set: Any) -> dict[str, bytes]:
    """A small sound data set: path -> content."""
    return tree(disk_set.root)


def under(root: str, files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{root}/{path}": data for path, data in files.items()}


@pytest.fixture
def content(files: dict[str, bytes]) -> bytes:
    """An archive with one data set."""
    return zipped(under("data/gtea", files))


def refused(place: Place, content: bytes, words: str) -> str:
    """The error message for an archive; nothing is left of it, and nothing got out."""
    with pytest.raises(DataError, match=words) as caught:
        place.unpack(content)
    assert list(place.out.parent.iterdir()) == []
    assert {path.name for path in place.path.parent.iterdir()} <= {"data.zip", "sets", "set"}
    assert str(caught.value).startswith(f"{place.path}: ")
    return str(caught.value)


# Archives that are refused


def test_an_archive_without_the_data_set(place: Place) -> None:
    without = zipped({"data/breakfast/mapping.txt": b"0 SIL\n", "data/50salads/x": b"", "README": b""})
    refused(place, without, "no data set 'gtea' in it; it holds README, data/50salads, data/breakfast")
    refused(place, zipped({}), "no data set 'gtea' in it; it holds nothing")
    refused(place, zipped({"data/gtea/": b"", "gtea": b"a file"}), "no data set 'gtea'")


def test_broken_archives(place: Place, content: bytes) -> None:
    refused(place, b"a web page" * 1000, "not a readable zip archive")
    refused(place, content[:-300], "not a readable zip archive")


def linked(files: dict[str, bytes], target: str, kind: int = stat.S_IFLNK) -> bytes:
    content = io.BytesIO(zipped(under("data/gtea", files)))
    with zipfile.ZipFile(content, "a") as archive:
        info = zipfile.ZipInfo("data/gtea/link")
        info.create_system, info.external_attr = 3, (kind | 0o777) << 16
        archive.writestr(info, target)
    return content.getvalue()


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "data/gtea/../../../evil",
        "/etc/evil",
        "data/gtea/a/../../evil",
        "..\\evil",
        "C:\\evil",
        "data/gtea/..\\..\\evil",
        "\\\\host\\evil",
    ],
)
def test_names_that_lead_out(name: str, place: Place, files: dict[str, bytes]) -> None:
    content = zipped(under("data/gtea", files) | {name: b"evil"})
    message = refused(place, content, "leads out of the folder it is unpacked to")
    assert repr(name) in message


@pytest.mark.parametrize("target", ["/etc/passwd", "../../..", "mapping.txt"])
def test_links(target: str, place: Place, files: dict[str, bytes]) -> None:
    refused(place, linked(files, target), "'data/gtea/link' is a link or a special file")


def test_special_files(place: Place, files: dict[str, bytes]) -> None:
    refused(place, linked(files, "", stat.S_IFIFO), "'data/gtea/link' is a link or a special file")
    place.unpack(linked(files, "text", stat.S_IFREG))
    assert (place.out / "link").read_text() == "text"


def test_a_link_in_another_data_set_is_not_unpacked(place: Place, files: dict[str, bytes]) -> None:
    content = io.BytesIO(linked(files, "/etc/passwd"))
    with zipfile.ZipFile(content, "a") as archive:
        for path, data in under("data/breakfast", files).items():
            archive.writestr(path, data)
    place.unpack(content.getvalue(), "breakfast")
    assert tree(place.out) == files


def test_bombs(place: Place, files: dict[str, bytes]) -> None:
    bomb = zipped({"data/gtea/features/S1.npy": bytes(5_000_000)})
    refused(place, bomb, r"data/gtea would grow to 5.0 MB from an archive of .* no archive of features does")


def test_a_member_gives_no_more_than_the_directory_says(place: Place, files: dict[str, bytes]) -> None:
    content = zipped({"data/gtea/mapping.txt": b"0 a\n" * 1000})
    lie = content.replace((4000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    refused(place, lie, "mapping.txt is damaged")
    assert all(done <= 10 for _, done, _ in place.calls)


def test_damaged_members(place: Place, files: dict[str, bytes]) -> None:
    stored = zipped(under("data/gtea", files), zipfile.ZIP_STORED)
    refused(place, stored.replace(b"1 cut", b"1 cux"), r"mapping.txt is damaged \(Bad CRC-32")
    small = zipped({"data/gtea/mapping.txt": b"0 a\n1 b\n" * 40})
    start = small.index(b"mapping.txt") + len("mapping.txt")
    refused(place, small[:start] + b"\xff\xff\xff" + small[start + 3 :], "mapping.txt is damaged")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions(compression: int, place: Place, files: dict[str, bytes]) -> None:
    content = zipped(under("data/gtea", files), compression)
    refused(place, content, rf"is encrypted, or not compressed by 'deflate' \(method {compression}\)")


def test_encrypted_members(place: Place, files: dict[str, bytes]) -> None:
    content = bytearray(zipped({"data/gtea/mapping.txt": b"0 a"}))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    refused(place, bytes(content), "is encrypted, or not compressed")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicate_names(place: Place, files: dict[str, bytes]) -> None:
    content = io.BytesIO(zipped(under("gtea", files)))
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr("gtea/mapping.txt", "0 other\n")
    refused(place, content.getvalue(), "gtea/mapping.txt is in it twice")
    refused(place, zipped({"gtea/a": b"", "gtea/a/b": b""}), "gtea/a/b is in it twice, or as a file and")
    refused(place, zipped({"gtea/a/b": b"", "gtea/a": b""}), "gtea/a is in it twice, or as a file and")


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("mapping.txt", r"data/gtea/mapping.txt: cannot read it \(no such file\)"),
        ("splits/", "data/gtea/splits: no splits here"),
        ("splits/test.split1.bundle", "test.split1.bundle: cannot read it"),
        ("features/", "data/gtea/features: no such folder"),
        ("groundTruth/", r"data/gtea/groundTruth: no \*.txt in it"),
    ],
)
def test_incomplete_data_sets(missing: str, words: str, place: Place, files: dict[str, bytes]) -> None:
    rest = {path: data for path, data in files.items() if not path.startswith(missing)}
    message = refused(place, zipped(under("data/gtea", rest)), words)
    assert "not a complete data set" in message
    assert str(place.out.parent) not in message
    assert ("features/ (4 files)" in message) == (missing != "features/")


def test_features_of_each_split_are_a_data_set_too(place: Place, files: dict[str, bytes]) -> None:
    renamed = {path.replace("features/", "features_split1/"): data for path, data in files.items()}
    place.unpack(zipped(under("gtea", renamed)))
    assert tree(place.out) == renamed


# Nothing half done


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interruption_leaves_nothing(
    error: Any, place: Place, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "_CHUNK", 100)

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "unpacking" and done > total // 2:
            raise error

    path = place.save(content)
    with pytest.raises(type(error) if isinstance(error, OSError) else error):
        unpack(path, "gtea", place.out, stop)
    assert list(place.out.parent.iterdir()) == []
    unpack(path, "gtea", place.out, place.progress)
    assert (place.out / "mapping.txt").is_file()


def test_what_a_killed_process_left_is_removed(place: Place, content: bytes, files: dict[str, bytes]) -> None:
    left = place.out.with_name(".gtea.unpacking") / "gtea" / "features"
    left.mkdir(parents=True)
    (left / "half.npy").write_bytes(b"half")
    place.unpack(content)
    assert tree(place.out) == files
    assert [path.name for path in place.out.parent.iterdir()] == ["gtea"]


def test_one_process_at_a_time_unpacks(place: Place, content: bytes) -> None:
    path = place.save(content)
    hidden = place.out.with_name(".gtea.unpacking")
    hidden.mkdir()
    with FileLock(hidden / ".lock"), pytest.raises(DataError, match="another keyseg is unpacking to"):
        unpack(path, "gtea", place.out, place.progress)
    unpack(path, "gtea", place.out, place.progress)
    assert (place.out / "mapping.txt").is_file()


def test_a_folder_that_is_filled_meanwhile_is_kept(place: Place, content: bytes) -> None:
    def fill(stage: str, *_: int) -> None:
        place.out.mkdir(exist_ok=True)
        (place.out / "mine.txt").write_text("mine")

    path = place.save(content)
    with pytest.raises(OSError, match="not empty"):
        unpack(path, "gtea", place.out, fill)
    assert tree(place.out.parent) == {"gtea/mine.txt": b"mine"}


# Space and places


def test_disks_are_checked_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    check_space({tmp_path / "a": 4, tmp_path / "b" / "c": 6})
    with pytest.raises(DataError, match=r"4 bytes in .*a and 7 bytes in .*c, with 10 bytes free"):
        check_space({tmp_path / "a": 4, tmp_path / "b" / "c": 7})


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (4 * 10**6, "4.0 MB"), (3e10, "30.0 GB")]
)
def test_sizes_in_words(size: int, text: str) -> None:
    assert size_text(size) == text


def test_places_where_a_data_set_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="current folder or a mount point; name a new folder below it"):
        check_target(Path())
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path).name == "disk")
    with pytest.raises(ConfigError, match="mount point"):
        check_target(tmp_path / "disk")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="file is not a writable folder"):
        check_target(tmp_path / "file" / "gtea")
    assert check_target(Path("gtea")) == tmp_path / "gtea"
