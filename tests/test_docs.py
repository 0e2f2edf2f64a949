"""The documents against the code: files, functions, options and link targets that they name exist."""

from __future__ import annotations

import ast
import re
import shutil
from functools import cache
from pathlib import Path

import pytest

from keyseg.cli.main import VERBS, app
from keyseg.toy.kitchen_features import write_toy_kitchen

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "keyseg"
MAPS = ("docs/tour.md", "docs/paper-to-code.md")
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for place in ("*.md", "docs/**/*.md", "benchmarks/**/*.md", "results/**/*.md")
    for path in ROOT.glob(place)
)
CODE = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"[\w./-]+\.py")
NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)?")
GROUPS = {"reproduce": app["reproduce"]}  # verbs with verbs of their own
# Words in backticks that are not names in code: letters of shapes, values of options, files of the user.
PLAIN = {*"BCDFMNT", "linear", "quadratic", "VIDEO.npy", "VIDEO.mp4", "VIDEO.json"}


def _file(name: str) -> Path | None:
    """The file that a page means: below src/keyseg, or below the root of the repository."""
    return next((path for path in (SOURCE / name, ROOT / name) if path.is_file()), None)


@cache
def _defined(path: Path) -> frozenset[str]:
    """Functions, classes, constants and `Class.member` that a file defines, without those that it imports."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        names |= _names(node)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{member}" for child in node.body for member in _names(child)}
    return frozenset(names)


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


@cache
def _everywhere() -> frozenset[str]:
    return frozenset().union(*(_defined(path) for path in SOURCE.rglob("*.py")))


def faults_of_map(text: str) -> list[str]:
    """Files that a page names and that do not exist, and names that the file named before them does not define.

    A name with no file before it in its line or table cell must be defined somewhere.
    """
    faults = []
    for number, line in enumerate(text.splitlines(), 1):
        for cell in line.split("|"):
            file: Path | None = None
            for word in CODE.findall(cell):
                if FILE.fullmatch(word):
                    file = _file(word)
                    if file is None:
                        faults.append(f"line {number}: no file {word}")
                elif NAME.fullmatch(word) and word not in PLAIN:
                    known = _defined(file) if file else _everywhere()
                    if not _is_known(word, known):
                        faults.append(f"line {number}: {word} is not defined in {file.name if file else 'src/keyseg'}")
    return faults


def _is_known(word: str, known: frozenset[str]) -> bool:
    """Whether a name is defined; a member alone (`decoder_layers`) counts for any class that has it."""
    return word in known or any(name.endswith(f".{word}") for name in known)


HERE = re.compile(r"https://(github\.com/keyseg/keyseg/(blob|tree)|raw\.githubusercontent\.com/keyseg/keyseg)/main/")


def broken_links(text: str, folder: Path) -> list[str]:
    """Links of a page in `folder` to files of the repository, relative or on GitHub, without a target."""
    text = HERE.sub(f"{ROOT.as_posix()}/", text)
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    return [target for target in targets if target and not (folder / target).exists()]


@pytest.mark.parametrize("page", MAPS)
def test_files_and_names_of_the_maps_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert len(FILE.findall(text)) >= 15  # the page is read at all
    assert faults_of_map(text) == []


@pytest.mark.parametrize("page", PAGES)
def test_link_targets_exist(page: str) -> None:
    path = ROOT / page
    assert broken_links(path.read_text(encoding="utf-8"), path.parent) == []


@pytest.mark.parametrize("page", PAGES)
def test_python_files_that_pages_name_exist(page: str) -> None:
    path = ROOT / page
    named = [word for word in CODE.findall(path.read_text(encoding="utf-8")) if FILE.fullmatch(word)]
    assert [word for word in named if _file(word) is None and not (path.parent / word).is_file()] == []


@cache
def _options(verb: str) -> frozenset[str] | None:
    """Options of a verb, `eval` or `reproduce fig1`; None if there is no such verb. A group alone has none."""
    first, _, second = verb.partition(" ")
    if verb in GROUPS:
        return frozenset()
    if first not in (GROUPS if second else VERBS) or (second and second not in GROUPS[first]):
        return None
    command = GROUPS[first][second] if second else app[verb]
    return frozenset(name for argument in command.assemble_argument_collection() for name in argument.names)


def unknown_commands(text: str) -> list[str]:
    """Verbs and options that do not exist, in backticks (even over line ends) or at the start of a line.

    A verb of a group has two words: `keyseg reproduce fig1`.
    """
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    spelled = [*re.findall(r"`([^`]+)`", prose), *re.findall(r"^(keyseg [^#\n]*)", text, re.MULTILINE)]
    faults = []
    for command in (" ".join(words.split()) for words in spelled):
        match = re.match(r"keyseg ([a-z-]+)(?: ([a-z]+\d*)\b)?", command)
        if not match:
            continue
        verb = f"{match[1]} {match[2]}" if match[1] in GROUPS and match[2] else match[1]
        known = _options(verb)
        if known is None:
            faults.append(f"keyseg {verb}")
            continue
        options = re.findall(r"(?<!\S)--[a-z-]+", command)
        faults += [f"keyseg {verb} {option}" for option in options if option not in known]
    return faults


@pytest.mark.parametrize("page", [page for page in PAGES if not page.startswith("results/")])  # typed long ago
def test_verbs_and_options_that_pages_name_exist(page: str) -> None:
    assert unknown_commands((ROOT / page).read_text(encoding="utf-8")) == []


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_python_of_the_front_pages_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = re.search(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    assert block
    monkeypatch.chdir(tmp_path)
    write_toy_kitchen(Path("DATA"), videos=6, test_videos=2)
    shorter = 'epochs=1, set={"matching.fit": False}, '
    features = sorted(Path("DATA/features").glob("*.npy"))[0].as_posix()
    code = block[1].replace('"NEW.mp4"', repr(features)).replace("out=", f"{shorter}out=")
    assert code.count(shorter) == code.count(features) == 1
    for folder in ("corrected", "timelines"):
        shutil.copytree("DATA/groundTruth", folder)
    results: dict[str, object] = {}
    exec(compile(code, page, "exec"), results)
    assert len(results["prediction"].segments) > 0  # type: ignore[attr-defined]
    assert Path("new.png").is_file()
    assert Path("new.eaf").is_file()


def test_these_checks_can_fail(tmp_path: Path) -> None:
    assert faults_of_map("| a | `matching/sinkhorn.py` `log_sinkhorn` | `B` |") == []
    assert faults_of_map("`matching/nowhere.py`") == ["line 1: no file matching/nowhere.py"]
    wrong = faults_of_map("ok\n`matching/sinkhorn.py` `sinkhorn_of_old`, `models/refinement.py` `Refiner.nothing`")
    assert [fault.split(" is ")[0] for fault in wrong] == ["line 2: sinkhorn_of_old", "line 2: Refiner.nothing"]
    assert faults_of_map("`matching/matcher.py` `log_sinkhorn`") != []  # imported there, defined elsewhere
    assert faults_of_map("`KeypointMaps.vanish`") != []
    (tmp_path / "here.md").touch()
    page = "[a](here.md) [b](here.md#part) [c](gone.md) [d](https://example.org/x) [e](#part)"
    assert broken_links(page, tmp_path) == ["gone.md"]
    hosts = "https://github.com/keyseg/keyseg/blob", "https://raw.githubusercontent.com/keyseg/keyseg"
    page = "[a]({}/main/README.md#x) ![b]({}/main/no.png)".format(*hosts)
    assert broken_links(page, tmp_path) == [f"{ROOT.as_posix()}/no.png"]
    assert unknown_commands("`keyseg eval RUN --json` and\nkeyseg predict B F --out O   # --nothing") == []
    assert unknown_commands("`keyseg sing RUN`\nkeyseg eval RUN --csv") == ["keyseg sing", "keyseg eval --csv"]
    assert unknown_commands("a `keyseg eval\nRUN --csv` b `keyseg sing`") == ["keyseg eval --csv", "keyseg sing"]
    assert unknown_commands("`keyseg reproduce`, `keyseg data get x --out d`") == []
    assert unknown_commands("```\nkeyseg reproduce table1 D --out X\n```\n`keyseg reproduce fig2`") == []
    page = "`keyseg reproduce fig4 --out X`, `keyseg data get --all`\n"
    page += "keyseg reproduce fig1 --video V\nkeyseg reproduce --out X"
    assert unknown_commands(page) == [
        "keyseg reproduce fig4",
        "keyseg data --all",
        "keyseg reproduce fig1 --video",
        "keyseg reproduce --out",
    ]
