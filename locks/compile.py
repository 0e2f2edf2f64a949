"""Write the locks beside this file, each dependency with its version and the hashes of its files for every system, and
constraints.txt above it.

    python locks/compile.py              # after a change of pyproject.toml; versions that are locked stay
    python locks/compile.py --upgrade    # with the newest versions that pyproject.toml allows

`make lock` and `make upgrade` run it in an environment with uv. README.md says what each lock is for.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import unquote
from urllib.request import urlopen

HERE = Path(__file__).parent
PYPROJECT = str(HERE.parent / "pyproject.toml")
PYTHON = "3.11.5"  # the oldest that all packages of the extra dev support
TORCH_INDEX = "https://download.pytorch.org/whl/cpu/torch/"
REQUIREMENTS = {
    "build": ["hatchling>=1.27", "editables>=0.5"],  # hatchling needs the latter for an editable installation
    "tools": ["build", "cyclonedx-bom", "pip-audit", "twine", "uv"],  # in an environment of their own
}
LAYERS = {  # extras of a lock, and the locks that it includes
    "core": ([], []),
    "train": (["train"], ["core"]),
    "studio": (["studio"], ["core"]),
    "test": (["test"], ["train", "studio"]),
    "dev": (["test", "dev"], ["test", "build"]),
}
TORCH = re.compile(r"torch$|triton$|nvidia-|cuda-")  # in the locks cpu and cuda, of which one is chosen


def entries(text: str) -> dict[str, str]:
    """The requirements of a lock by name, each as its lines: version, systems, hashes."""
    blocks = re.findall(r"^[a-z0-9].*?[^\\]$", text, re.MULTILINE | re.DOTALL)
    return {block.split("==")[0].partition("[")[0]: block for block in blocks}


def locked() -> str:
    """Name and version of all that is locked."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(HERE.glob("*.txt")) if path.stem != "cpu"]
    return "\n".join(re.findall(r"^[a-z0-9][^\s;\\]*==[^\s;\\]+", "\n".join(texts), re.MULTILINE))


def resolved(pins: str, requirements: list[str], extras: list[str] | None = None) -> dict[str, str]:
    """What uv resolves for all systems, with `pins` as constraints. With `extras`: of pyproject.toml too."""
    with tempfile.TemporaryDirectory() as folder:
        wanted, pinned = Path(folder) / "wanted.in", Path(folder) / "pinned.txt"
        wanted.write_text("\n".join(requirements), encoding="utf-8")
        pinned.write_text(pins, encoding="utf-8")
        command = [
            "uv",
            "pip",
            "compile",
            "--universal",
            "--generate-hashes",
            "--no-annotate",
            "--no-header",
            "--quiet",
        ]
        command += ["--python-version", PYTHON, "--constraints", str(pinned), str(wanted)]
        if extras is not None:
            command += [PYPROJECT, *(f"--extra={extra}" for extra in extras)]
        return entries(subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout)


def cpu_wheels(version: str, index: str) -> str:
    """PyTorch for CPUs on Linux, which only its own index has: the wheels elsewhere need NVIDIA's packages."""
    with urlopen(index) as page:
        links = re.findall(r"([^/\"]+\.whl)#sha256=([0-9a-f]{64})", page.read().decode())
    name = re.compile(rf"torch-{re.escape(version)}\+cpu-cp3(1[1-9]|[2-9]\d)-\S*linux\S*_(x86_64|aarch64)\.whl")
    hashes = sorted({sha for link, sha in links if name.fullmatch(unquote(link))})
    if not hashes:
        raise SystemExit(f"{index} lists no wheels of torch {version} for CPUs on Linux")
    return " \\\n    ".join(
        [f"torch=={version}+cpu ; sys_platform == 'linux'", *(f"--hash=sha256:{sha}" for sha in hashes)]
    )


def write(name: str, requirements: list[str], includes: list[str]) -> None:
    lines = ["# Written by locks/compile.py", *(f"-r {other}.txt" for other in includes), *requirements]
    (HERE / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def included(name: str) -> set[str]:
    """The packages of a lock and of those that it includes."""
    text = (HERE / f"{name}.txt").read_text(encoding="utf-8")
    return set(entries(text)).union(*(included(other) for other in re.findall(r"^-r (\w+)", text, re.MULTILINE)))


def write_all(pins: str, torch_index: str) -> None:
    everything = resolved(pins, REQUIREMENTS["build"], ["test", "dev"])
    together = "\n".join(block.split(" ")[0] for block in everything.values())
    for name, requirements in REQUIREMENTS.items():
        write(name, list(resolved(f"{together}\n{pins}", requirements).values()), [])
    for name, (extras, includes) in LAYERS.items():
        wanted = resolved(together, [], extras)
        have = set[str]().union(*map(included, includes))
        write(name, [text for key, text in wanted.items() if key not in have and not TORCH.match(key)], includes)
    version, _, hashes = everything.pop("torch").removeprefix("torch==").partition(" ")
    elsewhere, linux = (f"torch=={version} ; sys_platform {is_} 'linux' {hashes}" for is_ in ("!=", "=="))
    write("cpu", [cpu_wheels(version, torch_index), elsewhere], [])
    write("cuda", [linux, *(text for key, text in everything.items() if TORCH.match(key))], [])


def constraints() -> str:
    """The versions of all locks without hashes, for `pip install -c constraints.txt`; of PyTorch any build."""
    texts = "\n".join(path.read_text(encoding="utf-8") for path in HERE.glob("*.txt") if path.stem != "tools")
    versions = set(re.findall(r"^([a-z0-9][^\s;\\+\[]*)(?:\[[^\]]*\])?(==[^\s;\\+]+)", texts, re.MULTILINE))
    lines = sorted("".join(one) for one in versions)
    head = "# Written by locks/compile.py: the locked versions, for pip install -c constraints.txt"
    return "\n".join([head, *lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the locks.")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    parser.add_argument("--torch-index", default=TORCH_INDEX, help="page that lists PyTorch's wheels for CPUs")
    options = parser.parse_args()
    write_all("" if options.upgrade else locked(), options.torch_index)
    (HERE.parent / "constraints.txt").write_text(constraints(), encoding="utf-8")


if __name__ == "__main__":
    main()
