"""Worker processes that end with the process that started them, however it ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
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


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
