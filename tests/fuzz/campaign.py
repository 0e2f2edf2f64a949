"""Runs readers over mutated inputs in processes of their own, and says what was found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzz.readers import READERS

_SILENT = 300  # seconds without a line from a process, which then waits for something that never comes
Job = tuple[str, int, int, int]
"""Reader, seed, first number and the number after the last."""


@dataclass(frozen=True)
class Finding:
    """An input after which something was wrong."""

    reader: str
    seed: int
    number: int
    wrong: str

    def __str__(self) -> str:
        return f"{self.reader}, input {self.number}: {self.wrong}"


@dataclass
class Figures:
    """What became of the inputs of one reader."""

    inputs: int = 0
    read: int = 0
    refused: int = 0
    slowest: float = 0.0
    memory: int = 0
    longest: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, result: dict[str, Any]) -> None:
        """Count one input."""
        self.inputs += 1
        self.read += result["outcome"] == "read"
        self.refused += result["outcome"] == "refused"
        self.slowest = max(self.slowest, result["seconds"])
        self.memory = max(self.memory, result["memory"])
        self.longest = max(self.longest, result["longest"])


def run(jobs: Iterable[Job]) -> dict[str, Figures]:
    """The figures of each reader. One process does all jobs; after an input that ends it, another one continues."""
    waiting, figures = list(jobs), {name: Figures() for name, *_ in jobs}
    while waiting:
        at = None
        for line in _lines(waiting):
            if "outcome" not in line:
                at = line
                continue
            assert at is not None
            found, number, (name, seed, _, after) = figures[at["reader"]], at["number"], waiting[0]
            found.add(line)
            if line["wrong"]:
                found.findings.append(Finding(name, seed, number, line["wrong"]))
            waiting[:1] = [(name, seed, number + 1, after)] if number + 1 < after else []
            at = None
        if waiting and at is None:
            raise RuntimeError(f"the process that reads {waiting[0][0]} did not start; see what it printed above")
        if at is not None:
            name, seed, _, after = waiting[0]
            figures[name].inputs += 1
            figures[name].findings.append(Finding(name, seed, at["number"], "the process died, or hung"))
            waiting[:1] = [(name, seed, at["number"] + 1, after)] if at["number"] + 1 < after else []
    return figures


def _lines(jobs: list[Job]) -> Iterator[dict[str, Any]]:
    """What a worker says; it ends with the last job, or when it dies or has been silent for long."""
    tests = Path(__file__).parents[1]
    paths = os.pathsep.join(filter(None, (str(tests), os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        [sys.executable, "-m", "fuzz.worker", json.dumps(jobs)],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        # processes that a reader starts find it compiled, as an installed package is
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": ""},
    )
    with process:
        assert process.stdout is not None
        while True:
            watch = threading.Timer(_SILENT, process.kill)
            watch.start()
            line = process.stdout.readline()
            watch.cancel()
            if not line:
                return
            yield json.loads(line)


def table(figures: dict[str, Figures]) -> str:
    """The figures as a table."""
    head = ("reader", "inputs", "read", "refused", "other", "slowest s", "memory MiB", "message")
    rows = [
        (
            *(name, f"{one.inputs:,}", f"{one.read:,}", f"{one.refused:,}", str(len(one.findings))),
            *(f"{one.slowest:.2f}", f"{one.memory / 2**20:.0f}", str(one.longest)),
        )
        for name, one in figures.items()
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in (head, *rows)
    )


def share(name: str, text: int, binary: int) -> int:
    """How many inputs a reader gets."""
    reader = READERS[name]
    return max(1, (binary if reader.binary else text) // reader.slow)
