"""Packages of somebody else, as pip leaves them in a folder: modules, and their entry points in a dist-info."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path

OWN_SYSTEM = Path(__file__).parents[1] / "examples" / "own_system"


def install(
    site: Path, package: str, entry_points: Mapping[str, Mapping[str, str]], version: str = "1.0", **modules: str
) -> Path:
    """Install a package with these entry points by group and name, and modules by name; return its dist-info."""
    info = site / f"{package.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    groups = (f"[{group}]\n{_lines(entries)}\n" for group, entries in entry_points.items())
    (info / "entry_points.txt").write_text("\n".join(groups))
    for name, text in modules.items():
        (site / f"{name}.py").write_text(text)
    return info


def install_own_system(site: Path) -> Path:
    """Install the package of examples/own_system."""
    project = tomllib.loads((OWN_SYSTEM / "pyproject.toml").read_text(encoding="utf-8"))
    for name in project["tool"]["setuptools"]["packages"]:
        shutil.copytree(OWN_SYSTEM / name, site / name)
    project = project["project"]
    return install(site, project["name"], project["entry-points"], project["version"])


def _lines(entries: Mapping[str, str]) -> str:
    return "\n".join(f"{name} = {value}" for name, value in entries.items())
