"""Windows and macOS beside Linux: names of files, modules that are missing there, and text that is equal everywhere."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import keyseg
from as_on_windows.windows_lacks import MODULES, NAMES
from keyseg.cli import demo
from keyseg.cli.main import run
from keyseg.formats.conversion import convert
from keyseg.inference.bundle import save_bundle
from keyseg.inference.folder import predict_files
from keyseg.inference.predictor import Predictor
from keyseg.inference.systems import SYSTEMS
from keyseg.timeline import DataError, LabelMap, TimeBase
from keyseg.timeline.files import check_file_names
from keyseg.video.extraction import origin_of
from keyseg.video.extractors import make_extractor
from keyseg.video.jobs import Work, extract_all

SOURCE = Path(keyseg.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
AS_ON_WINDOWS = Path(__file__).parent / "as_on_windows"
WRONG_NAMES = {
    "": "it is empty",
    " \t": "it is empty",
    ".day1": "starts with a dot is hidden",
    "..": "starts with a dot is hidden",
    "day\n1\n": "it contains a control character",
    "day1\x00": "it contains a control character",
    "2024-05-01 10:30": "Windows allows none of",
    "a/b": "Windows allows none of",
    "a\\b": "Windows allows none of",
    "player #1: rat?": "Windows allows none of",
    "day1.": "Windows drops a dot or a space at the end",
    "day1 ": "Windows drops a dot or a space at the end",
    "con": "Windows reserves it for a device",
    "Aux.left": "Windows reserves it for a device",
    "COM1": "Windows reserves it for a device",
    "lpt².a.b": "Windows reserves it for a device",
    "nul .a": "Windows reserves it for a device",
    "CONOUT$": "Windows reserves it for a device",
}


@pytest.mark.parametrize("name", WRONG_NAMES)
def test_names_that_no_file_may_have_are_refused_with_the_reason(name: str) -> None:
    with pytest.raises(DataError) as refused:
        check_file_names(["day1", name])
    assert f"the video name {name!r} cannot be the name of a file: " in str(refused.value)
    assert WRONG_NAMES[name] in str(refused.value)
    assert "rename the video" in str(refused.value)


@pytest.mark.parametrize(
    "name", ["day1", "day1.1", "conference", "com10", "auxiliary", "a.con", "Tür 3 (b)", "猫", "nul_"]
)
def test_other_names_are_taken(name: str) -> None:
    check_file_names([name])


@pytest.mark.parametrize("names", [("Day1", "day1"), ("Tür", "Tu\u0308r"), ("TÜR", "tu\u0308r")])
def test_two_names_of_one_file_are_refused(names: tuple[str, str]) -> None:
    with pytest.raises(DataError, match=r"would be one file on Windows or macOS; rename one of the videos"):
        check_file_names(names)
    check_file_names([names[0], names[0]])  # one video


def one_video_each(folder: Path, *names: str) -> Path:
    path = folder / "all.csv"
    rows = [f"{name},0,1,take" for name in names]
    path.write_text("\n".join(["video,start_seconds,end_seconds,label", *rows, ""]), encoding="utf-8", newline="\n")
    return path


@pytest.mark.parametrize(("names", "reason"), [(("a", "nul"), "reserves"), (("Day1", "day1"), "have the same file")])
def test_convert_writes_no_file_under_such_a_name(names: tuple[str, ...], reason: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=reason):
        convert(one_video_each(tmp_path, *names), tmp_path / "out", to_format="vtt", fps=Fraction(10))
    assert not (tmp_path / "out").exists()


def empty_videos(folder: Path, *names: str) -> list[Path]:
    videos = [folder / f"{name}.mp4" for name in names]
    for video in videos:
        video.write_bytes(b"")
    return videos


def test_features_and_timelines_get_no_such_name(bundle: Path, tmp_path: Path) -> None:
    videos, work = empty_videos(tmp_path, "a", "nul"), Work("motion", Fraction(10), tmp_path / "out")
    assert "reserves" in extract_all(videos, work, notify=lambda event: None)[videos[1]]
    assert "reserves" in predict_files(bundle, videos, out=tmp_path / "out").failed[videos[1]]
    videos = empty_videos(tmp_path, "Day1", "day1")
    with pytest.raises(DataError, match="one file"):
        extract_all(videos, work, notify=lambda event: None)
    with pytest.raises(DataError, match="both be called"):
        predict_files(bundle, videos, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def in_a_process(folder: Path, *words: object, encoding: str = "utf-8") -> tuple[int, str, str]:
    """Run the command as a process that sees what Windows has, and return its exit code, stdout and stderr."""
    paths = os.pathsep.join(map(str, (AS_ON_WINDOWS, SOURCE.parent)))
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONIOENCODING": encoding, "XDG_CACHE_HOME": str(folder)}
    command = [sys.executable, "-m", "keyseg", *map(str, words)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    return done.returncode, done.stdout.decode(encoding), done.stderr.decode(encoding)


@pytest.fixture(scope="module")
def film(make_clip: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a square that moves."""
    pictures = np.full((20, 48, 80, 3), 40, np.uint8)
    for at, picture in enumerate(pictures):
        picture[16:32, 2 * at : 2 * at + 14] = (220, 180, 150)
    return make_clip(tmp_path_factory.mktemp("film") / "day1.mp4", pictures)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with random weights that reads the features of `motion` at 10 frames per second."""
    torch.manual_seed(0)
    extractor, system = make_extractor("motion"), SYSTEMS["ms-tcn++"]
    labels, config = LabelMap(("background", "猫")), system.config(channels=8)
    predictor = Predictor(
        system=system.name,
        model=system.network(config, input_dim=extractor.dimension, classes=len(labels)),
        labels=labels,
        timebase=TimeBase(10, extractor.sample_rate),
        decoder=system.decoder(),
        origin=origin_of(extractor, Fraction(10)),
    )
    return save_bundle(predictor, tmp_path_factory.mktemp("bundle") / "bundle", {})


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("workers", [1, 2])
def test_features_are_the_same_without_what_windows_does_not_have(film: Path, workers: int, tmp_path: Path) -> None:
    other = film.with_name("day2.mp4")
    other.write_bytes(film.read_bytes())
    words = ("features", film, other, "--fps", 10, "--workers", workers, "--out", "there", "--cache", "cache")
    code, _, messages = in_a_process(tmp_path, *words)
    assert code == 0, messages
    here = tmp_path / "here"
    assert extract_all([film, other], Work("motion", Fraction(10), here, tmp_path / "c"), notify=lambda _: None) == {}
    assert contents(tmp_path / "there") == contents(here)


def test_timelines_are_the_same_without_what_windows_does_not_have(film: Path, bundle: Path, tmp_path: Path) -> None:
    options = ("--format", "txt,csv,json,vtt,eaf", "--cache", "cache")
    code, _, messages = in_a_process(tmp_path, "predict", bundle, film, "--out", "there", *options, encoding="cp1252")
    assert code == 0, messages
    formats = ("txt", "csv", "json", "vtt", "eaf")
    predict_files(bundle, [film], out=tmp_path / "here", formats=formats, cache=tmp_path / "cache")
    there, here = contents(tmp_path / "there"), contents(tmp_path / "here")
    date = rb'DATE="[^"]*"'
    assert {name: re.sub(date, b"", text) for name, text in there.items()} == {
        name: re.sub(date, b"", text) for name, text in here.items()
    }
    assert not any(b"\r" in text for text in there.values())
    code, _, messages = in_a_process(tmp_path, "convert", "there/day1.vtt", "day1.srt", "--fps", "10")
    assert code == 0, messages


def test_a_video_that_is_none_is_refused_there_too(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video", encoding="utf-8")
    code, _, messages = in_a_process(tmp_path, "features", "text.mp4", "--out", "out", "--cache", "cache")
    assert code == 1
    assert "text.mp4: cannot read the video" in messages


def test_doctor_says_whether_the_memory_of_decoding_is_limited(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer, _ = in_a_process(tmp_path, "doctor")
    assert code == 0
    assert "decoding: in a process of its own, without a memory limit, which this system does not offer\n" in answer
    run(["doctor"])
    assert ("own, with a memory limit\n" in capsys.readouterr().out) == (sys.platform == "linux")


def test_the_simulation_hides_and_shows_what_it_should(tmp_path: Path) -> None:
    """From keyseg's modules only, or other packages, which look at the platform, would break."""
    code = """
import os, signal
def sees(name, text):
    try:
        exec(text, {"__name__": name})
    except (ImportError, AttributeError):
        return False
    return True
for text in ("import resource", "from fcntl import flock", "import os; os.fork", "import signal; signal.SIGKILL",
             "import select; select.poll", "import socket; socket.socketpair"):
    assert not sees("keyseg.video", text), text
    assert sees("torch.keyseg", text), text
assert sees("keyseg.video", "import os, signal; os.replace, signal.SIGINT")
"""
    environment = {**os.environ, "PYTHONPATH": str(AS_ON_WINDOWS)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, cwd=tmp_path)


def test_letters_that_the_console_lacks_do_not_stop_a_command(tmp_path: Path) -> None:
    """Windows gives files and pipes the encoding cp1252."""
    (tmp_path / "猫.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\ntake\n", encoding="utf-8")
    code, answer, messages = in_a_process(tmp_path, "convert", "猫.vtt", "猫.srt", encoding="cp1252")
    assert code == 0, messages
    assert "\\u732b.srt" in answer
    assert (tmp_path / "猫.srt").exists()
    code, answer, messages = in_a_process(tmp_path, "--help", encoding="cp1252")
    assert code == 0, messages
    assert "predict" in answer


def unguarded(tree: ast.Module) -> list[str]:
    """What Windows does not have and a module uses unguarded, as 'line: name'.

    Guards: an import in a function that expects ImportError, and `getattr` with a default.
    """
    guarded = set()
    for node in ast.walk(tree):
        expected = [ast.unparse(handler.type or node) for handler in node.handlers] if isinstance(node, ast.Try) else []
        if isinstance(node, ast.With):
            expected = [ast.unparse(item.context_expr) for item in node.items]
        if any("ImportError" in text for text in expected):
            guarded |= {id(child) for child in ast.walk(node)}
    missing = {f"{module}.{name}" for module, names in NAMES.items() for name in names.split()} | MODULES
    result = []
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import) and id(node) not in guarded:
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and id(node) not in guarded:
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Attribute):
            names = [ast.unparse(node)]
        result += [f"{getattr(node, 'lineno', 0)}: {name}" for name in names if name in missing]
    return result


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("import resource", ["1: resource"]),
        ("def f():\n    import json, fcntl", ["2: fcntl"]),
        ("from signal import SIGKILL", ["1: signal.SIGKILL"]),
        ("from fcntl import flock", ["1: fcntl"]),
        ("import os\nos.kill(1, signal.SIGKILL), os.fork()", ["2: signal.SIGKILL", "2: os.fork"]),
        ("try:\n    import resource\nexcept ImportError:\n    pass", []),
        ("try:\n    import resource\nexcept OSError:\n    pass", ["2: resource"]),
        ("with suppress(ImportError):\n    import resource", []),
        ("getattr(os, 'O_NONBLOCK', 0), os.replace, signal.SIGINT", []),
    ],
)
def test_what_windows_does_not_have_is_found(text: str, wrong: list[str]) -> None:
    assert sorted(unguarded(ast.parse(text))) == sorted(wrong)


# Methods of other things than files.
OTHER_OPEN = {"Dataset.open", "Studio.open", "archive.open", "av.open", "os.open", "webbrowser.open"}


def system_dependent(tree: ast.Module) -> Iterator[str]:
    """Calls that read or write text in the encoding, or write it with the line ends, of the system."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        function, words = ast.unparse(call.func), {word.arg for word in call.keywords}
        name = function.rpartition(".")[2]
        strings = {
            node.value
            for value in [*call.args, *(word.value for word in call.keywords if word.arg == "mode")]
            for node in ast.walk(value)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        modes = {text for text in strings if re.fullmatch(r"[rwax][bt]?\+?", text)}
        opens = name in {"open", "fdopen", "NamedTemporaryFile", "TemporaryFile"} and function not in OTHER_OPEN
        binary = any("b" in mode for mode in modes) or (name.endswith("TemporaryFile") and not modes)
        method = name in {"read_text", "write_text"} and "." in function
        process = words & {"text", "universal_newlines"} and name in {"run", "Popen", "check_output", "partial"}
        if not ((opens and not binary) or method or process):
            continue
        writes = name == "write_text" or any(mode[0] in "wax" for mode in modes)
        if "encoding" not in words or (writes and "newline" not in words):
            yield f"{call.lineno}: {function}"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("open(p)", ["1: open"]),
        ("open(p, 'rb'), p.open('wb'), open(p, mode='ab')", []),
        ("p.open(encoding='utf-8'), p.read_text(encoding='utf-8'), read_text(p, 'rows')", []),
        ("p.open()\np.read_text()\np.write_text(t)", ["1: p.open", "2: p.read_text", "3: p.write_text"]),
        ("p.write_text(t, encoding='utf-8')", ["1: p.write_text"]),
        ("p.write_text(t, encoding='utf-8', newline='\\n')", []),
        ("open(p, 'w', encoding='utf-8')", ["1: open"]),
        ("NamedTemporaryFile('w')\nNamedTemporaryFile()", ["1: NamedTemporaryFile"]),
        ("os.fdopen(0, 'rb')\nos.fdopen(0)", ["2: os.fdopen"]),
        ("run(c, text=True)\nrun(c, encoding='utf-8'), form.format(text=t)", ["1: run"]),
        ("av.open(v)", []),
    ],
)
def test_calls_that_depend_on_the_system_are_found(text: str, wrong: list[str]) -> None:
    assert list(system_dependent(ast.parse(text))) == wrong


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_no_module_depends_on_the_system(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert unguarded(tree) == []
    assert list(system_dependent(tree)) == []


WORKFLOWS = sorted((Path(__file__).parents[1] / ".github" / "workflows").glob("*.yml"))


def test_integration_runs_on_the_three_systems() -> None:
    jobs = yaml.safe_load(next(path for path in WORKFLOWS if path.name == "ci.yml").read_text(encoding="utf-8"))["jobs"]
    for job in ("test", "demo"):
        assert jobs[job]["strategy"]["matrix"]["system"] == ["ubuntu-latest", "windows-latest", "macos-latest"]
    commands = [step.get("run", "") for step in jobs["test"]["steps"]]
    assert jobs["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.13"]
    for wanted in (
        "pip install --no-deps --require-hashes",
        "ruff check",
        "ruff format --check",
        "mypy",
        "pytest",
        "systems.py",
    ):
        assert any(wanted in command for command in commands), wanted


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned(path: Path) -> None:
    uses = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    assert uses
    assert [line for line in uses if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", line)] == []


def test_the_demo_names_the_command_from_another_drive(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> str:
        raise ValueError("path is on mount 'C:', start on mount 'D:'")

    monkeypatch.setattr(os.path, "relpath", refuse)
    monkeypatch.setattr(sys, "argv", ["C:\\venv\\Scripts\\keyseg"])
    monkeypatch.setenv("PATH", "")
    assert demo._as_called() == "C:\\venv\\Scripts\\keyseg"
