"""The locks against pyproject.toml, each other and the commands that install them."""

from __future__ import annotations

import re
import runpy
import tomllib
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
LOCKS = ROOT / "locks"
NAMES = sorted(path.stem for path in LOCKS.glob("*.txt"))
COMPILE = runpy.run_path(str(LOCKS / "compile.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
OPTIONAL = PROJECT["project"]["optional-dependencies"]


@cache
def own(name: str) -> dict[str, list[Requirement]]:
    """The requirements in one file by package; several where systems differ."""
    found: dict[str, list[Requirement]] = {}
    for line in re.findall(r"^[a-z0-9].*", (LOCKS / f"{name}.txt").read_text(encoding="utf-8"), re.MULTILINE):
        requirement = Requirement(line.rstrip(" \\"))
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def version(requirement: Requirement) -> Version:
    (only,) = requirement.specifier
    assert only.operator == "=="
    return Version(only.version)


def pinned(name: str) -> dict[str, Version]:
    """Version by package of a lock with all that it includes, and of `cpu`, which is installed with it."""
    text = (LOCKS / f"{name}.txt").read_text(encoding="utf-8")
    versions = {package: version(found[0]) for package, found in own(name).items()}
    for other in re.findall(r"^-r (\w+)\.txt", text, re.MULTILINE):
        versions |= pinned(other)
    return versions


def wanted(extras: list[str]) -> list[Requirement]:
    """What pyproject.toml asks for with these extras, also through `keyseg[...]`."""
    found = [*map(Requirement, PROJECT["project"]["dependencies"])]
    for requirement in (Requirement(line) for extra in extras for line in OPTIONAL[extra]):
        found += wanted(sorted(requirement.extras)) if requirement.name == "keyseg" else [requirement]
    return found


def missing(requirements: list[Requirement], versions: dict[str, Version]) -> list[str]:
    """Requirements without a locked version that they allow."""
    locked = {str(each): versions.get(canonicalize_name(each.name)) for each in requirements}
    allowed = {str(each): each.specifier for each in requirements}
    return [name for name, found in locked.items() if found is None or found not in allowed[name]]


@pytest.mark.parametrize("name", COMPILE["LAYERS"])
def test_a_lock_has_all_that_pyproject_asks_for(name: str) -> None:
    extras, _ = COMPILE["LAYERS"][name]
    assert missing(wanted(extras), pinned(name) | pinned("cpu")) == []


def test_the_extras_are_all_locked() -> None:
    assert missing(wanted(list(OPTIONAL)), pinned("dev") | pinned("cpu")) == []
    assert missing([*map(Requirement, PROJECT["build-system"]["requires"])], pinned("build")) == []
    assert missing([Requirement("torch>=9"), Requirement("nothing")], pinned("cpu")) == ["torch>=9", "nothing"]


def test_a_package_has_one_version() -> None:
    found: dict[str, set[Version]] = {}
    for name in NAMES:
        for package, requirements in own(name).items():
            found.setdefault(package, set()).update(Version(version(each).public) for each in requirements)
    assert {package: versions for package, versions in found.items() if len(versions) > 1} == {}


@pytest.mark.parametrize("name", NAMES)
def test_every_file_has_its_hash(name: str) -> None:
    text = (LOCKS / f"{name}.txt").read_text(encoding="utf-8")
    entries = COMPILE["entries"](re.sub(r"^torch==\S+ ; sys_platform == .*", "torch-linux==0 \\\\", text, flags=re.M))
    assert len(entries) == sum(map(len, own(name).values()))
    one = r"[a-z0-9.\-\[\]]+==\S+( ; [^\\\n]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+"
    assert [key for key, entry in entries.items() if not re.fullmatch(one, entry)] == []


def test_the_constraints_are_the_locked_versions() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert text == COMPILE["constraints"]()
    found = {line.partition("==")[0]: line.partition("==")[2] for line in text.splitlines()[1:]}
    locked = {str(each): str(version.public) for each, version in (pinned("dev") | pinned("cpu")).items()}
    assert {name: found[name] for name in locked} == locked


def test_torch_is_chosen_apart_from_the_rest() -> None:
    apart = {name for name in NAMES if any(COMPILE["TORCH"].match(package) for package in own(name))}
    assert apart == {"cpu", "cuda"}
    linux = {name: [each for each in own(name)["torch"] if "==" in str(each.marker)] for name in apart}
    assert {name: version(found[0]).local for name, found in linux.items()} == {"cpu": "cpu", "cuda": None}
    assert set(own("cpu")) == {"torch"}


def unlocked(text: str) -> list[str]:
    """Commands that let pip choose a version: neither with hashes, nor without dependencies, nor without an index."""
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    parts = [part for line in lines for part in line.split(" && ") if re.search(r"pip\b.*\binstall ", part)]
    safe = ("--require-hashes", "--no-deps --no-build-isolation", "--no-deps dist/", "--no-index", "$(INSTALL)")
    return [part.strip() for part in parts if not any(word in part for word in safe)]


@pytest.mark.parametrize(
    "path",
    [
        "Makefile",
        "Dockerfile",
        ".ci/run",
        *(f".github/workflows/{name}.yml" for name in ("ci", "dependencies", "release")),
    ],
)
def test_nothing_is_installed_without_its_hash(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    text = re.sub(r"^\s*(#|INSTALL :=).*", "", text, flags=re.MULTILINE)
    assert unlocked(text) == []
    assert "(INSTALL)" not in re.sub(r"\$\(INSTALL\) (--require-hashes|--no-build-isolation -e \.)", "", text)


def test_an_installation_without_hashes_is_found() -> None:
    assert (
        len(unlocked("- run: python -m pip install build\nRUN pip install --require-hashes -r x && pip install .")) == 2
    )


def test_the_hook_has_the_locked_ruff() -> None:
    hook = re.search(r"ruff-pre-commit\n\s+rev: v(\S+)", (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert hook
    assert Version(hook[1]) == pinned("dev")["ruff"]
