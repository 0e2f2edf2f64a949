"""Worker processes that end with the process that started them, however it ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from typing import Any

# New interpreters, since a fork of a process with threads, such as torch starts, may hang.
CONTEXT = multiprocessing.get_context("spawn")


@contextmanager
def worker_pool(
    workers: int, start: Callable[..., None] | None = None, *arguments: Any
) -> Iterator[ProcessPoolExecutor]:
    """A pool of processes, each of which first calls `start`, a module-level function, with the arguments.

    Only the main process receives Ctrl-C. On an error there the workers are stopped at once and their work is lost.
    """
    pool = ProcessPoolExecutor(workers, CONTEXT, begin, (start, arguments))
    try:
        yield pool
        pool.shutdown()
    except BaseException:
        running = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in running:
            process.terminate()
        raise


def begin(start: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()) -> None:
    """Make this process one that ignores Ctrl-C and ends with its parent; then call `start`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if start is not None:
        start(*arguments)


def lead_group() -> None:
    """Make this process the leader of a group, which `end_group` ends; on Windows, that ends its tree without one."""
    if (set_group := getattr(os, "setpgid", None)) is not None:
        set_group(0, 0)


def end_group(leader: BaseProcess) -> None:
    """End a process that called `lead_group`, and all that it started, at once; nothing if it has ended."""
    if not leader.is_alive():
        return
    if (kill_group := getattr(os, "killpg", None)) is None:
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(leader.pid)], capture_output=True, check=False)
    else:
        with suppress(ProcessLookupError):  # there is no group before the process's first line
            kill_group(leader.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    leader.kill()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
