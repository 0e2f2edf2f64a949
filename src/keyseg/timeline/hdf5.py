"""Data sets of HDF5 files, without what HDF5 would fetch from other files and what its library does not survive."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from keyseg.timeline.errors import DataError, KeysegError
from keyseg.timeline.files import read_text, refuse_special
from keyseg.timeline.limits import restrict_memory

# What a file may take beyond what every process does. Compressed tracks without values need a thousandth of their size.
_SECONDS, _BYTES_PER_SECOND = 0.5, 5e5  # of the processor, and of the file
_MEMORY_MIB, _GROWTH = 160, 500  # and bytes per byte of the file
_WAIT = 60.0  # seconds beyond those of the processor, which may be busy with other things


def try_hdf5(read: Callable[..., object], path: Path, *arguments: object) -> None:
    """Run `read(path, *arguments)` in a process of its own, since a damaged file makes the library of HDF5 hang, fill
    the memory or crash. read: a function of a module.

    Raises DataError if that process dies or needs far more time or memory than a file of its size, and OSError with the
    message of what the library raises. What keyseg raises is left to the caller, who reads the file himself.
    """
    refuse_special(path)
    size = path.stat().st_size
    seconds = _SECONDS + size / _BYTES_PER_SECOND
    limits = seconds, _MEMORY_MIB + _GROWTH * size // 2**20
    command = [sys.executable, "-P", "-c", f"from {__name__} import _serve; _serve()"]
    job = pickle.dumps((limits, read, path, arguments))
    try:
        done = subprocess.run(command, input=job, capture_output=True, check=False, timeout=seconds + _WAIT)
    except subprocess.TimeoutExpired:
        done = None
    if done is None or done.returncode not in (0, 1):
        raise DataError(
            f"{path}: the library of HDF5 did not get through it within {seconds:.1f} s; it may be damaged, export it"
            " again"
        )
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise OSError(lines[-1][:500] if lines else "the process that reads it failed")


def _serve() -> None:
    """What the process of `try_hdf5` does."""
    limits, read, path, arguments = pickle.load(sys.stdin.buffer)  # from the process that started this one
    import h5py  # noqa: F401  # before the limits

    _limit(*limits)
    try:
        read(path, *arguments)
    except KeysegError:
        pass
    except MemoryError:
        raise SystemExit("it needs far more memory than a file of its size") from None
    except Exception as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None


def _limit(seconds: float, memory_mib: int) -> None:
    """Let the system end this process after so many more seconds of the processor, and refuse it more memory."""
    with suppress(ImportError):  # on Windows, where only the clock of the parent remains
        from signal import ITIMER_PROF, SIG_DFL, SIGPROF, setitimer, signal

        signal(SIGPROF, SIG_DFL)
        setitimer(ITIMER_PROF, seconds)
    if sys.platform == "linux":  # elsewhere the system does not say what is used, or does not refuse
        used_kib = read_text(Path("/proc/self/status"), "what is used").partition("VmSize:")[2].split()[0]
        restrict_memory(memory_mib + int(used_kib) // 1024)


def open_hdf5(path: Path) -> Any:
    """An HDF5 file that is open for reading, if it is a regular file."""
    import h5py

    refuse_special(path)
    return h5py.File(path, "r")


def stored_array(group: Any, name: str) -> Any:
    """The data set `name` of an h5py group, not yet read. Raises DataError if it is missing, or is in another file."""
    where = f"{group.file.filename}: {group.name}"
    link = group.get(name, getlink=True)
    if hasattr(link, "filename"):
        raise DataError(f"{where}: {name} is in another file, {link.filename}; export it all to one file")
    found = group.get(name)
    if getattr(found, "shape", None) is None or found.file.filename != group.file.filename:
        raise DataError(f"{where}: no data set {name} in it; export it again")
    if found.external or found.is_virtual:
        raise DataError(f"{where}: {name} refers to another file; export it all to one file")
    return found
