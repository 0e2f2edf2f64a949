"""What `import keyseg` offers: these names, loaded on first use, each with an example; and the code of the README."""

from __future__ import annotations

import ast
import importlib
import inspect
import pydoc
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import keyseg

README = Path(__file__).parents[1] / "README.md"
HOMES = {
    "Annotation": "keyseg.timeline.intervals",
    "AnnotationOptions": "keyseg.formats.format",
    "Interval": "keyseg.timeline.intervals",
    "KeysegError": "keyseg.timeline.errors",
    "LabelMap": "keyseg.timeline.labels",
    "Prediction": "keyseg.inference.prediction",
    "Predictor": "keyseg.inference.predictor",
    "Report": "keyseg.metrics.report",
    "Segment": "keyseg.timeline.segmentation",
    "Segmentation": "keyseg.timeline.segmentation",
    "Stream": "keyseg.inference.stream",
    "TimeBase": "keyseg.timeline.timebase",
    "compare": "keyseg.training.evaluation",
    "evaluate": "keyseg.training.evaluation",
    "export": "keyseg.inference.export",
    "features": "keyseg.video.make_features",
    "init": "keyseg.video.user_dataset",
    "load": "keyseg.inference.bundle",
    "propose": "keyseg.proposals.propose",
    "pull": "keyseg.inference.sharing",
    "push": "keyseg.inference.sharing",
    "read": "keyseg.formats.read_write",
    "reassemble": "keyseg.keypoints.reassembly",
    "stream": "keyseg.inference.streaming",
    "train": "keyseg.training.train",
    "tune": "keyseg.training.tune",
    "write": "keyseg.formats.read_write",
}
ROOMS = {path.name for path in Path(keyseg.__file__).parent.iterdir() if path.is_dir()}


def test_the_public_names_are_these():
    assert keyseg.__all__ == sorted([*HOMES, "__version__"])
    assert set(keyseg.__all__) <= set(dir(keyseg))


def test_no_room_hides_a_public_name():
    assert not ROOMS & set(HOMES)


def test_a_star_import_brings_all_public_names():
    namespace: dict[str, object] = {}
    exec("from keyseg import *", namespace)
    assert {name for name in namespace if name != "__builtins__"} == set(keyseg.__all__)


def test_help_shows_the_overview_and_every_function():
    page = pydoc.plain(pydoc.render_doc(keyseg))
    assert page.index("Temporal action segmentation:") < page.index("Your own videos.") < page.index("    train(")
    assert all(f"    {name}(" in page for name in HOMES if name.islower())
    assert all(f"class {name}(" in page for name in HOMES if not name.islower())


@pytest.mark.parametrize(
    ("name", "verb"),
    [
        ("train", "train"),
        ("features", "features"),
        ("init", "init"),
        ("propose", "propose"),
        ("stream", "stream"),
        ("evaluate", "eval"),
    ],
)
def test_a_function_has_the_options_of_its_verb(name, verb):
    function = inspect.signature(getattr(keyseg, name)).parameters
    module = importlib.import_module(f"keyseg.cli.{verb}")
    named = set(inspect.signature(getattr(module, f"{verb}_verb")).parameters)
    # Of evaluate: its other argument, what to print, what to draw; comparing is a function of its own.
    printed = {"run", "details", "json_", "compare", "analysis"}
    assert named - printed <= set(function)
    assert set(function) - named <= {"report", "progress", "notify", "callbacks", "command", "bootstrap", "seed"}


def test_the_version_has_one_place():
    pyproject = tomllib.loads((README.parent / "pyproject.toml").read_text(encoding="utf-8"))
    assert pyproject["project"]["dynamic"] == ["version"]
    place = README.parent / pyproject["tool"]["hatch"]["version"]["path"]
    assert f'__version__ = "{keyseg.__version__}"' in place.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(("name", "home"), HOMES.items())
def test_public_names_come_from_their_rooms(name, home):
    assert getattr(keyseg, name) is getattr(importlib.import_module(home), name)


def test_what_a_type_checker_sees_is_what_runs():
    stub = ast.parse(Path(keyseg.__file__).with_name("__init__.pyi").read_text(encoding="utf-8"))
    assert all(isinstance(node, ast.ImportFrom) and node.level == 1 for node in stub.body)
    seen = {alias.asname: (f"keyseg.{node.module}", alias.name) for node in stub.body for alias in node.names}
    assert set(seen) == set(keyseg.__all__)
    for name, (module, inside) in seen.items():
        assert getattr(importlib.import_module(module), inside) is getattr(keyseg, name)


def loaded_after(code: str) -> set[str]:
    """The modules of keyseg, NumPy and PyTorch that a fresh Python has loaded after `code`."""
    code += "\nimport sys; print(*(m for m in sys.modules if m.split('.')[0] in ('keyseg', 'numpy', 'torch')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_names_are_loaded_on_first_use():
    assert loaded_after("import keyseg") == {"keyseg"}
    after = loaded_after("import keyseg; keyseg.Segmentation")
    assert {"keyseg.timeline", "numpy"} <= after
    assert not {"keyseg.metrics", "keyseg.inference", "torch"} & after
    assert "torch" not in loaded_after("import keyseg; keyseg.evaluate, keyseg.reassemble, keyseg.train, keyseg.init")
    assert "torch" not in loaded_after("import keyseg; keyseg.read, keyseg.write, keyseg.features")


@pytest.mark.parametrize("name", ["lod", "KeypointDecoder", "_absent"])
def test_an_unknown_name_is_an_attribute_error(name):
    with pytest.raises(AttributeError, match=f"^No keyseg attribute {name}$"):
        getattr(keyseg, name)
    assert not hasattr(keyseg, name)


def test_from_import_works_and_fails_as_usual():
    namespace: dict[str, object] = {}
    exec("from keyseg import Segment, reassemble", namespace)
    assert namespace["Segment"] is keyseg.Segment
    with pytest.raises(ImportError, match="cannot import name 'absent' from 'keyseg'"):
        exec("from keyseg import absent", {})


def python_blocks(text: str) -> list[tuple[int, str]]:
    """First line and code of each ```python block."""
    blocks = re.finditer(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [(text[: block.start()].count("\n") + 2, block[1]) for block in blocks]


def names_used(code: str) -> set[str]:
    """Every x of `keyseg.x` and `from keyseg import x`."""
    tree = ast.walk(ast.parse(code))
    used = set()
    for node in tree:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "keyseg":
            used.add(node.attr)
        elif isinstance(node, ast.ImportFrom) and node.module == "keyseg":
            used |= {alias.name for alias in node.names}
    return used


def test_the_search_for_code_finds_it():
    code = "from keyseg import load\nkeyseg.evaluate()\n"
    text = f"# Title\n\n```python\n{code}```\n\n```\nnot python\n```\n```python\nx = 1\n```\n"
    assert python_blocks(text) == [(4, code), (12, "x = 1\n")]
    assert names_used(code) == {"load", "evaluate"}


def test_the_code_of_the_readme_compiles_and_uses_names_that_exist():
    for line, code in python_blocks(README.read_text(encoding="utf-8")):
        where = f"README.md:{line}"
        compile(code, where, "exec")
        assert names_used(code) <= set(keyseg.__all__) | ROOMS, where
