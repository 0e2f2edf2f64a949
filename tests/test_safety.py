"""What SECURITY.md promises, held against the source: nothing is executed, few modules start processes or connect."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import keyseg
from keyseg.cli.main import VERBS
from keyseg.formats import FORMATS

SOURCE = Path(keyseg.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
PAGE = (Path(__file__).parents[1] / "SECURITY.md").read_text(encoding="utf-8")

EXECUTING = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.unsafe_load", "yaml.full_load"}
FORBIDDEN = {"marshal", "shelve", "dill", "cloudpickle", "joblib", "imp", "code", "runpy"}
STARTING = {"subprocess", "multiprocessing", "pty"}
CONNECTING = {
    *("socket", "ssl", "http.client", "urllib.request", "ftplib", "smtplib", "requests", "urllib3", "httpx", "httpx2"),
    *(
        "aiohttp",
        "fsspec",
        "ray",
        "websockets",
        "remotezip",
        "huggingface_hub",
        "uvicorn",
        "wandb",
        "mlflow",
        "lightning.pytorch.loggers.WandbLogger",
    ),
}
# What of pickle a module uses, and on what. No file is unpickled but names of columns, by an unpickler without classes.
PICKLING = {
    "training/jobs.py": {"dumps", "PicklingError"},  # callbacks of Python, to other processes of the same program
    "studio/worker.py": {"UnpicklingError"},  # a worker that was killed
    "video/decode_client.py": {"dumps"},  # the request, on the command line of the process that decodes
    "video/decode_process.py": {"loads"},  # the same
    "timeline/hdf5.py": {"dumps", "load"},  # what to try, to the process that tries it
    "video/pose_hdf5.py": {"Unpickler", "UnpicklingError"},
}
# Where modules are imported by a name, and where that name comes from.
IMPORTING = {
    "formats/otio.py": "the source",
    "studio/worker.py": "the source",
    "timeline/open_table.py": "entry points of installed packages",
}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def place(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def imports(tree: ast.AST) -> set[str]:
    """The modules that are imported anywhere, with the modules above them: `http.client` and `http`."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    parts = [name.split(".") for name in names]
    return {".".join(part[:length]) for part in parts for length in range(1, len(part) + 1)}


def dangers(tree: ast.AST) -> Iterator[str]:
    """Calls that could execute what a file holds, as `line: call`."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name, options = ast.unparse(call.func), {word.arg: ast.unparse(word.value) for word in call.keywords}
        executes = name in EXECUTING or options.get("shell", "False") != "False"
        unpickles = (name == "torch.load" and options.get("weights_only") != "True") or name.startswith("torch.jit.")
        unpickles |= name.endswith(("read_pickle", ".load_from_checkpoint"))
        unpickles |= options.get("allow_pickle", "False") != "False"
        constructs = name == "yaml.load" and options.get("Loader") != "_Loader"
        trusts = name.endswith("from_pretrained") and options.get("trust_remote_code", "False") != "False"
        if executes or unpickles or constructs or trusts:
            yield f"{call.lineno}: {ast.unparse(call)}"


@pytest.mark.parametrize("path", FILES, ids=place)
def test_nothing_of_a_file_is_executed(path: Path) -> None:
    assert list(dangers(parsed(path))) == []
    assert imports(parsed(path)) & FORBIDDEN == set()


@pytest.mark.parametrize(
    "line",
    [
        "eval(text)",
        "exec(text)",
        "np.load(path, allow_pickle=True)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "yaml.load(text, Loader=yaml.Loader)",
        "yaml.load(text)",
        "subprocess.run(text, shell=True)",
        "AutoModel.from_pretrained(path, trust_remote_code=True)",
        "pd.read_pickle(path)",
    ],
)
def test_dangers_are_found(line: str) -> None:
    assert len(list(dangers(ast.parse(line)))) == 1


def test_the_only_loader_of_yaml_makes_plain_values() -> None:
    import yaml

    from keyseg.timeline.yaml_text import _Loader

    assert issubclass(_Loader, yaml.SafeLoader)
    users = {place(path) for path in FILES if re.search(r"yaml\.(load|compose|\w*Loader)\b", path.read_text("utf-8"))}
    assert users == {"timeline/yaml_text.py"}


def test_only_what_is_ours_is_unpickled() -> None:
    used = {}
    for path in FILES:
        names = {
            node.attr
            for node in ast.walk(parsed(path))
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pickle"
        }
        if "pickle" in imports(parsed(path)):
            used[place(path)] = names
    assert used == PICKLING


def test_modules_are_imported_by_name_in_few_places() -> None:
    names = re.compile(r"\b(import_module|entry_points)\(")
    assert {place(path) for path in FILES if names.search(path.read_text("utf-8"))} == set(IMPORTING)


def table(header: str) -> list[list[str]]:
    """The rows of the table of the page that starts with this line."""
    text = PAGE.partition(f"{header}\n")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()[1:]]
    assert rows
    return rows


def words(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


def test_the_page_names_the_modules_that_start_processes() -> None:
    # multiprocessing.connection and .process are types of what video/workers.py starts
    starting = {place(path) for path in FILES if {*imports(parsed(path))} & STARTING} - {"studio/worker.py"}
    assert set().union(*(words(row[0]) for row in table("| module | starts |"))) == starting


def test_the_page_names_the_modules_that_use_the_network() -> None:
    connecting = {place(path) for path in FILES if imports(parsed(path)) & CONNECTING}
    assert set().union(*(words(row[0]) for row in table("| module | for |"))) == connecting


def test_the_page_covers_every_verb_and_every_format() -> None:
    verbs = [name for row in table("| verbs | read |") for name in re.findall(r"`([^`]+)`", row[0])]
    assert sorted(verbs) == sorted([*VERBS, "reproduce"])  # which is a group of verbs
    formats = [name for row in table("| as | formats |") for name in re.findall(r"`([^`]+)`", row[1])]
    assert sorted(formats) == sorted(FORMATS.ours)


@pytest.mark.parametrize("row", table("| what | limit | in |"), ids=lambda row: row[0])
def test_the_limits_are_those_of_the_code(row: list[str]) -> None:
    what, limit, where = row
    file, name = re.findall(r"`([^`]+)`", where)
    found = importlib.import_module(f"keyseg.{file.removesuffix('.py').replace('/', '.')}")
    first, _, rest = name.partition(".")
    value = getattr(found, first)
    if rest:
        value = inspect.signature(value).parameters[rest].default
    assert value == int(limit.replace(",", "")), what
