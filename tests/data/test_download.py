"""Downloads from a local server: complete, interrupted and resumed, changed, wrong, refused."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock

from keyseg.data import download as download_module
from keyseg.data.archive import size_text
from keyseg.data.download import download_dataset, fetch, kept_bytes
from keyseg.data.record import RemoteArchive, read_record
from keyseg.timeline import ConfigError, DataError, OutputExistsError

DAY = "Thu, 23 Feb 2023 14:47:38 GMT"


class Release(ThreadingHTTPServer):
    """Serves /record and /data.zip, and can be made to misbehave; `log` has what was requested and what was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.log: list[SimpleNamespace] = []
        self.zip = b""
        self.record: Any = None  # instead of a correct one
        self.marks = {"ETag": '"one"'}
        self.ranges = self.if_range = self.length = True
        self.break_after: int | None = None  # bytes of the next response, once
        self.status: tuple[int, dict[str, str]] | None = None  # of /data.zip
        self.override: dict[str, str] = {}  # headers of a partial response

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no error."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def put(self, content: bytes, mark: str = '"one"') -> RemoteArchive:
        """Publish this archive, and read its record."""
        self.zip, self.marks = content, {"ETag": mark}
        return read_record(f"{self.address}/record")

    def correct_record(self, **changes: Any) -> dict[str, Any]:
        checksum = f"md5:{hashlib.md5(self.zip).hexdigest()}"
        file = {"key": "data.zip", "size": len(self.zip), "checksum": checksum}
        return {"id": 1, "files": [file | {"links": {"self": f"{self.address}/data.zip"}} | changes]}

    def asked(self) -> list[SimpleNamespace]:
        """Requests for the archive."""
        return [entry for entry in self.log if entry.path == "/data.zip"]


class Handler(BaseHTTPRequestHandler):
    server: Release

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        asked = SimpleNamespace(path=self.path, range=self.headers["Range"], mark=self.headers["If-Range"], sent=0)
        self.server.log.append(asked)
        if self.path == "/record":
            record = self.server.correct_record() if self.server.record is None else self.server.record
            body = record if isinstance(record, bytes) else json.dumps(record).encode()
            self.answer(200, {}, body, asked)
        elif self.path == "/data.zip" and self.server.status is None:
            self.archive(asked)
        else:
            self.answer(*(self.server.status or (404, {})), b"no", asked)

    def archive(self, asked: SimpleNamespace) -> None:
        server, body = self.server, self.server.zip
        current = not asked.mark or not server.if_range or asked.mark in server.marks.values()
        if not (asked.range and server.ranges and current):
            self.answer(200, server.marks, body, asked)
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", asked.range)[1])
        span = f"bytes {start}-{len(body) - 1}/{len(body)}"
        self.answer(206, server.marks | {"Content-Range": span} | server.override, body[start:], asked)

    def answer(self, code: int, headers: dict[str, str], body: bytes, asked: SimpleNamespace) -> None:
        self.send_response(code)
        for key, value in headers.items():
            self.send_header(key, value)
        if self.server.length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path == "/data.zip" and self.server.break_after is not None:
            body, self.server.break_after = body[: self.server.break_after], None
        asked.sent = len(body)  # before the client can have received it all
        self.wfile.write(body)


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> Iterator[Release]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download_module, "CHUNK", 512)
    server = Release()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Place(SimpleNamespace):
    """Folders of a test, `cache` and `out`, and the reported stages."""

    def get(self, remote: RemoteArchive, name: str = "gtea") -> Path:
        return download_dataset(remote, name, self.out, cache=self.cache, progress=self.progress)

    def progress(self, stage: str, done: int, total: int) -> None:
        assert 0 <= done <= total
        self.calls.append((stage, done, total))

    def stages(self) -> list[str]:
        return list(dict.fromkeys(stage for stage, _, _ in self.calls))

    def cached(self) -> set[str]:
        return {path.name for path in (self.cache / "downloads").glob("*")} - {".lock"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "sets").mkdir()
    return Place(cache=tmp_path / "cache", out=tmp_path / "sets" / "gtea", calls=[])


def zipped(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
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
    """An archive like that of the release: three data sets below data/, here with the same files."""
    return zipped({k: v for name in ("50salads", "breakfast", "gtea") for k, v in under(f"data/{name}", files).items()})


@pytest.fixture
def interrupted(release: Release, place: Place, content: bytes) -> SimpleNamespace:
    """A download that was interrupted: its archive, and how many bytes of it were saved."""
    remote = release.put(content)
    release.break_after = 3000
    with pytest.raises(DataError, match=r"data.zip: .*broke.* of .* are saved; run the same command to resume"):
        fetch(remote, place.cache, place.progress)
    kept = kept_bytes(remote, place.cache)
    assert 0 < kept <= 3000 < len(content)
    assert (place.cache / "downloads" / "data.zip.partial").read_bytes() == content[:kept]
    assert place.cached() == {"data.zip.partial", "data.zip.partial.json"}
    release.log.clear()
    return SimpleNamespace(remote=remote, kept=kept)


# Complete downloads


@pytest.mark.parametrize("prefix", ["data/", ""])
@pytest.mark.parametrize("ranges", [True, False])
def test_a_complete_download(
    prefix: str, ranges: bool, release: Release, place: Place, files: dict[str, bytes]
) -> None:
    release.ranges = ranges
    content = zipped(under(f"{prefix}gtea", files) | {f"{prefix}breakfast/mapping.txt": b"0 SIL\n"})
    path = place.get(release.put(content))
    assert path == place.cache / "downloads" / "data.zip"
    assert path.read_bytes() == content
    assert tree(place.out) == files
    assert [entry.name for entry in place.out.parent.iterdir()] == ["gtea"]
    assert place.cached() == {"data.zip"}
    assert place.stages() == ["downloading", "checking", "unpacking"]
    assert place.calls[-1] == ("unpacking", sum(map(len, files.values())), sum(map(len, files.values())))
    assert ("downloading", len(content), len(content)) in place.calls


def test_an_archive_in_the_cache_is_not_downloaded_again(release: Release, place: Place, content: bytes) -> None:
    remote = release.put(content)
    place.get(remote)
    release.log.clear()
    place.out, place.calls = place.out.with_name("breakfast"), []
    place.get(remote, "breakfast")
    assert tree(place.out) == tree(place.out.with_name("gtea"))
    assert release.log == []
    assert place.stages() == ["checking", "unpacking"]


@pytest.mark.parametrize("damage", [lambda data: data[:-1] + bytes([data[-1] ^ 1]), lambda data: data[:50]])
def test_a_damaged_archive_in_the_cache_is_downloaded_again(
    damage: Any, release: Release, place: Place, content: bytes
) -> None:
    remote = release.put(content)
    path = fetch(remote, place.cache, place.progress)
    path.write_bytes(damage(content))
    assert fetch(remote, place.cache, place.progress).read_bytes() == content
    assert [asked.range for asked in release.asked()] == [None, None]


def test_an_empty_folder_is_a_place_to_unpack_to(release: Release, place: Place, content: bytes) -> None:
    place.out.mkdir()
    place.get(release.put(content))
    assert (place.out / "mapping.txt").is_file()


def test_folders_above_are_made(release: Release, place: Place, content: bytes) -> None:
    place.out = place.out / "a" / "b"
    place.get(release.put(content))
    assert (place.out / "mapping.txt").is_file()


# Interrupted and resumed


def test_an_interrupted_download_resumes_where_it_stopped(
    interrupted: SimpleNamespace, release: Release, place: Place, content: bytes
) -> None:
    place.calls.clear()
    assert fetch(interrupted.remote, place.cache, place.progress).read_bytes() == content
    (asked,) = release.asked()
    assert (asked.range, asked.mark) == (f"bytes={interrupted.kept}-", '"one"')
    assert asked.sent == len(content) - interrupted.kept
    assert place.cached() == {"data.zip"}
    assert place.calls[0][1] > interrupted.kept  # progress counts what was there


def test_it_may_break_again_and_again(
    interrupted: SimpleNamespace, release: Release, place: Place, content: bytes
) -> None:
    for _ in range(3):
        release.break_after = 600
        with pytest.raises(DataError, match="run the same command to resume"):
            fetch(interrupted.remote, place.cache, place.progress)
    assert fetch(interrupted.remote, place.cache, place.progress).read_bytes() == content
    starts = [int(asked.range[6:-1]) for asked in release.asked()]
    assert starts == sorted(set(starts))
    assert starts[0] == interrupted.kept


def test_a_connection_that_ends_early_without_a_length_is_a_broken_one(
    release: Release, place: Place, content: bytes
) -> None:
    release.length, release.break_after = False, 3000
    remote = release.put(content)
    with pytest.raises(DataError, match=r"the connection broke; 3.0 kB of .* are saved"):
        fetch(remote, place.cache, place.progress)
    assert fetch(remote, place.cache, place.progress).read_bytes() == content
    assert release.asked()[-1].sent == len(content) - 3000


def test_a_server_without_partial_responses_starts_over(
    interrupted: SimpleNamespace, release: Release, place: Place, content: bytes
) -> None:
    release.ranges = False
    assert fetch(interrupted.remote, place.cache, place.progress).read_bytes() == content
    assert [asked.sent for asked in release.asked()] == [len(content)]


@pytest.mark.parametrize("if_range", [True, False])
def test_a_file_that_changed_meanwhile_starts_over(
    if_range: bool, interrupted: SimpleNamespace, release: Release, place: Place, content: bytes
) -> None:
    release.if_range, release.marks = if_range, {"ETag": '"two"'}
    assert fetch(interrupted.remote, place.cache, place.progress).read_bytes() == content
    whole = release.asked()[-1]
    assert whole.sent == len(content)
    assert len(release.asked()) == (1 if if_range else 2)  # without If-Range: detected by the mark, requested again
    assert whole.range is None or if_range


def test_a_record_that_changed_meanwhile_starts_over(
    interrupted: SimpleNamespace, release: Release, place: Place, files: dict[str, bytes]
) -> None:
    new = zipped(under("data/gtea", files))
    remote = release.put(new, '"two"')
    assert kept_bytes(remote, place.cache) == 0
    assert fetch(remote, place.cache, place.progress).read_bytes() == new
    assert [asked.range for asked in release.asked()] == [None]
    assert place.cached() == {"data.zip"}


@pytest.mark.parametrize(
    ("marks", "sent"),
    [
        ({"ETag": 'W/"weak"', "Last-Modified": DAY}, DAY),
        ({"Last-Modified": DAY}, DAY),
        ({"ETag": 'W/"weak"'}, None),
        ({}, None),
    ],
)
def test_the_mark_of_a_version_is_a_strong_etag_or_else_the_date(
    marks: dict[str, str], sent: str | None, release: Release, place: Place, content: bytes
) -> None:
    remote = release.put(content)
    release.marks, release.break_after = marks, 3000
    with pytest.raises(DataError, match="run the same command to resume"):
        fetch(remote, place.cache, place.progress)
    assert fetch(remote, place.cache, place.progress).read_bytes() == content
    assert release.asked()[-1].mark == sent
    assert release.asked()[-1].range is not None


@pytest.mark.parametrize("span", ["bytes 0-10/999999", "bytes 5-/7", "nonsense", ""])
def test_another_part_than_requested_is_not_appended(
    span: str, interrupted: SimpleNamespace, release: Release, place: Place, content: bytes
) -> None:
    release.override = {"Content-Range": span}
    assert fetch(interrupted.remote, place.cache, place.progress).read_bytes() == content
    assert [bool(asked.range) for asked in release.asked()] == [True, False]


@pytest.mark.parametrize("state", ["", "[]", "{}", "null", '{"checksum": 1, "size": 2, "mark": 3}'])
def test_a_part_of_unknown_origin_is_not_resumed(
    state: str, interrupted: SimpleNamespace, release: Release, place: Place, content: bytes
) -> None:
    (place.cache / "downloads" / "data.zip.partial.json").write_text(state)
    assert fetch(interrupted.remote, place.cache, place.progress).read_bytes() == content
    assert [asked.range for asked in release.asked()] == [None]


def test_after_an_interrupted_check_nothing_is_downloaded_again(release: Release, place: Place, content: bytes) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if stage == "checking":
            raise KeyboardInterrupt

    remote = release.put(content)
    with pytest.raises(KeyboardInterrupt):
        fetch(remote, place.cache, stop)
    assert kept_bytes(remote, place.cache) == len(content)
    assert place.cached() == {"data.zip.partial", "data.zip.partial.json"}
    release.log.clear()
    assert fetch(remote, place.cache, place.progress).read_bytes() == content
    assert release.log == []
    assert place.cached() == {"data.zip"}


def test_one_process_at_a_time_downloads(release: Release, place: Place, content: bytes) -> None:
    remote = release.put(content)
    (place.cache / "downloads").mkdir(parents=True)
    with FileLock(place.cache / "downloads" / ".lock"), pytest.raises(DataError, match="another keyseg is downloading"):
        fetch(remote, place.cache, place.progress)
    fetch(remote, place.cache, place.progress)


# Servers that misbehave


def test_a_wrong_hash_removes_the_download(release: Release, place: Place, content: bytes) -> None:
    remote = release.put(content)
    release.zip = content[:-9] + bytes(9)
    with pytest.raises(
        DataError, match=r"data.zip: the download does not have the hash md5:\w+ of the record, and was removed"
    ):
        fetch(remote, place.cache, place.progress)
    assert place.cached() == set()
    release.zip = content
    assert fetch(remote, place.cache, place.progress).read_bytes() == content
    assert [asked.range for asked in release.asked()] == [None, None]


def test_another_size_than_the_records_is_not_downloaded(
    interrupted: SimpleNamespace, release: Release, place: Place, content: bytes
) -> None:
    release.zip, release.marks = content + b"more", {"ETag": '"two"'}
    message = rf"the record says {len(content)} bytes, the server would send {len(content) + 4}; .*; .* are saved"
    with pytest.raises(DataError, match=message):
        fetch(interrupted.remote, place.cache, place.progress)
    assert kept_bytes(interrupted.remote, place.cache) == interrupted.kept


def test_no_more_is_written_than_the_record_says(release: Release, place: Place, content: bytes) -> None:
    remote = release.put(content)
    release.length, release.zip = False, content + bytes(100_000)
    with pytest.raises(DataError, match=r"sends more than the \d+ bytes"):
        fetch(remote, place.cache, place.progress)
    assert place.cached() == set()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ((404, {}), "the server answers 404 Not Found; "),
        ((429, {"Retry-After": "60"}), "429 Too Many Requests, retry after 60 s; "),
        ((503, {}), "503"),
    ],
)
def test_a_refusal_keeps_what_was_downloaded(
    status: Any, words: str, interrupted: SimpleNamespace, release: Release, place: Place, content: bytes
) -> None:
    release.status = status
    with pytest.raises(DataError, match=rf"{words}.* are saved; run the same command to resume"):
        fetch(interrupted.remote, place.cache, place.progress)
    with pytest.raises(DataError, match=rf"{words}.*nothing was downloaded"):
        fetch(interrupted.remote, place.cache / "other", place.progress)
    release.status = None
    assert fetch(interrupted.remote, place.cache, place.progress).read_bytes() == content


def test_a_server_that_is_gone(interrupted: SimpleNamespace, place: Place) -> None:
    gone = RemoteArchive(
        "data.zip", interrupted.remote.size, interrupted.remote.checksum, "http://127.0.0.1:9/data.zip"
    )
    with pytest.raises(DataError, match=r"no connection, or it broke; .* are saved; run the same command to resume"):
        fetch(gone, place.cache, place.progress)


# Records


def test_records_of_different_servers(release: Release, content: bytes) -> None:
    remote = release.put(content)
    md5 = hashlib.md5(content).hexdigest()
    assert remote == RemoteArchive("data.zip", len(content), f"md5:{md5}", f"{release.address}/data.zip")
    release.record = release.correct_record(links={"self": "https://x.org/about", "content": "https://x.org/zip"})
    release.record["files"].insert(0, {"key": "README.md", "size": 3})
    assert read_record(f"{release.address}/record").url == "https://x.org/zip"
    release.record = release.correct_record(checksum=f"SHA256:{'A' * 64}")
    assert read_record(f"{release.address}/record").checksum == f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (b"<html>no record</html>", r"not a record with files\[\].key, .*JSONDecodeError.*expected one such as https:"),
        (b"", "not a record"),
        (b"\xff\xfe\x00", "not a record"),
        (b" " * 5_000_000, "not a record"),
        ([], "not a record"),
        ({}, "KeyError: 'files'"),
        ({"files": {"entries": {}}}, "not a record"),
        ({"files": [{"key": "data.zip", "size": 3}]}, "KeyError: 'links'"),
        ({"files": []}, r"expected one .zip file in the record, got 0 \(\)"),
        ({"files": [{"key": "a.tar"}, {"key": "b.txt"}]}, r"got 0 \(a.tar, b.txt\)"),
        ({"files": [{"key": "a.zip"}, {"key": "b.ZIP"}]}, r"got 2 \(a.zip, b.ZIP\)"),
    ],
)
def test_broken_records(record: Any, words: str, release: Release) -> None:
    release.record = record
    with pytest.raises(DataError, match=rf"/record: .*{words}"):
        read_record(f"{release.address}/record")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("key", "../../data.zip"),
        ("key", "/data.zip"),
        ("key", "a\\data.zip"),
        ("key", ".zip"),
        ("size", "12"),
        ("size", 0),
        ("size", None),
        ("checksum", "abc"),
        ("checksum", "md5:abc"),
        ("checksum", f"md5:{'g' * 32}"),
        ("checksum", f"shake_128:{'a' * 32}"),
        ("checksum", None),
        ("links.self", "file:///etc/passwd"),
        ("links.self", 7),
    ],
)
def test_impossible_records(field: str, value: Any, release: Release) -> None:
    change = {"links": {"self": value}} if field == "links.self" else {field: value}
    release.record = release.correct_record(**change) if field != "size" else release.correct_record(size=value)
    if field != "size":
        release.record["files"][0]["size"] = 5
    with pytest.raises(DataError, match=rf"/record: the record's {field} of its archive cannot be right"):
        read_record(f"{release.address}/record")


def test_records_that_cannot_be_read(release: Release) -> None:
    with pytest.raises(
        DataError, match="/nowhere: the server answers 404 Not Found; try again, or name a record such as https:"
    ):
        read_record(f"{release.address}/nowhere")
    with pytest.raises(DataError, match="/record: no connection, or it broke; try again, or name a record"):
        read_record("http://127.0.0.1:9/record")
    for address in ("ftp://x.org/record", "3625992", "/tmp/record.json", ""):
        with pytest.raises(ConfigError, match="a record is an address such as https://"):
            read_record(address)
    with pytest.raises(DataError, match=r"InvalidURL: .*; try again, or name a record"):
        read_record("http://[/")


# Space, targets, libraries


def test_space_is_checked_before_the_download(
    release: Release, place: Place, content: bytes, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = release.put(content)
    unpacked = sum(map(len, files.values()))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=len(content) + unpacked - 1))
    words = rf"not enough space: {size_text(len(content))} in .*cache and {size_text(unpacked)} in .*gtea, with"
    with pytest.raises(DataError, match=words):
        place.get(remote)
    assert place.calls == []
    assert not place.cache.exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=len(content) + unpacked))
    place.get(remote)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=unpacked - 1))  # the archive is there
    place.out = place.out.with_name("again")
    with pytest.raises(DataError, match="not enough space"):
        place.get(remote)


def test_what_was_downloaded_needs_no_space(
    interrupted: SimpleNamespace, release: Release, place: Place, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    release.ranges = False  # so the unpacked size is unknown
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=len(content) - interrupted.kept - 1))
    with pytest.raises(DataError, match=f"not enough space: {size_text(len(content) - interrupted.kept)} in"):
        place.get(interrupted.remote)
    assert place.cached() == {"data.zip.partial", "data.zip.partial.json"}


def test_nothing_is_overwritten(release: Release, place: Place, content: bytes, tmp_path: Path) -> None:
    place.out.mkdir()
    (place.out / "mine.txt").write_text("mine")
    remote = release.put(content)
    for target in (place.out, place.out / "mine.txt"):
        with pytest.raises(OutputExistsError, match="is not an empty folder: a data set is unpacked only into"):
            download_dataset(remote, "gtea", target, cache=place.cache)
    assert release.asked() == []
    assert tree(place.out) == {"mine.txt": b"mine"}


def test_an_unknown_data_set(release: Release, place: Place, content: bytes) -> None:
    with pytest.raises(ConfigError, match=r"has gtea, 50salads, breakfast; got 'gteaa' \(did you mean 'gtea'\?\)"):
        place.get(release.put(content), "gteaa")


def test_without_requests_the_error_says_how_to_install_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "requests", None)
    remote = RemoteArchive("data.zip", 1, "md5:" + "0" * 32, "http://127.0.0.1:9/data.zip")
    for call in (lambda: read_record("https://x.org"), lambda: fetch(remote, place.cache, place.progress)):
        with pytest.raises(
            ConfigError, match=r"downloading needs requests, .*; run: pip install \"keyseg\[download\]\""
        ):
            call()


def test_requests_is_loaded_when_it_is_used() -> None:
    code = "import sys, keyseg.data.download; print(sorted({'requests', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# Archives that are refused


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            zipped({"data/breakfast/mapping.txt": b"0 SIL\n", "README": b""}),
            "no data set 'gtea' in it; it holds README",
        ),
        (b"a web page" * 1000, "not a readable zip archive"),
        (zipped({"data/gtea/mapping.txt": b"0 a\n", "../evil": b""}), "'../evil' leads out of the folder"),
        (zipped({"data/gtea/a.npy": bytes(5_000_000)}), "data/gtea would grow to 5.0 MB"),
        (zipped({"data/gtea/mapping.txt": b"0 a\n"}), "not a complete data set, data/gtea/splits: no splits"),
    ],
)
def test_archives_that_are_refused(
    content: bytes, words: str, ranges: bool, release: Release, place: Place, tmp_path: Path
) -> None:
    release.ranges = ranges
    with pytest.raises(DataError, match=f"data.zip: {words}"):
        place.get(release.put(content))
    assert list(place.out.parent.iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} <= {"sets", "cache"}
    if ranges and "complete" not in words:  # detected from the archive's end, before it is downloaded
        assert place.calls == []
        assert not place.cache.exists()


def test_the_end_of_an_archive_is_read_as_if_all_of_it_were_there(
    release: Release, place: Place, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = release.put(content)
    for tail in (3000, 200):  # the zip directory is longer than that, which is no error
        monkeypatch.setattr(download_module, "_TAIL", tail)
        place.out = place.out.with_name(f"tail{tail}")
        shutil.rmtree(place.cache, ignore_errors=True)
        place.get(remote)
        assert (place.out / "mapping.txt").is_file()
    requests = [asked for asked in release.asked() if asked.range]
    assert [asked.sent for asked in requests] == [3000, 200]
