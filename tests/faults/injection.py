"""Faults at a change of the file system, put into a child of this process.

This process must have been started with the library of `compiled_shim` in LD_PRELOAD; see `started_with`.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["kill", "ENOSPC", "EIO"]
_COUNT, _KILL, _FAIL = 0, 1, 2


@dataclass(frozen=True)
class Fault:
    """What happens at change number `at`, counted from 1; with `lasting` at every later one too."""

    at: int
    kind: Kind
    lasting: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {'from' if self.lasting else 'at'} {self.at}"


KINDS: tuple[tuple[Kind, bool], ...] = (
    ("kill", False),
    ("ENOSPC", False),
    ("ENOSPC", True),
    ("EIO", False),
    ("EIO", True),
)


@dataclass(frozen=True)
class Ended:
    """How a child ended. code: its exit code, or minus the signal that ended it. changes: one line each."""

    code: int
    output: str
    changes: tuple[str, ...]


def compiled_shim(folder: Path) -> Path:
    """The library that `shim.c` makes, in a folder. Raises FileNotFoundError without a compiler."""
    library = folder / "shim.so"
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise FileNotFoundError("no C compiler (cc) here")
    source = Path(__file__).with_name("shim.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


def started_with(library: Path | None) -> dict[str, str]:
    """The environment in which faults can be injected, or the same without."""
    loaded = {"LD_PRELOAD": str(library)} if library else {}
    return {**os.environ, **loaded, "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}


def run_child(action: Callable[[], int], place: Path, fault: Fault | None, records: Path) -> Ended:
    """Do it in a child, whose changes below `place` are counted and may fail; `records` lies elsewhere."""
    log, output = records / "changes", records / "output"
    gc.freeze()  # so that the child need not copy what it does not change
    child = os.fork()
    if child == 0:
        code = 70
        try:
            _redirect(output)
            _arm(place, fault, os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
            code = action()
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(BaseException):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return Ended(code, output.read_text(errors="replace"), tuple(log.read_text().splitlines()))


def _redirect(output: Path) -> None:
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.default_int_handler if signum == signal.SIGINT else signal.SIG_DFL)


def _arm(place: Path, fault: Fault | None, log: int) -> None:
    os.environ["TMPDIR"] = str(place / "tmp")
    tempfile.tempdir = None
    library = ctypes.CDLL(None)
    action = _COUNT if fault is None else _KILL if fault.kind == "kill" else _FAIL
    number = 0 if fault is None or fault.kind == "kill" else getattr(errno, fault.kind)
    at, lasting = (0, False) if fault is None else (fault.at, fault.lasting)
    library.faults_arm(str(place).encode(), action, number, ctypes.c_long(at), int(lasting), log)


Content = dict[str, tuple[int, str]]


def content_of(folder: Path) -> Content:
    """Mode and digest of every file and folder below a folder, by its path there."""
    found: Content = {}
    for path in sorted(folder.rglob("*")):
        digest = "folder" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
        found[path.relative_to(folder).as_posix()] = (path.stat().st_mode & 0o777, digest)
    return found
