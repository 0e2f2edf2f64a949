"""Kinds of jobs for tests of the queue, imported by its worker processes: this file plays all of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from keyseg.timeline import DataError
from keyseg.timeline.files import whole_file

SINGLE = True


def gather(store: Any, asked: dict[str, Any]) -> dict[str, Any]:
    if asked.get("refuse"):
        raise DataError("this cannot be prepared")
    return asked | {"folder": str(store.folder)}


def work(request: dict[str, Any], report: Any) -> dict[str, Any]:
    return globals()[request["do"]](request, report)


def save(store: Any, request: dict[str, Any], part: dict[str, Any]) -> Any:
    (Path(request["folder"]) / f"part{part['number']}").write_text("saved")
    yield "saved", {"number": part["number"]}


def count(request: dict[str, Any], report: Any) -> dict[str, Any]:
    curve = []
    for number in range(3):
        curve.append({"epoch": number, "loss": 1 / (number + 1)})
        report((number + 1) / 3, f"number {number}", part={"number": number}, curve=curve)
    return {"sum": 3, "curve": curve}


def note(request: dict[str, Any], report: Any) -> dict[str, Any]:
    """Say in a file, in order, that it ran."""
    with (Path(request["folder"]) / "order").open("a") as file:
        file.write(f"{request['name']}\n")
    return {}


def endless(request: dict[str, Any], report: Any) -> dict[str, Any]:
    """Writes a file that never becomes whole, and has a child that never ends; says the numbers of both."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (Path(request["scratch"]) / "half").write_text("half")
    with whole_file(Path(request["folder"]) / ".keyseg" / "film.mp4") as partial:
        partial.write_text("half")
        report(0.5, "half way", processes=[os.getpid(), child.pid])
        while True:
            time.sleep(1)


def killed(request: dict[str, Any], report: Any) -> dict[str, Any]:
    report(0.25, "a quarter", part={"number": 7})
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def leaves(request: dict[str, Any], report: Any) -> dict[str, Any]:
    os._exit(3)


def data_error(request: dict[str, Any], report: Any) -> dict[str, Any]:
    raise DataError("film.mp4: damaged; fetch it again")


def bug(request: dict[str, Any], report: Any) -> dict[str, Any]:
    raise ZeroDivisionError("by zero")


def memory(request: dict[str, Any], report: Any) -> dict[str, Any]:
    raise MemoryError
