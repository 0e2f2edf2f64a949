"""The engine `ray`: inputs go through the stages as a Ray Data pipeline, each stage in actors of its own.

Everything that has to survive a lost machine is done by the stages, which write whole files and skip what exists; Ray
starts actors again and gives an input that was lost with one to another.
"""

from __future__ import annotations

import logging
import os
import socket
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from keyseg.timeline import ConfigError, DataError, KeysegError
from keyseg.timeline.extras import extra
from keyseg.timeline.failures import INPUT_ERRORS
from keyseg.timeline.version import __version__
from keyseg.video.engines import Event, Notify, WorkStage, WorkStep, failed

# Of a processor, for each actor of a stage. Ray also needs some for itself: whole ones can leave it waiting forever.
_PROCESSOR_SHARE = 0.4
# Ray keeps a few KiB for each block; more inputs than this share blocks.
_MOST_BLOCKS = 20_000
# An input whose process ended is tried by Ray again, and then with the others that were lost.
_RETRIES, _PASSES = 2, 3
_RESTARTS = 20  # of an actor, so that one that cannot start does not try forever
_CONNECT_SECONDS = 10.0


@dataclass(frozen=True)
class _Item:
    """An input on its way. passed: what the last stage returned. ended: no other stage gets it. error: what ends the
    whole run."""

    path: Path
    passed: Any = None
    events: tuple[Any, ...] = ()
    ended: bool = False
    error: Exception | None = None


class _Actor:
    """A process on some machine that does one stage for one input at a time."""

    def __init__(self, stage: WorkStage, folder: Path, version: str) -> None:
        self.stage, self.folder, self.version = stage, folder, version
        self.step: WorkStep | None = None

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        item: _Item = row["item"]
        return {"item": item if item.ended else self._processed(item)}

    def _processed(self, item: _Item) -> _Item:
        events = list(item.events)
        try:
            self.step = self.step or self._start()
            try:
                passed = self.step(item.path, item.passed, events.append)
            except INPUT_ERRORS as error:
                return _Item(item.path, None, (*_kept(events), failed(item.path, error)), ended=True)
        except KeysegError as error:  # this machine cannot do the work
            return _Item(item.path, error=error, ended=True)
        except Exception:
            return _Item(item.path, error=RuntimeError(traceback.format_exc()), ended=True)
        return replace(item, passed=passed, events=_kept(events))

    def _start(self) -> WorkStep:
        if self.version != __version__:
            raise ConfigError(
                f"keyseg {__version__} is installed on {socket.gethostname()}, and the command is of {self.version};"
                " install the same version on all machines"
            )
        try:
            os.chdir(self.folder)
        except OSError as error:
            raise ConfigError(
                f"{self.folder}, where the command was started, is no folder on {socket.gethostname()}; start it in a"
                " folder that all machines see"
            ) from error
        return self.stage.start()


def _kept(events: Sequence[Any]) -> tuple[Any, ...]:
    """The events without those that are of interest only while an input is processed."""
    return tuple(event for event in events if not (isinstance(event, Event) and event.kind == "frames"))


_notify: Notify


def start_driver(events: Any) -> None:
    """Make this process one that may call `drive`; whatever it prints is lost."""
    global _notify
    _notify = events.put
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"


def drive(inputs: Sequence[Path], stages: Sequence[WorkStage], address: str | None, folder: Path) -> None:
    """Process all inputs on a Ray cluster, or on one of this machine alone, and tell `start_driver`'s queue.

    folder: the working folder of the command. Raises ConfigError if Ray is not installed or there is no cluster at the
    address, DataError if Ray gives up.
    """
    with extra("scale", "--engine ray"):
        import ray
        import ray.data
        from ray.exceptions import RayError
    _connect(address)
    try:
        waiting, blocks = list(inputs), _MOST_BLOCKS
        for _ in range(_PASSES):
            waiting = _once(waiting, stages, folder, min(blocks, len(waiting))) if waiting else []
        for path in waiting:
            reason = "the process that worked on it ended every time, perhaps because memory ran out"
            _notify(Event(path, "failed", message=f"{path}: {reason}"))
    except RayError as error:
        raise DataError(
            f"Ray gave up ({_cause(error)}); run the same command again: finished inputs are kept"
        ) from None
    finally:
        ray.shutdown()


def _connect(address: str | None) -> None:
    import ray

    options: dict[str, Any] = {"include_dashboard": False} if address is None else {}
    if address is not None and address != "auto":
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
        except (OSError, ValueError) as error:  # Ray would wait for minutes
            raise ConfigError(
                f"no Ray cluster answers at {address!r} ({error}); --address is HOST:PORT of ray start --head, or auto"
            ) from None
    try:
        ray.init(address or "local", log_to_driver=False, logging_level=logging.CRITICAL, **options)
    except (ConnectionError, RuntimeError, OSError, ValueError) as error:
        raise ConfigError(f"Ray cannot be started or joined here ({_cause(error)})") from None


def _cause(error: Exception) -> str:
    """The last line of an error of Ray, which says most."""
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__


def _once(inputs: list[Path], stages: Sequence[WorkStage], folder: Path, blocks: int) -> list[Path]:
    """Send inputs through the stages; the inputs that were lost with the processes that had them."""
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # an input that is lost stops no other
    rows: ray.data.Dataset = ray.data.from_items([{"item": _Item(path)} for path in inputs], override_num_blocks=blocks)
    actor: Any = _Actor  # Ray takes classes too, other than it says
    sharing = sum(stage.gpu for stage in stages)
    for stage in stages:
        pool = _pool(len(inputs), sharing if stage.gpu else 0)
        rows = rows.map(actor, fn_constructor_args=(stage, folder, __version__), **pool)
    left = dict.fromkeys(inputs)
    for row in rows.iter_rows():
        item: _Item = row["item"]
        if item.error is not None:
            raise item.error
        left.pop(item.path, None)
        for event in item.events:
            _notify(event)
    return list(left)


def _pool(inputs: int, sharing: int) -> dict[str, Any]:
    """Options of the actors of a stage: one per GPU, of which there are `sharing` stages, or else one per processor, of
    what the cluster has now."""
    import ray
    from ray.data import ActorPoolStrategy

    has: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    gpus = int(has.get("GPU", 0)) if sharing else 0
    actors = max(1, min(inputs, gpus or int(has.get("CPU", 1))))
    return {
        "num_cpus": _PROCESSOR_SHARE,
        "num_gpus": 1 / sharing if gpus else 0,
        # One input at a time, so that none waits for a long one while other actors are idle.
        "compute": ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=1),
        "max_restarts": _RESTARTS,
        "max_task_retries": _RETRIES,
    }
