"""The plan of the house, read from the code: imports run downward only, rooms open without torch, files stay small."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import keyseg

SOURCE = Path(keyseg.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
MOST_LINES = 350

# In order: a room may import the rooms named here, and none that comes after it.
ROOMS = {
    "timeline": set(),
    "formats": {"timeline"},
    "metrics": {"timeline", "formats"},
    "data": {"timeline", "formats"},
    "video": {"timeline", "formats", "data"},
    "keypoints": {"timeline"},
    "matching": {"timeline", "keypoints"},
    "models": {"timeline", "keypoints", "matching"},
    "criteria": {"timeline", "keypoints", "matching", "models"},
    "inference": {"timeline", "formats", "data", "video", "keypoints", "matching", "models"},
    "viz": {"timeline", "keypoints", "metrics", "video"},
}
ROOMS["training"] = set(ROOMS) - {"viz"}
ROOMS["reproduction"] = ROOMS["training"] | {"training", "viz"}
ROOMS["toy"] = set(ROOMS) - {"reproduction"}
ROOMS["cli"] = set(ROOMS)


def place(path: Path) -> str:
    """keypoints/peaks.py, for messages and test names."""
    return path.relative_to(SOURCE).as_posix()


def imported(tree: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    """Line and full name of everything imported, also inside functions and under TYPE_CHECKING."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def wrong_imports(text: str, room: str) -> list[str]:
    """What a module of `room` imports and should not: 'line: name'."""
    wrong = []
    for line, name in imported(ast.parse(text), f"keyseg.{room}"):
        first, *rest = name.split(".")
        if first != "keyseg" or (rest and rest[0] in ROOMS[room] | {room}):
            continue
        wrong.append(f"{line}: {name}")
    return wrong


def printing(text: str) -> list[int]:
    """Lines with a call of print."""
    calls = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    return [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]


in_rooms = [path for path in FILES if path.parent != SOURCE]


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0]


def test_every_folder_is_a_room_of_the_plan_and_every_room_is_there():
    assert {room_of(path) for path in in_rooms} == set(ROOMS)
    assert {place(path) for path in FILES if path.parent == SOURCE} == {"__init__.py", "__main__.py"}


def test_the_plan_itself_runs_downward():
    above: set[str] = set()
    for room, may_import in ROOMS.items():
        assert may_import <= above, f"{room} stands above something that it imports"
        above.add(room)


@pytest.mark.parametrize("path", in_rooms, ids=place)
def test_imports_run_downward(path):
    assert wrong_imports(path.read_text(encoding="utf-8"), room_of(path)) == []


@pytest.mark.parametrize(
    ("room", "text", "wrong"),
    [
        ("timeline", "import keyseg.data", ["1: keyseg.data"]),
        ("metrics", "from keyseg.data.splits import read", ["1: keyseg.data.splits.read"]),
        ("data", "def f():\n    from keyseg.keypoints import encode", ["2: keyseg.keypoints.encode"]),
        ("inference", "from keyseg import training", ["1: keyseg.training"]),
        ("inference", "from keyseg import evaluate", ["1: keyseg.evaluate"]),
        ("inference", "import keyseg", ["1: keyseg"]),
        ("data", "from ..keypoints.peaks import decode_actions", ["1: keyseg.keypoints.peaks.decode_actions"]),
        ("data", "from .. import keypoints", ["1: keyseg.keypoints"]),
        ("data", "import numpy, keyseg.viz.bars", ["1: keyseg.viz.bars"]),
        ("data", "from . import splits\nfrom .splits import read\nfrom keyseg.data import align", []),
        (
            "data",
            "from keyseg.timeline.version import __version__\nfrom keyseg.timeline import Segment\nimport numpy.random",
            [],
        ),
        ("data", "import keyseg_extras\nfrom torch.keyseg import viz", []),
        ("cli", "from keyseg.training.run import train\nfrom keyseg import viz", []),
    ],
)
def test_the_check_of_imports_sees_them(room, text, wrong):
    assert wrong_imports(text, room) == wrong


@pytest.mark.parametrize("path", FILES, ids=place)
def test_every_module_says_what_it_is(path):
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring
    assert docstring.strip()


def drawers(name: str) -> set[str]:
    """Words of a path that say nothing of what is inside."""
    return set(re.split(r"[/_.]", name)) & {"utils", "util", "misc", "common", "helpers", "helper"}


def test_no_module_is_a_drawer_for_anything():
    assert drawers("data/_io_utils.py") == {"utils"}
    assert [place(path) for path in FILES if drawers(place(path))] == []


def test_no_file_outgrows_a_head():
    lengths = {place(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_only_the_command_line_prints():
    assert printing("x = 1\nprint(x)") == [2]
    silent = [path for path in FILES if path.parent.name != "cli"]
    assert {place(path): lines for path in silent if (lines := printing(path.read_text(encoding="utf-8")))} == {}


def loads_torch(module: str) -> bool:
    code = f"import sys, {module}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {"True": True, "False": False}[done.stdout.strip()]


WITHOUT_NETWORKS = ("timeline", "metrics", "data", "video", "keypoints", "formats", "cli.main")


@pytest.mark.parametrize("module", ["keyseg", *(f"keyseg.{room}" for room in WITHOUT_NETWORKS)])
def test_rooms_without_networks_open_without_torch(module):
    assert not loads_torch(module)


@pytest.mark.slow
def test_the_check_for_torch_sees_it():
    assert loads_torch("torch")
