"""What reaches the terminal: streams that are closed, full or know only ASCII, names that command it, signals."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from keyseg.cli import terminal
from keyseg.cli.features import FeatureProgress
from keyseg.cli.main import INTERRUPTED, VERBS
from keyseg.cli.signals import ending_as_interrupts
from keyseg.video.engines import Event

HOSTILE = (
    "\x1b[31mred",
    "\u202egnp",
    "[red]x[/red]",
    "[/]",
    "$\\frac",
    "a:cat:",
    "nl\nerror: no",
    "zwj\u200d",
    "'\"<b>&",
)
no_windows = pytest.mark.skipif(os.name == "nt", reason="Windows has no such streams and signals")


def program(
    *words: object, shell: str = "exec {}", environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """A command in a process of its own, with what `shell` does to its streams."""
    command = " ".join(f"'{word}'" for word in (sys.executable, "-m", "keyseg", *words))
    return subprocess.run(
        ["sh", "-c", shell.format(command)], capture_output=True, timeout=300, env={**os.environ, **(environment or {})}
    )


def test_only_one_module_prints() -> None:
    """Everything else goes through it, so that no name is printed as it is."""
    folder = Path(terminal.__file__).parent
    printing = {
        path.name for path in folder.glob("*.py") if re.search(r"(?<![\w.])(?<!def )print\(", path.read_text("utf-8"))
    }
    assert printing - {"doctor.py"} == {"terminal.py"}  # doctor has it in the code of a process


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_only_shown(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show(f"label {name}")
    terminal.note(name)
    terminal.say_failed({Path(name): f"{name}: bad"}, 2, Path(name))
    captured = capsys.readouterr()
    assert not [
        letter for letter in captured.out + captured.err if unicodedata.category(letter)[0] == "C" and letter != "\n"
    ]
    assert not re.search("^error", captured.err, re.MULTILINE)  # no line of its own
    assert captured.err.endswith("bad\n")


@pytest.mark.parametrize("width", [1, 20, 200])
@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_only_shown_above_and_in_bars(name: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=width, color_system=None)
    monkeypatch.setattr("keyseg.cli.progress.Console", lambda **_: console)
    with FeatureProgress(1) as shown:
        shown(Event(Path(name), "frames", 1, 10))
        shown.bars.refresh()
        shown.print(f"note: {name}")
    text = re.sub(r"\x1b\[[\d?]*[hlKAJ]|\r", "", file.getvalue())  # of rich, which moves the cursor
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert f"note: {terminal.said(name)}" in text


def test_lines_are_cut_and_data_only_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.show("x" * 93_000 + "\nsecond")
    first, second = capsys.readouterr().out.splitlines()
    assert (len(first), second) == (2000, "second")
    terminal.show_data("zwj\u200d\n")
    assert capsys.readouterr().out == "zwj\u200d\n"


@no_windows
@pytest.mark.slow
@pytest.mark.parametrize(
    ("shell", "code", "words"),
    [
        ("{} | head -1 > /dev/null", 0, ""),
        ("{{ {}; echo code $? >&2; }} | true", 0, "code 1\n"),
        ("{} >&-", 0, ""),
        ("{} 2>&-", 0, ""),
        ("{} <&- >&- 2>&-", 0, ""),
        ("{} > /dev/full", 1, "error: "),
    ],
)
def test_closed_and_full_streams(shell: str, code: int, words: str) -> None:
    if "full" in shell and not os.path.exists("/dev/full"):
        pytest.skip("only Linux has /dev/full")
    done = program("recipe", "rtk", shell=shell)
    assert done.returncode == code, done.stderr
    assert b"Exception ignored" not in done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stderr.decode().startswith(words)
    assert done.stderr.count(b"\n") == bool(words)


@no_windows
@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "ascii"}, {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
)
def test_a_terminal_of_ascii(environment: dict[str, str], tmp_path: Path) -> None:
    name = "T\u00fcr.txt" if "LANG" not in environment else "a.txt"
    done = program("check", tmp_path / name, environment={**environment, "TERM": "dumb", "COLUMNS": "20"})
    assert done.returncode == 1
    assert done.stdout.isascii()
    done = program("--help", environment={**environment, "TERM": "dumb", "COLUMNS": "20"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()
    assert b"\x1b" not in done.stdout


WAITING = """
import os, signal, sys, time
for name in ("SIGTERM", "SIGHUP"):
    signal.signal(getattr(signal, name), signal.SIG_DFL)  # also where what starts the tests ignores it
signal.signal(signal.SIGINT, signal.default_int_handler)
import keyseg.cli.features as verb
from keyseg.cli.main import run
def wait(*_, **__):
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        print("tidied", flush=True)
verb.features = wait
sys.exit(run(["features", "a.mp4", "--out", "o"]))
"""


@no_windows
@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_a_verb_as_ctrl_c_does(name: str) -> None:
    started = subprocess.Popen(
        [sys.executable, "-c", WAITING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    started.send_signal(getattr(signal, name))
    out, err = started.communicate(timeout=60)
    assert (started.returncode, out) == (INTERRUPTED, "tidied\n")
    assert err == "interrupted; progress is saved; run the same command to resume\n"


def hung_up_and_ended() -> None:
    """End this process by signals, the second of which comes while it tidies up."""
    with ending_as_interrupts():
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        os.kill(os.getpid(), signal.SIGHUP)
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)


@no_windows
def test_an_ignored_signal_stays_ignored_and_the_handlers_come_back() -> None:
    former = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with pytest.raises(KeyboardInterrupt):
            hung_up_and_ended()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def test_help_says_what_an_interruption_is(keyseg: Any) -> None:
    assert f"{INTERRUPTED} interrupted" in " ".join(keyseg("--help").out.replace("│", " ").split())
    assert INTERRUPTED not in (0, 1, 2)
    assert VERBS
