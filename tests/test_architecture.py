"""The architecture, read from the code: what a room may import, one name for one thing, whole files only."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import keyseg

SOURCE = Path(keyseg.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
MOST_LINES = 350

# In order: each room may import the rooms in its set, which come before it.
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
    "viz": {"timeline", "keypoints", "metrics", "video"},
    "inference": {"timeline", "formats", "data", "video", "keypoints", "matching", "models", "viz"},
}
ROOMS["training"] = set(ROOMS)
ROOMS["reproduction"] = set(ROOMS)
ROOMS["toy"] = set(ROOMS) - {"reproduction"}
ROOMS["proposals"] = {"timeline", "formats", "data", "video", "inference"}
ROOMS["studio"] = set(ROOMS) - {"reproduction", "toy"}
ROOMS["cli"] = set(ROOMS)


# Files that write or rename on disk without `whole_file` and `whole_folder` of timeline/files.py, and why they may.
WRITERS = {
    "timeline/files.py": "is the writer",
    "data/folders.py": "moves the parts of a complete data set",
    "data/archive.py": "renames an unpacked folder, complete by then",
    "toy/kitchen_features.py": "draws a data set for tests, which nobody resumes",
    "inference/streaming.py": "appends a row per committed segment, so that nothing that ends a stream loses one",
    "training/journal.py": "appends lines, and removes one that was cut",
    "video/extraction.py": "fills the partial file of its caller row by row",
    "video/user_dataset.py": "copies into the hidden folder that is filled",
}


def place(path: Path) -> str:
    """keypoints/peaks.py, for messages and test names."""
    return path.relative_to(SOURCE).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    """Line and full name of every import, also inside functions and under TYPE_CHECKING."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def wrong_imports(text: str, room: str) -> list[str]:
    """The imports that a module of `room` may not have, as 'line: name'."""
    wrong = []
    for line, name in imported(ast.parse(text), f"keyseg.{room}"):
        first, *rest = name.split(".")
        if first != "keyseg" or (rest and rest[0] in ROOMS[room] | {room}):
            continue
        wrong.append(f"{line}: {name}")
    return wrong


in_rooms = [path for path in FILES if path.parent != SOURCE]


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0]


def test_the_folders_are_the_rooms():
    assert {room_of(path) for path in in_rooms} == set(ROOMS)
    assert {place(path) for path in FILES if path.parent == SOURCE} == {"__init__.py", "__main__.py"}
    assert ROOMS["formats"] == {"timeline"}


def test_the_plan_itself_runs_downward():
    above: set[str] = set()
    for room, may_import in ROOMS.items():
        assert may_import <= above, f"{room} imports a room that comes after it"
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
def test_wrong_imports_are_found(room, text, wrong):
    assert wrong_imports(text, room) == wrong


@pytest.mark.parametrize("path", FILES, ids=place)
def test_every_module_has_a_docstring(path):
    assert (ast.get_docstring(parsed(path)) or "").strip()


def public_names(tree: ast.Module) -> Iterator[str]:
    """Functions, classes and constants at the top of a module, without those that start with an underscore."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [node.name]
        yield from (name for name in names if not name.startswith("_"))


def test_public_names_are_found():
    text = "A = B = 1\nc: int = 2\n_d = 3\ndef e():\n    f = 4\nclass G:\n    h = 5\nx.i = 6\nif A:\n    j = 7\n"
    assert list(public_names(ast.parse(text))) == ["A", "B", "c", "e", "G"]


def test_no_public_name_is_defined_in_two_rooms():
    homes: dict[str, set[str]] = defaultdict(set)
    for path in in_rooms:
        for name in public_names(parsed(path)):
            homes[name].add(room_of(path))
    assert {name: sorted(rooms) for name, rooms in homes.items() if len(rooms) > 1} == {}


def test_no_file_name_occurs_three_times():
    times = Counter(path.name for path in in_rooms if not path.name.startswith("__"))
    assert {name: count for name, count in times.items() if count > 2} == {}


def drawers(name: str) -> set[str]:
    """Words of a path that say nothing about its content."""
    return set(re.split(r"[/_.]", name)) & {"utils", "util", "misc", "common", "helpers", "helper"}


def test_no_module_is_a_drawer_for_everything():
    assert drawers("data/_io_utils.py") == {"utils"}
    assert [place(path) for path in FILES if drawers(place(path))] == []


def test_files_stay_short():
    lengths = {place(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def calls(node: ast.AST) -> Iterator[ast.Call]:
    return (child for child in ast.walk(node) if isinstance(child, ast.Call))


def printing(tree: ast.Module) -> list[int]:
    """Lines that call print."""
    return [call.lineno for call in calls(tree) if isinstance(call.func, ast.Name) and call.func.id == "print"]


def test_only_the_command_line_prints():
    assert printing(ast.parse("x = 1\nprint(x)")) == [2]
    silent = [path for path in FILES if path.parent.name != "cli"]
    assert {place(path): lines for path in silent if (lines := printing(parsed(path)))} == {}


WRITING = {
    "np.save",
    "torch.save",
    "save_file",
    *(f"shutil.{name}" for name in ("copy", "copyfile", "copytree", "move")),
}


def writes(call: ast.Call) -> bool:
    """Whether a call writes, moves or renames on disk. Files in memory are called `buffer`."""
    function = ast.unparse(call.func)
    name = function.rpartition(".")[2]
    if any(ast.unparse(argument) == "buffer" for argument in call.args[:2]):
        return False
    if name == "open":
        words = [
            node.value for node in ast.walk(call) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        return any(re.fullmatch(r"[wax][bt]?\+?|r[bt]?\+", word) for word in words)
    if name == "replace":  # Path.replace(target) or os.replace(source, target), not str.replace(old, new)
        return function == "os.replace" or ("." in function and len(call.args) == 1)
    methods = {"write_text", "write_bytes", "rename", "savefig", "savez", "savez_compressed", "savetxt"}
    return function in WRITING or ("." in function and name in methods)


def bare_writes(tree: ast.Module) -> list[int]:
    """Lines that write other than inside `with whole_file(...)` or `with whole_folder(...)`."""
    whole = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.With) and "whole_f" in " ".join(ast.unparse(item.context_expr) for item in node.items)
    ]
    safe = {id(call) for node in whole for call in calls(node)}
    return [call.lineno for call in calls(tree) if id(call) not in safe and writes(call)]


def test_bare_writes_are_found():
    text = """
    path.write_text(text)
    write_text(path, text)
    path.open("ab" if have else "wb")
    path.open("rb"), open(path, encoding="utf-8")
    open(path, mode="w")
    partial.replace(path)
    text.replace("a", "b"), replace(fit, seed=1)
    os.replace(partial, path)
    np.save(path, array)
    np.savez(buffer, array)
    with whole_file(path) as partial: save_file(weights, partial)
    save_file(weights, path)
    """
    lines = [line.strip() for line in text.splitlines()]
    assert bare_writes(ast.parse("\n".join(lines))) == [2, 4, 6, 7, 9, 10, 13]


def test_files_appear_whole_or_not_at_all():
    writers = {place(path): lines for path in FILES if (lines := bare_writes(parsed(path)))}
    assert {name: lines for name, lines in writers.items() if name not in WRITERS} == {}
    assert set(WRITERS) <= set(writers)


READING = {
    *("open", "np.load", "np.lib.format.open_memmap", "h5py.File", "torch.load", "load_file", "safe_open"),
    *("av.open", "zipfile.ZipFile", "sqlite3.connect", "json.load", "json.loads"),
    *(f"yaml.{name}" for name in ("load", "safe_load", "compose", "parse", "scan")),
}
# Files that read other than with `read_text` and the like of timeline/files.py, and why they may.
READERS = {
    "timeline/json_text.py": "is the reader of JSON",
    "inference/weight_files.py": "checks the header of weights before it is read",
    "cli/reproduce.py": "prints the table that it has just written",
    "cli/tune.py": "prints the table that it has just written",
    "formats/elan.py": "reads what pympi has just written to a folder of its own",
    "studio/media.py": "reads what the studio measured, and its own process",
    "studio/report_page.py": "reads a page that it has just written",
    "studio/store.py": "opens the state of the studio, below a lock, and reads JSON from it",
    "training/complete.py": "reads about the machine",
    "video/decode_client.py": "checks an open file, and reads the messages of its own process",
    "video/decode_process.py": "reads a file that is open, and about the machine",
    "viz/page.py": "reads the files of this package",
} | dict.fromkeys(
    (
        f"studio/{name}.py"
        for name in ["bundles", "headless", "job_queue", "library", "proxies", "routes_rows", "waveform"]
    ),
    "reads JSON that the studio wrote into its state, or a video that it has opened",
)


def reads(call: ast.Call) -> bool:
    """Whether a call opens a file to read it, or parses what a stranger may have written."""
    function = ast.unparse(call.func)
    owner, _, name = function.rpartition(".")
    if call.args and ast.unparse(call.args[0]) == "buffer":
        return False
    return function in READING or (bool(owner) and name in ("read_bytes", "read_text")) or function == "path.open"


def bare_reads(tree: ast.Module) -> list[int]:
    """Lines that read outside of a function that makes sure that the path is of a file."""
    functions: list[ast.AST] = [node for node in tree.body if not isinstance(node, ast.ClassDef)]
    functions += [node for top in tree.body if isinstance(top, ast.ClassDef) for node in top.body]
    bare = []
    for node in functions:
        names = {ast.unparse(call.func).rpartition(".")[2] for call in calls(node)}
        if not names & {"refuse_special", "is_file"}:
            bare += [call.lineno for call in calls(node) if reads(call) and not writes(call)]
    return bare


def test_bare_reads_are_found():
    text = """
    path.read_text()
    read_text(path, "labels")
    json.loads(text)
    def f(): return path.open()
    def f(): refuse_special(path); h5py.File(path)
    class C: f = np.load(path)
    path.open("wb")
    """
    lines = [line.strip() for line in text.splitlines()]
    assert bare_reads(ast.parse("\n".join(lines))) == [2, 4, 5, 7]


def test_what_strangers_may_write_is_read_in_one_place():
    readers = {place(path): lines for path in FILES if (lines := bare_reads(parsed(path)))}
    assert {name: lines for name, lines in readers.items() if name not in READERS} == {}
    assert set(READERS) <= set(readers)


def loads_torch(module: str) -> bool:
    code = f"import sys, {module}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {"True": True, "False": False}[done.stdout.strip()]


WITHOUT_NETWORKS = (
    "timeline",
    "metrics",
    "data",
    "video",
    "keypoints",
    "formats",
    "cli.main",
    "cli.predict",
    "cli.train",
)


@pytest.mark.parametrize("module", ["keyseg", *(f"keyseg.{room}" for room in WITHOUT_NETWORKS)])
def test_rooms_without_networks_import_no_torch(module):
    assert not loads_torch(module)


@pytest.mark.slow
def test_an_import_of_torch_is_noticed():
    assert loads_torch("torch")
