"""The command `keyseg studio`: what it refuses, what it prints, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.error import HTTPError

import pytest

from keyseg.cli.main import run
from keyseg.studio.address import FIRST_PORT, listening
from keyseg.studio.store import Store
from keyseg.timeline import ConfigError


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "lab.example"])
def test_other_machines_are_let_in_with_a_token_only(
    host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["studio", str(tmp_path), "--host", host, "--without-browser"]) == 2
    assert "--token" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("token", ["", "short", "x" * 15, "é" * 20, "line\nline\nline\nline"])
def test_a_token_that_is_short_or_cannot_be_sent_is_refused(
    token: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["studio", str(tmp_path), "--token", token, "--without-browser"]) == 2
    assert "--token" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["studio", str(tmp_path / "none"), "--without-browser"]) == 1
    assert "no such folder" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_a_folder_that_another_studio_has_open_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(Store(tmp_path)):
        assert run(["studio", str(tmp_path), "--port", "0", "--without-browser"]) == 1
    assert "another studio" in capsys.readouterr().err


def test_without_the_extra_the_command_that_installs_it_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "python_multipart", None)
    assert run(["studio", str(tmp_path), "--without-browser"]) == 2
    assert 'pip install "keyseg[studio]"' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_port_that_is_taken_is_passed_over_unless_it_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(listening("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run(["studio", str(tmp_path), "--port", str(port), "--without-browser"]) == 2
        assert f"port {port}" in capsys.readouterr().err
    with closing(listening("127.0.0.1", None)) as first, closing(listening("127.0.0.1", None)) as second:
        ports = [one.getsockname()[1] for one in (first, second)]
        assert ports[0] != ports[1]
        assert min(ports) >= FIRST_PORT


def test_answers_do_not_wait_for_the_receipt_of_their_beginning() -> None:
    with (
        closing(listening("127.0.0.1", 0)) as listener,
        closing(socket.create_connection(listener.getsockname())),
        closing(listener.accept()[0]) as connection,
    ):
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize(("host", "port"), [("no.such.host.invalid", 0), ("127.0.0.1", 70000), ("127.0.0.1", -1)])
def test_where_nobody_can_listen_the_reason_is_given(host: str, port: int) -> None:
    with pytest.raises(ConfigError, match="cannot listen"):
        listening(host, port)


@contextmanager
def running(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command, and the address that it prints."""
    command = [sys.executable, "-m", "keyseg", "studio", "--without-browser", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder)
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def status(address: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=30) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_studio_of_the_current_folder_starts_and_ends(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path) as (process, address):
        place, _, token = address.partition("/?token=")
        assert len(token) >= 32
        assert status(f"{place}/health") == 200
        assert status(f"{place}/api/library") == 401
        assert status(f"{place}/api/library", Authorization=f"Bearer {token}") == 200
        with socket.create_connection(("127.0.0.1", int(place.rpartition(":")[2]))) as open_stream:
            request = f"GET /api/events HTTP/1.1\r\nHost: {place[7:]}\r\nAuthorization: Bearer {token}\r\n\r\n"
            open_stream.sendall(request.encode())
            assert b"200" in open_stream.recv(1000)
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
        assert (out, err) == ("", "")
        assert process.returncode == 0
        assert not list((tmp_path / ".keyseg").glob("*-wal"))  # the state was closed
    Store(tmp_path).close()
    with running(tmp_path) as (_, again):
        assert again.partition("/?token=")[2] not in ("", token)


@pytest.mark.slow
def test_a_killed_studio_leaves_a_folder_that_opens(tmp_path: Path) -> None:
    with running(tmp_path, "--port", "0", "--token", "correct-horse-battery") as (process, address):
        assert address.endswith("/?token=correct-horse-battery")
        process.kill()
        process.wait()
    Store(tmp_path).close()


def test_the_page_is_opened_in_the_browser_unless_not_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("keyseg.studio.http_server.StudioServer.run", lambda self, sockets: None)
    for option in ([], ["--without-browser"]):
        assert run(["studio", str(tmp_path), "--port", "0", *option]) == 0
    (address,) = opened
    assert address.startswith("http://127.0.0.1:")
