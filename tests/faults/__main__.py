"""Every verb that writes, with a fault at every change of the file system: python tests/faults [VERB ...] [--every N]

Prints a table: the points of each verb, how many were right, and after how many something was left over.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults.injection import KINDS, Content, Ended, Fault, compiled_shim, content_of, run_child, started_with

_READY = "KEYSEG_FAULTS"
_MADE: dict[tuple[str, str], Any] = {}
_PICTURE = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>'


@dataclass
class Row:
    """A verb in the table. wrong: what happened at each point that is not right."""

    verb: str
    changes: int = 0
    points: int = 0
    left: int = 0
    wrong: list[str] = field(default_factory=list)


class Bench:
    """Runs verbs in a folder that is always the same, since some files name their paths."""

    def __init__(self, root: Path, name: str) -> None:
        from faults.verbs import VERBS

        self.verb, self.place, self.records = VERBS[name], root / "place", root / "records"
        self.ready = root / "ready"
        for folder in (self.place, self.ready):
            shutil.rmtree(folder, ignore_errors=True)
        self.records.mkdir(exist_ok=True)
        self.place.mkdir()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            self.verb.needs(self.place)
        (self.place / "tmp").mkdir()
        self.place.rename(self.ready)

    def fresh(self) -> None:
        """What there is before the verb is run."""
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.copytree(self.ready, self.place)

    def run(self, fault: Fault | None = None, *, again: bool = False) -> Ended:
        """Run the verb, or what continues it."""
        words = (self.verb.again if again and self.verb.again else self.verb.command)(self.place)
        return run_child(lambda: _run([str(word) for word in words], self.place), self.place, fault, self.records)

    def warm_up(self) -> None:
        """Run the verb in this process, so that its children have imported everything."""
        self.fresh()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            _run([str(word) for word in self.verb.command(self.place)], self.place)

    def content(self) -> Content:
        """What is there now."""
        ignored = re.compile("|".join(self.verb.ignored) or "(?!)")
        return {name: entry for name, entry in content_of(self.place).items() if not ignored.search(name)}


def _run(words: Sequence[str], place: Path) -> int:
    os.chdir(place)
    from matplotlib.figure import Figure

    from keyseg.cli.main import run
    from keyseg.inference import export
    from keyseg.training import run as runs

    for slow in ("_program", "_onnx"):
        setattr(export, slow, _remembered(slow, getattr(export, slow)))
    runs.source_commit = lambda: "0123456789ab"
    time.perf_counter = lambda: 0.0
    Figure.savefig = lambda figure, buffer, **_: buffer.write(_PICTURE)  # in memory, and half of a small training
    return run(words)


def _remembered(name: str, make: Callable[..., Any]) -> Callable[..., Any]:
    """A translation of the network, which is the same each time and takes seconds; it changes no file."""
    from keyseg.inference import export

    def remembered(*given: Any) -> Any:
        key = name, next(type(part).__name__ for part in given if isinstance(part, export._Part))
        if key not in _MADE:
            _MADE[key] = make(*given)
        return _MADE[key]

    return remembered


def try_verb(root: Path, name: str, every: int, begin: int) -> Row:
    """A verb with each fault at every point, or at every n-th from `begin` on."""
    bench, row = Bench(root, name), Row(name)
    bench.warm_up()
    bench.fresh()
    calm = bench.run()
    expected = bench.content()
    bench.fresh()
    if calm.code or bench.run().code or bench.content() != expected:
        row.wrong.append(
            f"undisturbed, it is not the same twice: {_difference(bench.content(), expected)} {calm.output}"
        )
        return row
    row.changes = len(calm.changes)
    for fault in _faults(row.changes, every, begin):
        bench.fresh()
        problems, left = _try(bench, fault, expected)
        row.points += 1
        row.left += left
        if problems:
            place = calm.changes[fault.at - 1].split(" ", 1)[1].replace(str(bench.place), "")
            row.wrong.append(f"{fault} ({place}): {'; '.join(problems)}")
            print(f"  {name}: {row.wrong[-1]}", file=sys.stderr, flush=True)
    return row


def _faults(changes: int, every: int, begin: int) -> Iterator[Fault]:
    faults = [Fault(at, kind, lasting) for at in range(1, changes + 1) for kind, lasting in KINDS]
    yield from faults[begin % every :: every]


def _try(bench: Bench, fault: Fault, expected: Content) -> tuple[list[str], bool]:
    """What is not right about a fault and what follows, and whether something is left over."""
    before = content_of(bench.ready)
    ended = bench.run(fault)
    problems = list(_wrong_end(ended, fault, bench.place))
    kept = set(content_of(bench.place).values())
    for path in bench.verb.earlier:
        if before[path] not in kept and expected[path] not in kept:
            problems.append(f"{path} is lost")
    again = bench.run(again=True)
    found = bench.content()
    refused = again.code == 2 and re.search("exists|is not empty", again.output)
    if again.code and not (refused and found == expected):
        problems.append(f"again: exit code {again.code}: {_last(again.output)}")
    left = bool(set(found) - set(expected))
    if found != expected:
        problems.append(f"afterwards: {_difference(found, expected)}")
    return problems, left


def _wrong_end(ended: Ended, fault: Fault, place: Path) -> Iterator[str]:
    if fault.kind == "kill":
        return
    if ended.code not in (0, 1):
        yield f"exit code {ended.code}: {_last(ended.output)}"
    if "Traceback" in ended.output or "bug in keyseg" in ended.output:
        yield f"a traceback: {_last(ended.output)}"
    if ended.code == 1 and str(place) not in ended.output:
        yield f"no file is named: {_last(ended.output)}"


def _last(output: str) -> str:
    return " | ".join(output.strip().splitlines()[-2:])[-300:]


def _difference(found: Content, expected: Content) -> str:
    names = {
        "more": sorted(set(found) - set(expected)),
        "missing": sorted(set(expected) - set(found)),
        "other": sorted(name for name in set(found) & set(expected) if found[name] != expected[name]),
    }
    return ", ".join(f"{what} {', '.join(those[:4])}" for what, those in names.items() if those)


def _memory() -> str | None:
    """A folder in memory, where waiting for the disk takes no time; None where there is none."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verbs", nargs="*")
    parser.add_argument("--every", type=int, default=1, help="try each n-th point of each verb")
    parser.add_argument("--begin", type=int, default=0, help="the first of these")
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    given = parser.parse_args(arguments)
    if not given.json:
        return _side_by_side(given.verbs, ("--every", str(given.every), "--begin", str(given.begin)))
    if _READY not in os.environ:
        os.environ[_READY] = "1"
        library = compiled_shim(Path(tempfile.mkdtemp()))
        os.execve(sys.executable, [sys.executable, __file__, *arguments], started_with(library))
    import torch

    from faults.verbs import VERBS

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        rows = [try_verb(Path(folder), name, given.every, given.begin) for name in given.verbs or VERBS]
    print(json.dumps([vars(row) for row in rows]))
    return int(any(row.wrong for row in rows))


def _side_by_side(verbs: Sequence[str], options: Sequence[str]) -> int:
    """The verbs on all processors, each in processes of its own."""
    from faults.verbs import VERBS

    def rows_of(verb: str) -> list[Row]:
        command = [sys.executable, __file__, verb, "--json", *options]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        return [Row(**row) for row in json.loads(done.stdout)]

    print("| verb | changes | points | right | left over |\n|---|---|---|---|---|")
    wrong = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for rows in pool.map(rows_of, verbs or VERBS):
            for row in rows:
                _print(row)
                wrong += len(row.wrong)
    return int(wrong > 0)


def _print(row: Row) -> None:
    print(f"| {row.verb} | {row.changes} | {row.points} | {row.points - len(row.wrong)} | {row.left} |", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
