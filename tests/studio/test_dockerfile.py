"""The Dockerfile without Docker: its lines are read, and those that can be are run."""

from __future__ import annotations

import fnmatch
import itertools
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import keyseg
from drawn_films import write_untrained_bundle

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
LINES = [line for line in re.sub(r"\\\n\s*", "", TEXT).splitlines() if line and not line.startswith("#")]
STEPS = [tuple(line.split(maxsplit=1)) for line in LINES]


def of(instruction: str) -> list[str]:
    return [rest for name, rest in STEPS if name == instruction]


def is_ignored(path: str) -> bool:
    """Whether .dockerignore leaves a path out; the last line that fits it, or a folder above it, decides."""
    parts, ignored = path.split("/"), False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!").rstrip("/")
        above = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        names = parts if pattern.startswith("**/") else above
        if any(fnmatch.fnmatchcase(name, pattern.removeprefix("**/")) for name in names):
            ignored = not line.startswith("!")
    return ignored


def test_the_base_is_pinned():
    (base,) = of("FROM")
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", base)
    with (ROOT / "pyproject.toml").open("rb") as file:
        requires = tomllib.load(file)["project"]["requires-python"]
    from packaging.specifiers import SpecifierSet

    assert SpecifierSet(requires).contains(re.search(r"\d+\.\d+\.\d+", base)[0])


def test_only_what_is_needed_is_copied():
    assert of("ADD") == []
    sources = [source for line in of("COPY") for source in line.split()[:-1]]
    assert sources == ["pyproject.toml", "README.md", "LICENSE", "locks", "src"]
    for source in sources:
        assert (ROOT / source).exists()
        assert not is_ignored(source)


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".env",
        "data/film.mp4",
        "runs/mine/split1/seed0/bundle/weights.safetensors",
        "tests/x.py",
        "id_rsa",
        "src/keyseg/__pycache__/x.pyc",
        ".keyseg/studio.sqlite",
        "results/README.md",
    ],
)
def test_data_runs_and_secrets_stay_outside(path):
    assert is_ignored(path)


def test_what_is_needed_is_not_left_out():
    assert not is_ignored("src/keyseg/studio/page/index.html")


def test_no_secret_is_in_the_image():
    assert not re.search(r"(?i)(token|secret|password)\s*=", TEXT)
    assert all(name not in ("ARG",) for name, _ in STEPS)
    assert "--token" not in of("ENTRYPOINT")[0]


def test_the_packages_are_locked():
    (command,) = [line for line in of("RUN") if "pip install" in line]
    locked, package = (shlex.split(part) for part in command.split("&&"))
    assert {"--require-hashes", "--no-deps"} <= set(locked)
    assert locked[locked.index("--extra-index-url") + 1] == "https://download.pytorch.org/whl/cpu"
    files = [word for before, word in itertools.pairwise(locked) if before == "-r"]
    assert files == ["locks/cpu.txt", "locks/build.txt", "locks/studio.txt"]
    assert all((ROOT / file).is_file() and not is_ignored(file) for file in files)
    assert package[-3:] == ["--no-deps", "--no-build-isolation", "."]


def test_the_user_is_not_root():
    names = [name for name, _ in STEPS]
    (user,) = of("USER")
    assert int(user) > 0
    assert any(f"useradd --uid {user} " in line for line in of("RUN"))
    after = names[names.index("USER") :]
    assert "RUN" not in after
    assert "COPY" not in after
    assert "ENTRYPOINT" in after


@pytest.mark.slow
def test_the_server_starts_as_it_says_and_is_healthy(tmp_path):
    program, *words = json.loads(of("ENTRYPOINT")[0])
    assert program == "keyseg"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    bundle = write_untrained_bundle(tmp_path / "bundle")
    used = {"/bundle": str(bundle), "8000": port}
    command = [sys.executable, "-m", "keyseg", *(used.get(word, word) for word in words), "--token", "x" * 16]
    check = json.loads(of("HEALTHCHECK")[0].partition("CMD ")[2])
    assert check[:2] == ["python", "-c"]
    assert of("EXPOSE") == ["8000"]
    assert "127.0.0.1:8000/health" in check[2]
    healthy = [sys.executable, "-c", check[2].replace("8000", port)]
    source = str(Path(keyseg.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([source, *sys.path])}
    server = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout.readline().startswith("http://")
        for _ in range(100):
            if (done := subprocess.run(healthy, capture_output=True)).returncode == 0:
                break
        assert done.returncode == 0, done.stderr
    finally:
        server.terminate()
        server.communicate(timeout=60)
    assert subprocess.run(healthy, capture_output=True).returncode != 0
