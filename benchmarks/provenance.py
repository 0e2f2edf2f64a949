"""Where the numbers of a benchmark come from, and how they are written."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def provenance() -> dict[str, str]:
    """Command, commit, versions and machine."""
    import torch

    from keyseg.timeline.version import __version__
    from keyseg.training.run import source_commit

    return {
        "command": shlex.join(["python", *(os.path.relpath(a) if a.endswith(".py") else a for a in sys.argv)]),
        "commit": source_commit(),
        "keyseg": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{_processor()}, {os.cpu_count()} processors, {platform.system()}",
    }


def write_results(
    path: Path, title: str, table: Sequence[str], rows: Any, origin: dict[str, str], note: str = ""
) -> None:
    """Write `path`.md and `path`.json."""
    path.parent.mkdir(parents=True, exist_ok=True)
    origins = [f"- {key}: {value}" for key, value in origin.items()]
    lines = [f"# {title}", "", *table, "", *([note, ""] if note else []), *origins]
    path.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    path.with_suffix(".json").write_text(json.dumps({"rows": rows, "provenance": origin}, indent=1) + "\n")
    print("\n".join(lines))


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        return next(line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
