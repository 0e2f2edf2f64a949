"""keyseg data get: terms first, --accept, then the data set; exit codes and what is printed."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import pytest
from cyclopts import App, Parameter

from keyseg.cli.data import ByteProgress, data_verb
from keyseg.cli.main import run
from keyseg.data.download import RELEASED
from keyseg.data.known_datasets import DATASETS
from keyseg.data.record import RECORD
from keyseg.timeline import ConfigError, DataError, OutputExistsError


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Ignore clients that close the connection early."""


@pytest.fixture(scope="module")
def release(kitchen: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A server with a record and an archive, in which a toy kitchen takes the place of each data set."""
    folder, inside = tmp_path_factory.mktemp("served"), tmp_path_factory.mktemp("archive")
    for name in RELEASED:
        shutil.copytree(kitchen, inside / "data" / name)
    archive = Path(shutil.make_archive(str(folder / "data"), "zip", inside))
    handler = functools.partial(Silent, directory=str(folder))
    with Server(("127.0.0.1", 0), handler) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        content = archive.read_bytes()
        file = {
            "key": "data.zip",
            "size": len(content),
            "checksum": f"md5:{hashlib.md5(content).hexdigest()}",
            "links": {"self": f"{address}/data.zip"},
        }
        (folder / "record.json").write_text(json.dumps({"files": [file]}))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield SimpleNamespace(record=f"{address}/record.json", archive=archive, size=len(content))
        server.shutdown()
        thread.join()


@pytest.fixture
def get(release: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """`data_verb` with the record and a cache for this test."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):  # they would make rich take a file for a terminal
        monkeypatch.delenv(name, raising=False)
    return functools.partial(data_verb, "get", record=release.record, cache=tmp_path / "cache")


def test_terms_come_first_and_nothing_is_downloaded_without_accept(
    get: Any, release: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(
        ConfigError, match=r"nothing was downloaded; read the terms, and add --accept to agree"
    ) as caught:
        get("gtea", out=tmp_path / "gtea")
    assert caught.value.exit_code == 2
    printed = capsys.readouterr().out
    facts = DATASETS["gtea"]
    for words in (facts.title, facts.homepage, facts.terms, facts.citation, "MS-TCN", "for research", "ships none"):
        assert words in printed
    size = f"{release.size / 1000:.1f} kB"
    assert f"data.zip: {size} from {release.record.replace('record.json', 'data.zip')}\n" in printed
    assert f"kept in {tmp_path / 'cache' / 'downloads' / 'data.zip'}; gtea goes to {tmp_path / 'gtea'}\n" in printed
    assert size in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", RELEASED)
def test_with_accept_the_data_set_is_there(
    name: str, get: Any, kitchen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sets" / name
    assert get(name, out=out, accept=True) == 0
    captured = capsys.readouterr()
    assert DATASETS[name].terms in captured.out
    assert f"{out}: done\n" in captured.out
    assert f"{tmp_path / 'cache' / 'downloads' / 'data.zip'} (" in captured.out
    command = captured.out.splitlines()[-1].removeprefix("  next: keyseg ").split()
    assert command[:2] == ["check", str(out)]
    assert command[2:] == (["--sample-rate", "2"] if name == "50salads" else [])
    assert (out / "mapping.txt").read_bytes() == (kitchen / "mapping.txt").read_bytes()
    assert run(["check", str(out)]) == 0
    lines = captured.err.splitlines()
    assert [line.split(":")[0] for line in lines if "%" not in line] == ["downloading", "checking", "unpacking"]
    assert any("100 %" in line and "/s, 0 s left" in line for line in lines)
    assert len(lines) <= 3 + 2 * 20


def test_what_is_already_downloaded_is_reported(
    get: Any, release: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    get("gtea", out=tmp_path / "gtea", accept=True)
    capsys.readouterr()
    with pytest.raises(ConfigError, match="add --accept"):
        get("breakfast", out=tmp_path / "breakfast")
    assert (
        f"data.zip, {release.size / 1000:.1f} kB of it already downloaded; breakfast goes to" in capsys.readouterr().out
    )
    get("breakfast", out=tmp_path / "breakfast", accept=True)
    assert "downloading" not in capsys.readouterr().err


def test_errors_come_before_anything_is_downloaded(
    get: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(OutputExistsError, match="not an empty folder") as caught:
        get("gtea", out=Path(__file__).parent, accept=True)
    assert caught.value.exit_code == 2
    with pytest.raises(DataError, match="404") as missing:
        get("gtea", out=tmp_path / "gtea", record=f"{get.keywords['record']}.old", accept=True)
    assert missing.value.exit_code == 1
    monkeypatch.setitem(sys.modules, "requests", None)
    with pytest.raises(ConfigError, match=r"pip install \"keyseg\[download\]\""):
        get("gtea", out=tmp_path / "gtea", accept=True)
    with pytest.raises(ConfigError, match=r"pip install \"keyseg\[download\]\""):
        data_verb("get", "gtea", out=tmp_path / "gtea", accept=True)
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out.count(DATASETS["gtea"].terms) == 4  # the terms are always shown


def test_the_default_cache_is_that_of_the_system(
    release: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda project: tmp_path / "caches" / project)
    with pytest.raises(ConfigError, match="add --accept"):
        data_verb("get", "gtea", out=tmp_path / "gtea", record=release.record)
    assert f"kept in {tmp_path / 'caches' / 'keyseg' / 'downloads' / 'data.zip'};" in capsys.readouterr().out


def test_the_defaults_are_those_of_the_library() -> None:
    assert inspect.signature(data_verb).parameters["record"].default == RECORD
    assert get_args(get_type_hints(data_verb)["name"]) == RELEASED


def parsed(*words: str) -> dict[str, Any]:
    """The arguments that the command line parses from the words after `keyseg`."""
    app = App(default_parameter=Parameter(negative=()))
    app.command(data_verb, name="data")
    _, bound, _ = app.parse_args(list(words), exit_on_error=False, print_error=False)
    bound.apply_defaults()
    return dict(bound.arguments)


def test_words_of_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KEYSEG_DATA_RECORD", raising=False)
    found = parsed("data", "get", "50salads", "--out", "x")
    assert found == {
        "action": "get",
        "name": "50salads",
        "out": Path("x"),
        "record": RECORD,
        "cache": None,
        "accept": False,
    }
    monkeypatch.setenv("KEYSEG_DATA_RECORD", "https://mirror.org/record")
    assert parsed("data", "get", "gtea", "--out", "x", "--accept")["record"] == "https://mirror.org/record"
    assert parsed("data", "get", "gtea", "--out", "x", "--record", "https://a.org")["record"] == "https://a.org"
    for wrong in (("data", "put", "gtea", "--out", "x"), ("data", "get", "toy", "--out", "x"), ("data", "get", "gtea")):
        with pytest.raises(Exception, match=r"put|toy|--out"):
            parsed(*wrong)


def test_progress_on_a_terminal_is_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    with ByteProgress() as progress:
        for stage in ("downloading", "checking", "unpacking"):
            progress(stage, 0, 1000)
            if stage != "checking":
                progress(stage, 400, 1000)
                progress(stage, 1000, 1000)
    err = capsys.readouterr().err
    assert "downloading" in err
    assert "1.0/1.0 kB" in err
    assert "left" not in err


def test_progress_counts_speed_from_where_it_resumed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([100.0, 110.0, 130.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    with ByteProgress() as progress:
        progress("downloading", 5 * 10**9, 30 * 10**9)
        progress("downloading", 5 * 10**9 + 1, 30 * 10**9)
        progress("downloading", 6 * 10**9, 30 * 10**9)
        progress("downloading", 9 * 10**9, 30 * 10**9)
    assert capsys.readouterr().err.splitlines() == [
        "downloading: 30.0 GB",
        "downloading: 6.0 GB, 20 %, 100.0 MB/s, 4 min left",
        "downloading: 9.0 GB, 30 %, 133.3 MB/s, 3 min left",
    ]
