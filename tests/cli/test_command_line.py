"""The command itself: verbs, help, exit codes, and a message for every failure."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import pytest
from cyclopts import App, Parameter

from keyseg.cli import doctor as doctor_module
from keyseg.cli.main import VERBS, app
from keyseg.cli.verb import presents
from keyseg.timeline import ConfigError, DataError
from keyseg.timeline.version import __version__

# Every verb, including those of a group.
COMMANDS = {verb: app[verb] for verb in VERBS} | {
    f"reproduce {name}": app["reproduce"][name] for name in ("table1", "ablations", "fig1", "fig2", "fig3")
}


def squeezed(text: str) -> str:
    """The text without spaces and line breaks, which depend on the width of a table."""
    return "".join(text.split())


def real(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "keyseg", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, **options)


def test_help_names_every_verb_with_a_line_and_the_exit_codes(keyseg: Any) -> None:
    for arguments in ((), ("--help",), ("-h",)):
        answer = keyseg(*arguments)
        assert answer.code == 0
        assert answer.err == ""
        for verb, first in {**VERBS, "reproduce": app["reproduce"].help}.items():
            assert re.search(rf"│ {verb} +{re.escape(' '.join(first.split()[:5]))}", answer.out), verb
        assert "Exit codes: 0 success, 1 a problem with data or results, 2 wrong usage, 130 interrupted" in answer.out


def test_the_list_of_verbs_has_the_first_line_of_each_help() -> None:
    assert {verb: (app[verb].default_command.__doc__ or "").split("\n")[0] for verb in VERBS} == VERBS


@pytest.mark.parametrize("verb", COMMANDS)
def test_help_of_a_verb_says_each_option_in_words(verb: str, keyseg: Any) -> None:
    answer = keyseg(*verb.split(), "--help")
    assert answer.code == 0
    text = " ".join(re.sub("[│╭╮╰╯─]", " ", answer.out).split())
    assert " ".join((COMMANDS[verb].default_command.__doc__ or "").split("\n")[0].split()) in text
    for argument in COMMANDS[verb].assemble_argument_collection(parse_docstring=True):
        if argument.children:  # a model, whose fields are the options
            continue
        help_text = " ".join((argument.parameter.help or "").split())
        assert len(help_text) > 10, f"{verb} {argument.name} has no words"
        assert argument.name in text
        assert squeezed(help_text) in squeezed(text)
    assert "--no-" not in text
    assert "--empty-" not in text


def test_help_does_not_wait_for_torch() -> None:
    words = (["--help"], ["trian"], ["init", "--help"], ["train", "--help"], ["reproduce", "table1", "--help"])
    commands = "; ".join(f"m.run({command})" for command in words)
    code = f"import sys, keyseg.cli.main as m; {commands}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert done.stdout.endswith("False\n"), done.stdout + done.stderr


@pytest.mark.slow
def test_a_short_verb_does_not_wait_for_what_it_does_not_need(trained: Path, kitchen: Path, tmp_path: Path) -> None:
    features = str(min((kitchen / "features").iterdir()))
    for words, needless in (
        (["--help"], {"numpy", "pydantic", "torch"}),
        (
            ["predict", str(trained), features, "--out", str(tmp_path)],
            {"lightning", "matplotlib", "rapidfuzz", "scipy"},
        ),
    ):
        code = f"import sys, keyseg.cli.main as m; m.run({words}); print({needless} & set(sys.modules))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
        assert done.stdout.endswith("set()\n"), done.stdout + done.stderr


def test_a_verb_takes_what_its_function_takes(tmp_path: Path) -> None:
    given: dict[str, Any] = {}

    def draw(
        style: str,
        inputs: Sequence[Path],
        *,
        out: Path,
        sizes: Sequence[int] = (1, 2),
        force: bool = False,
        report: Callable[[str], None] = print,
    ) -> None:
        """Draw a figure.

        Args:
            style: The style.
            inputs: What to draw.
            sizes: Its sizes.
        """

    @presents(draw, sizes=Annotated[tuple[int, ...], Parameter(name="--size", consume_multiple=True)])
    def verb(**arguments: Any) -> int:
        given.update(arguments)
        return 3

    parser = App(result_action="return_value")
    parser.default(verb)
    helps = {
        argument.name: argument.parameter.help for argument in parser.assemble_argument_collection(parse_docstring=True)
    }
    assert helps == {
        "STYLE": "The style.",
        "INPUTS": "What to draw.",
        "--out": None,
        "--size": "Its sizes.",
        "--force": None,
    }
    assert parser(["bold", "a.txt", "b.txt", "--out", "x.png", "--size", "3", "4"]) == 3
    paths = (Path("a.txt"), Path("b.txt"))
    assert given == {"style": "bold", "inputs": paths, "out": Path("x.png"), "sizes": (3, 4), "force": False}
    parser(["bold", "--out", "x.png"])
    assert (given["inputs"], given["sizes"]) == ((), (1, 2))


def test_version(keyseg: Any) -> None:
    assert keyseg("--version") == (0, f"{__version__}\n", "")
    assert importlib.metadata.version("keyseg") == __version__


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("trian",), "trian"),
        (("check",), "DATA"),
        (("train", "data"), "--out"),
        (("predict", "--out", "x"), "BUNDLE"),
        (("check", "data", "--colour", "red"), "--colour"),
        (("check", "data", "--tolerance", "much"), "much"),
        (("check", "data", "--lengths", "cut"), "cut"),
        (("check", "data", "--no-json"), "--no-json"),
        (("train", "data", "--out", "x", "--empty-seed"), "--empty-seed"),
        (("train", "data", "--out", "x", "--epochs", "many"), "many"),
        (("plot", "a.txt"), "--out"),
    ],
)
def test_wrong_usage_is_reported_on_stderr_with_code_2(arguments: tuple[str, ...], words: str, keyseg: Any) -> None:
    answer = keyseg(*arguments)
    assert answer.code == 2
    assert answer.out == ""
    assert words in answer.err


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (DataError("a.txt:3: bad label"), 1, "error: a.txt:3: bad label\n"),
        (ConfigError("no such key"), 2, "error: no such key\n"),
        (PermissionError(13, "Permission denied", "/x"), 1, "error: /x: permission denied; choose another place"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (BrokenPipeError(32, "Broken pipe"), 1, "error: broken pipe\n"),  # of something else than stdout
        (MemoryError(), 1, "error: not enough memory; an input may be damaged"),
        (RecursionError("maximum recursion depth exceeded"), 1, "error: something in it is nested too deeply"),
        (UnicodeEncodeError("utf-8", "a\udcff", 1, 2, "surrogates"), 1, "error: 'a\\udcff' is not UTF-8; rename"),
    ],
)
def test_errors_are_messages(error: BaseException, code: int, words: str, keyseg: Any, monkeypatch: Any) -> None:
    def fails(*_: Any, **__: Any) -> int:
        raise error

    monkeypatch.setattr("keyseg.data.check_dataset", fails)
    answer = keyseg("check", "data")
    assert (answer.code, answer.out) == (code, "")
    assert answer.err.startswith(words)
    assert answer.err.count("\n") == 1


def test_a_bug_of_ours_is_kept_in_a_log(keyseg: Any, monkeypatch: Any, tmp_path: Path) -> None:
    def fails(*_: Any, **__: Any) -> int:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("keyseg.data.check_dataset", fails)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    answer = keyseg("check", "data")
    assert answer.code == 1
    first, second = answer.err.splitlines()
    assert first == "error: ZeroDivisionError: division by zero"
    assert second.startswith("  This is a bug in keyseg; please report it with ")
    log = Path(second.split("with ")[1]).read_text()
    assert "Traceback" in log
    assert "ZeroDivisionError: division by zero" in log


@pytest.mark.slow
def test_as_a_program_of_its_own(kitchen: Path, tmp_path: Path) -> None:
    done = real("check", kitchen)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("ok\n")
    done = real("check", tmp_path / "nowhere")
    assert done.returncode == 1
    done = real("chek", kitchen)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_doctor_names_every_package_of_an_extra() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {
        (re.split(r"[\[<>=]", package)[0], extra)
        for extra, packages in project["optional-dependencies"].items()
        if extra not in ("test", "dev")
        for package in packages
        if not package.startswith("keyseg[")
    }
    assert {(package, extra) for package, (extra, _) in doctor_module._EXTRAS.items()} <= needed
    assert {package for package, _ in needed} == set(doctor_module._EXTRAS)


def test_doctor(keyseg: Any, monkeypatch: Any) -> None:
    answer = keyseg("doctor")
    assert answer.code == 0
    assert answer.err == ""
    assert f"keyseg {__version__}, Python 3" in answer.out
    assert answer.out.endswith("everything is fine\n")
    for name in ("torch", "lightning", "safetensors"):
        assert re.search(rf"^  {name} +{re.escape(importlib.metadata.version(name))}$", answer.out, re.MULTILINE)

    pyproject = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    assert {extra for extra, _ in doctor_module._EXTRAS.values()} == set(
        pyproject["project"]["optional-dependencies"]
    ) - {"test", "dev"}
    version = importlib.metadata.version

    def other(name: str) -> str:
        if name == "scipy":
            raise importlib.metadata.PackageNotFoundError(name)
        return "2.6.2" if name == "lightning" else version(name)

    monkeypatch.setattr(doctor_module.importlib.metadata, "version", other)
    answer = keyseg("doctor")
    assert answer.code == 1
    assert "problem: scipy is not installed: pip install" in answer.out
    assert 'problem: lightning 2.6.2 is not safe (before 2.6.6): pip install "lightning>=2.6.6"' in answer.out
    assert answer.out.endswith("broken\n")


def test_a_rate_with_an_exponent_ends_at_once(tmp_path: Path) -> None:
    verbs = ("convert a b", "features a --out b", "propose a --out b", "eval --ref a --pred b", "plot a --out b.png")
    verbs += ("init a --videos b --annotations c --track-fps 1",)
    code = "\n".join(
        [
            "from keyseg.cli.main import run",
            f"for verb in {verbs}:",
            "    assert run([*verb.split(), '--fps', '1e99999999']) == 2",
        ]
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("error: --fps: a frame rate is a number such as 15") == len(verbs)
