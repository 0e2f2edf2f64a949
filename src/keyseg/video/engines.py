"""Many inputs, each processed by itself: in this process, in several, or on a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from queue import Empty
from typing import Any, Literal, Protocol

from keyseg.timeline import ConfigError, DataError
from keyseg.timeline.failures import INPUT_ERRORS, reason_of, reason_with
from keyseg.video.addresses import address_of
from keyseg.video.workers import CONTEXT, worker_pool

EngineName = Literal["processes", "ray"]


@dataclass(frozen=True)
class Event:
    """What happened to an input. frames, expected: how many were read, and how many there will be if that is known.

    kind: frames (read so far), remade (a damaged file, with the reason; extraction continues), then one of made, cached
    (found in the cache), kept (found in its place) or failed (with the reason).
    """

    video: Path
    kind: Literal["frames", "remade", "made", "cached", "kept", "failed"]
    frames: int = 0
    expected: int | None = None
    message: str = ""


Notify = Callable[[Any], None]
"""Gets the events of the work: an `Event`, or what a stage tells besides."""

WorkStep = Callable[[Path, Any, Notify], Any]
"""Does a stage for one input, given what the stage before returned for it, None at first; returns what the next stage
gets. What it raises of `INPUT_ERRORS` is about the input."""


class WorkStage(Protocol):
    """A part of the work on every input. It is sent by pickle to the processes that do it.

    gpu: whether it runs on a GPU where there is one.
    """

    @property
    def gpu(self) -> bool: ...

    def start(self) -> WorkStep:
        """Load what the stage needs, once per process."""
        ...


@dataclass(frozen=True)
class Engine:
    """What processes the inputs: `workers` processes of this machine, or a Ray cluster.

    address: of a running cluster; None starts one on this machine. Raises ConfigError.
    """

    name: EngineName = "processes"
    workers: int = 1
    address: str | None = None

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ConfigError(f"--workers takes a number >= 1, got {self.workers}")
        if self.name == "ray" and self.workers > 1:
            raise ConfigError("--workers is the number of processes of --engine processes; Ray uses all it has")
        if self.name not in ("processes", "ray"):
            raise ConfigError(f"--engine is processes or ray, got {self.name!r}")
        if self.name != "ray" and self.address is not None:
            raise ConfigError("--address is that of a Ray cluster; add --engine ray")

    def process(
        self, inputs: Sequence[Path], stages: Sequence[WorkStage], steps: Sequence[WorkStep], notify: Notify
    ) -> None:
        """Do all stages for every input. An input that fails is an event, and does not stop the others.

        steps: the stages, started in this process, which has thus noticed what is wrong with one of them.
        """
        workers = min(self.workers, len(inputs))
        if self.name == "ray":
            _on_ray(inputs, stages, self.address, notify)
        elif workers > 1:
            _in_workers(inputs, stages, workers, notify)
        else:
            for path in inputs:
                _process(path, steps, notify)


def _process(path: Path, steps: Sequence[WorkStep], notify: Notify) -> None:
    passed = None
    try:
        for step in steps:
            passed = step(path, passed, notify)
    except INPUT_ERRORS as error:
        notify(failed(path, error))


def failed(path: Path, error: BaseException) -> Event:
    """The event of an input that cannot be processed."""
    address, reason = address_of(path), reason_of(error)
    if address is None:
        return Event(path, "failed", message=reason_with(path, error))
    return Event(path, "failed", message=reason if address in reason else f"{address}: {reason}")


def _in_workers(inputs: Sequence[Path], stages: Sequence[WorkStage], workers: int, notify: Notify) -> None:
    """In processes of this machine, which share its threads."""
    events: Any = CONTEXT.Queue()
    threads = max(1, (os.cpu_count() or 1) // workers)
    todo, waiting = iter(inputs), set[Future[None]]()
    try:
        with worker_pool(workers, _start_worker, stages, threads, events) as pool:
            while True:
                # A few at a time, since waiting for very many takes time itself.
                waiting |= {pool.submit(_in_worker, path) for path in islice(todo, 2 * workers - len(waiting))}
                if not waiting:
                    break
                waiting = _passed_on(waiting, events, notify)
    except BrokenProcessPool as error:
        raise DataError(
            "a worker process ended, perhaps because memory ran out; run the same command with fewer workers: finished"
            " inputs are kept"
        ) from error
    _pass_on(events, notify)  # the workers have ended, so all their events are there


def _on_ray(inputs: Sequence[Path], stages: Sequence[WorkStage], address: str | None, notify: Notify) -> None:
    """In a process of its own, since Ray prints what it likes to the streams of the process that uses it."""
    from keyseg.video.on_ray import drive, start_driver

    events: Any = CONTEXT.Queue()
    try:
        with worker_pool(1, start_driver, events) as pool:
            waiting = {pool.submit(drive, inputs, stages, address, Path.cwd())}
            while waiting:
                waiting = _passed_on(waiting, events, notify)
    except BrokenProcessPool as error:
        raise DataError(
            "the process that talks to Ray ended, perhaps because memory ran out; run the same command again: finished"
            " inputs are kept"
        ) from error
    _pass_on(events, notify)


def _passed_on(waiting: set[Future[None]], events: Any, notify: Notify) -> set[Future[None]]:
    """Pass on what has happened; the work that is not finished."""
    _pass_on(events, notify)
    done, waiting = wait(waiting, timeout=0)
    for future in done:
        future.result()  # raises unexpected errors
    return waiting


def _pass_on(events: Any, notify: Notify) -> None:
    try:
        notify(events.get(timeout=0.1))
        while True:
            notify(events.get_nowait())
    except Empty:
        return


_worker: tuple[Sequence[WorkStep], Notify]


def _start_worker(stages: Sequence[WorkStage], threads: int, events: Any) -> None:
    global _worker
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))  # before torch is imported
    _worker = ([stage.start() for stage in stages], events.put)


def _in_worker(path: Path) -> None:
    _process(path, *_worker)
