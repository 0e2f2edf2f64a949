"""One data set of an archive, by ranges from a local server: few bytes, resumed, checked, whole or not at all."""

from __future__ import annotations

import io
import re
import shutil
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from keyseg.data.archive import fetch_dataset, size_text
from keyseg.data.dataset import Dataset
from keyseg.timeline import ConfigError, DataError, OutputExistsError

pytest.importorskip("remotezip")

Files = dict[str, bytes]


class Server(ThreadingHTTPServer):
    """Serves one archive in the parts that are asked for, and can be made to misbehave."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = b""
        self.ranges = True
        self.answers: list[tuple[int, dict[str, str]]] = []  # statuses of the next requests
        self.break_from: int | None = None  # byte of the archive from which nothing is sent
        self.sent: list[tuple[int, int]] = []  # ranges, start and end

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no error."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/data.zip"

    def bytes_sent(self) -> int:
        return sum(end - start for start, end in self.sent)


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.server.answers:
            status, headers = self.server.answers.pop(0)
            self.answer(status, headers, b"")
            return
        content, size = self.server.content, len(self.server.content)
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers["Range"] or "")
        if asked is None or not self.server.ranges:
            self.answer(200, {}, content)
            return
        first, last = asked[1], asked[2]
        start = int(first) if first else max(0, size - int(last))
        end = min(int(last) + 1, size) if first and last else size
        sent = content[start:end]
        if self.server.break_from is not None:
            sent = content[start : max(start, min(end, self.server.break_from))]
        self.server.sent.append((start, start + len(sent)))
        self.answer(206, {"Content-Range": f"bytes {start}-{end - 1}/{size}"}, sent, end - start)

    def answer(self, status: int, headers: dict[str, str], body: bytes, length: int | None = None) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = length not in (None, len(body))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("urllib3.Retry.get_backoff_time", lambda _: 0)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def zipped(files: Files, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def tree(root: Path) -> Files:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def under(root: str, files: Files) -> Files:
    return {f"{root}/{path}": data for path, data in files.items()}


@pytest.fixture
def files(disk_set: Any) -> Files:
    """A small sound data set: path -> content."""
    return tree(disk_set.root)


@pytest.fixture
def release(files: Files) -> bytes:
    """An archive like the release: three data sets below data/, of which two are large and cannot be compressed."""
    noise = np.random.default_rng(5)
    large = {name: noise.bytes(400_000) for name in ("features/P1.npy", "features/P2.npy")}
    sets = {"50salads": files | large, "gtea": files, "breakfast": files | large}
    return zipped({k: v for name, content in sets.items() for k, v in under(f"data/{name}", content).items()})


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "sets" / "gtea"


# What is fetched


def test_only_the_data_set_is_fetched(server: Server, release: bytes, files: Files, out: Path) -> None:
    server.content = release
    calls: list[tuple[int, int]] = []
    fetch_dataset(server.address, "gtea", out, progress=lambda *call: calls.append(call))
    assert tree(out) == files
    assert [path.name for path in out.parent.iterdir()] == ["gtea"]
    assert Dataset.open(out).splits == (1,)
    size = sum(map(len, files.values()))
    assert calls[0] == (0, size)
    assert calls[-1] == (size, size)
    assert len(calls) == 1 + len(files)
    assert len(release) > 1_600_000
    directory = 64 * 1024  # the first request, for the end of the archive
    entries = sum(len(name) + len(data) + 200 for name, data in files.items())
    assert server.bytes_sent() <= directory + entries < 75_000
    assert len(server.sent) == 1 + len(files)


def test_a_directory_longer_than_the_first_request(server: Server, files: Files, out: Path) -> None:
    many = {f"data/breakfast/groundTruth/a_rather_long_name_of_a_video_{i:05}.txt": b"" for i in range(1000)}
    server.content = zipped(many | under("data/gtea", files))
    fetch_dataset(server.address, "gtea", out)
    assert tree(out) == files


@pytest.mark.parametrize("root", ["gtea", "release/v1/gtea"])
def test_the_folder_may_be_anywhere(root: str, server: Server, files: Files, out: Path) -> None:
    server.content = zipped(under(root, files) | under("other", files), zipfile.ZIP_STORED)
    fetch_dataset(server.address, "gtea", out)
    assert tree(out) == files


def test_a_local_archive(release: bytes, files: Files, out: Path, tmp_path: Path) -> None:
    (tmp_path / "data.zip").write_bytes(release)
    fetch_dataset(str(tmp_path / "data.zip"), "gtea", out)
    assert tree(out) == files
    (tmp_path / "data.zip").write_text("a web page" * 100)
    with pytest.raises(DataError, match=r"data\.zip: not a zip archive, or damaged \(File is not a zip file\)"):
        fetch_dataset(str(tmp_path / "data.zip"), "gtea", out.with_name("other"))


def test_an_archive_of_the_format_for_large_files(
    server: Server, files: Files, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(zipfile, "ZIP64_LIMIT", 500)  # bytes after which zipfile writes what it does above 4 GB
        server.content = zipped(under("data/gtea", files))
    assert b"PK\x06\x06" in server.content
    fetch_dataset(server.address, "gtea", out)
    assert tree(out) == files


# Interrupted and resumed


@pytest.mark.parametrize("after", [0, 10, 100, 200])  # bytes of the third file: before, in and after its header
def test_an_interrupted_download_resumes_file_by_file(
    after: int, server: Server, release: bytes, files: Files, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.content = release
    with zipfile.ZipFile(io.BytesIO(release)) as archive:
        third = archive.getinfo(f"data/gtea/{list(files)[2]}").header_offset

    def begun(*_: int) -> None:  # the directory has been read
        server.break_from = third + after

    with pytest.raises(DataError, match=r"data\.zip: .*; complete files are kept, run the same command to resume"):
        fetch_dataset(server.address, "gtea", out, progress=begun)
    assert not out.exists()
    hidden = out.with_name(".gtea.partial")
    assert len(tree(hidden / "gtea")) == 2
    server.break_from = None
    server.sent.clear()
    left = sum(len(data) for data in list(files.values())[2:])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=left))
    calls: list[tuple[int, int]] = []
    fetch_dataset(server.address, "gtea", out, progress=lambda *call: calls.append(call))
    assert tree(out) == files
    assert len(server.sent) == 1 + len(files) - 2
    assert calls[0][0] == sum(len(data) for data in list(files.values())[:2])
    assert [path.name for path in out.parent.iterdir()] == ["gtea"]


def test_a_kept_file_that_is_damaged_is_fetched_again(server: Server, release: bytes, files: Files, out: Path) -> None:
    server.content = release
    names = list(files)

    def stop(done: int, total: int) -> None:
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_dataset(server.address, "gtea", out, progress=stop)
    kept = out.with_name(".gtea.partial") / "gtea"
    assert tree(kept) == files
    assert not out.exists()
    (kept / names[0]).write_bytes(files[names[0]][:-1])
    (kept / names[1]).write_bytes(bytes(len(files[names[1]])))
    server.sent.clear()
    fetch_dataset(server.address, "gtea", out)
    assert tree(out) == files
    assert len(server.sent) == 1 + 2


def test_one_process_at_a_time(server: Server, release: bytes, out: Path) -> None:
    server.content = release
    hidden = out.with_name(".gtea.partial")
    hidden.mkdir(parents=True)
    with FileLock(hidden / ".lock"), pytest.raises(DataError, match="another keyseg is downloading to"):
        fetch_dataset(server.address, "gtea", out)
    fetch_dataset(server.address, "gtea", out)
    assert (out / "mapping.txt").is_file()


# Servers that misbehave


def test_a_server_without_ranges(server: Server, release: bytes, out: Path) -> None:
    server.content, server.ranges = release, False
    with pytest.raises(DataError, match=r"sends only the whole archive; .* curl -L -C - -O http.*--archive"):
        fetch_dataset(server.address, "gtea", out)
    assert not out.parent.exists()


def test_a_server_that_is_busy_is_asked_again(server: Server, release: bytes, files: Files, out: Path) -> None:
    server.content = release
    server.answers = [(429, {"Retry-After": "0"}), (503, {})]
    fetch_dataset(server.address, "gtea", out)
    assert tree(out) == files


@pytest.mark.parametrize(("status", "words"), [(404, "404 Client Error"), (503, "too many 503 error responses")])
def test_a_server_that_refuses(status: int, words: str, server: Server, out: Path) -> None:
    server.answers = [(status, {})] * 20
    with pytest.raises(DataError, match=rf"data\.zip: .*{words}.*run the same command to resume"):
        fetch_dataset(server.address, "gtea", out)
    assert not out.parent.exists()


def test_a_server_that_sends_elsewhere(server: Server, release: bytes, files: Files, out: Path) -> None:
    server.content, elsewhere = release, {"Location": server.address.replace("data", "moved")}
    server.answers = [(302, elsewhere)] * 2
    fetch_dataset(server.address, "gtea", out)
    assert tree(out) == files


def test_no_such_archive_here(out: Path, tmp_path: Path) -> None:
    for place in ("nowhere.zip", str(tmp_path)):
        with pytest.raises(DataError, match=f"^{re.escape(place)}: no such file; expected a zip archive"):
            fetch_dataset(place, "gtea", out)
    assert not out.parent.exists()


def test_no_server(server: Server, out: Path) -> None:
    with pytest.raises(DataError, match=r"127\.0\.0\.1:9/data\.zip: .*refused"):
        fetch_dataset("http://127.0.0.1:9/data.zip", "gtea", out)


# Archives that are refused


def refused(server: Server, content: bytes, out: Path, words: str) -> None:
    server.content = content
    with pytest.raises(DataError, match=words) as caught:
        fetch_dataset(server.address, "gtea", out)
    assert str(caught.value).startswith(server.address)
    assert not out.exists()
    assert not (out.parent.parent / "evil").exists()


def test_archives_without_the_data_set(server: Server, files: Files, out: Path) -> None:
    content = zipped({"data/breakfast/mapping.txt": b"0 SIL\n", "data/a/mapping.txt": b"", "gtea/x": b""})
    refused(server, content, out, "expected one data set 'gtea' in it; it holds a, breakfast")
    refused(server, zipped({"README": b""}), out, "it holds none")
    refused(server, zipped(under("a/gtea", files) | under("b/gtea", files)), out, "it holds gtea, gtea")
    refused(server, zipped(under("data/xgtea", files)), out, "it holds xgtea")
    refused(server, b"a web page" * 1000, out, "not a zip archive, or damaged")
    assert not out.parent.exists()


@pytest.mark.parametrize("name", ["../../../evil", "a/../../../evil", "..\\..\\evil", "C:\\evil", "\\\\host\\evil"])
def test_names_that_lead_out(name: str, server: Server, files: Files, out: Path) -> None:
    content = zipped(under("data/gtea", files | {name: b"evil"}))
    refused(server, content, out, "leads out of the folder of the data set; do not use it")
    assert not out.parent.exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"features/\x1b[2J.npy": b""}, r"holds a control character"),
        ({f"features/{'a' * 300}.npy": b""}, r"is too long for the name of a file"),
        ({"mapping.txt/a": b""}, r"is in a folder that is also a file"),
        ({"features/P9.npy": bytes(20_000_000)}, r"unpack to 20.0 MB; do not use it"),
    ],
)
def test_archives_made_for_harm(more: Files, words: str, server: Server, files: Files, out: Path) -> None:
    small = {name: data for name, data in files.items() if name == "mapping.txt"}
    refused(server, zipped(under("data/gtea", small | more)), out, words)
    assert not out.parent.exists()


def test_damaged_bzip2(out: Path, tmp_path: Path) -> None:
    path, content = tmp_path / "data.zip", io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("data/gtea/mapping.txt", "0 take\n1 pour\n")
    path.write_bytes(content.getvalue().replace(b"1AY&SY", b"2AY&SY"))
    with pytest.raises(DataError, match=r"mapping.txt cannot be unpacked, Invalid data stream"):
        fetch_dataset(str(path), "gtea", out)


def test_two_files_of_one_name(server: Server, files: Files, out: Path) -> None:
    content = zipped(under("data/gtea", files | {"mapping.txx": b"0 other\n"}))
    refused(server, content.replace(b"mapping.txx", b"mapping.txt"), out, "is in it more than once; do not use it")


@pytest.mark.parametrize("seed", range(40))
def test_damage_anywhere_is_a_message(seed: int, release: bytes, out: Path, tmp_path: Path) -> None:
    """In the directory at the end, where nearly all that zipfile believes is."""
    random, damaged, path = np.random.default_rng(seed), bytearray(release), tmp_path / "data.zip"
    start = damaged.index(b"PK\x01\x02")
    for place in random.integers(start, len(damaged), 8):
        damaged[place] = random.integers(256)
    path.write_bytes(damaged[: -random.integers(1, 30)] if seed % 4 == 0 else damaged)
    with suppress(DataError):
        fetch_dataset(str(path), "gtea", out)


def test_links_are_files(server: Server, files: Files, out: Path) -> None:
    """An entry that says it is a link becomes a file that holds where it leads."""
    link = zipfile.ZipInfo("data/gtea/features/evil.npy")
    link.external_attr = 0o120777 << 16
    content = io.BytesIO(zipped(under("data/gtea", files)))
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr(link, "../../../evil")
    server.content = content.getvalue()
    fetch_dataset(server.address, "gtea", out)
    assert not (out / "features" / "evil.npy").is_symlink()
    assert (out / "features" / "evil.npy").read_bytes() == b"../../../evil"


def test_names_that_lead_out_elsewhere_are_not_unpacked(server: Server, files: Files, out: Path) -> None:
    server.content = zipped(under("data/gtea", files) | {"../evil": b"evil", "/etc/evil": b"evil"})
    fetch_dataset(server.address, "gtea", out)
    assert tree(out.parent) == under("gtea", files)


def test_damaged_and_unreadable_entries(server: Server, files: Files, out: Path) -> None:
    stored = zipped(under("data/gtea", files), zipfile.ZIP_STORED)
    refused(server, stored.replace(b"1 cut", b"1 cux"), out, r"mapping.txt cannot be unpacked \(Bad CRC-32")
    encrypted = bytearray(zipped({"gtea/mapping.txt": b"0 a"}))
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
    encrypted[encrypted.index(b"PK\x03\x04") + 6] |= 1
    refused(server, bytes(encrypted), out, r"gtea/mapping.txt cannot be unpacked \(.*encrypted")
    lie = zipped({"gtea/mapping.txt": b"0 a\n" * 1000})
    refused(server, lie.replace((4000).to_bytes(4, "little"), (10).to_bytes(4, "little")), out, "cannot be unpacked")
    server.content = stored  # what was kept of the damaged archives does not count
    fetch_dataset(server.address, "gtea", out)
    assert tree(out) == files


# Space and places


def test_space_is_checked_before(
    server: Server, release: bytes, files: Files, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.content = release
    size = sum(map(len, files.values()))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=size - 1))
    with pytest.raises(DataError, match=f"space, {size_text(size)} are needed and {size_text(size - 1)} free"):
        fetch_dataset(server.address, "gtea", out)
    assert len(server.sent) == 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=size))
    fetch_dataset(server.address, "gtea", out)
    assert tree(out) == files


def test_nothing_is_overwritten(server: Server, out: Path) -> None:
    out.mkdir(parents=True)
    with pytest.raises(OutputExistsError, match="gtea exists; name a new folder for the data set"):
        fetch_dataset(server.address, "gtea", out)
    assert server.sent == []


def test_without_remotezip_the_error_says_how_to_install_it(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "remotezip", None)
    with pytest.raises(ConfigError, match=r"downloading needs remotezip, .*; run: pip install \"keyseg\[download\]\""):
        fetch_dataset("https://x.org/data.zip", "gtea", out)


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (4 * 10**6, "4.0 MB"), (3e10, "30.0 GB")]
)
def test_sizes_in_words(size: int, text: str) -> None:
    assert size_text(size) == text
