"""The process that does one job: what it is given, what it sends, and how it is stopped."""

from __future__ import annotations

import pickle
import signal
import traceback
from collections.abc import Iterable
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any, Protocol, cast

from keyseg.studio.store import Store
from keyseg.timeline import KeysegError
from keyseg.timeline.files import write_log
from keyseg.video.workers import CONTEXT, begin, end_group, lead_group

JOB_KINDS = {
    "predict": "keyseg.studio.predicting",
    "retrain": "keyseg.studio.retraining",
    "propose": "keyseg.studio.proposing",
    "proxy": "keyseg.studio.proxies",
}
"""What jobs there are, and the module of each."""

ServerEvent = tuple[str, dict[str, Any]]
"""The name of an event of the server (`saved`, `library`) and its data."""


class ReportWork(Protocol):
    """How work says how far it is."""

    def __call__(self, done: float, message: str, *, part: dict[str, Any] | None = None, **more: Any) -> None:
        """done: from 0 to 1. part: of the result, which the server saves now. more: of the job, such as its curve."""


class Kind(Protocol):
    """A module that does one kind of job. SINGLE: whether only one of them may be queued or running; default False."""

    def gather(self, store: Store, asked: dict[str, Any]) -> dict[str, Any]:
        """What `work` needs, as plain data, of what was asked for; in the server. Raises KeysegError if not."""

    def work(self, request: dict[str, Any], report: ReportWork) -> dict[str, Any]:
        """Do the work, in a process of its own; the result as plain data, which stays with the job.

        request["scratch"] is a folder of its own, which is removed afterwards.
        """

    def save(self, store: Store, request: dict[str, Any], part: dict[str, Any]) -> Iterable[ServerEvent]:
        """Save a part of the result that `work` reported, in the server; what the pages are to hear of."""


def kind_module(name: str) -> Kind:
    """The module of a kind of jobs."""
    return cast(Kind, import_module(name))


class Worker:
    """A process at work on one request."""

    def __init__(self, module: str, request: dict[str, Any]) -> None:
        self._receiver, sender = CONTEXT.Pipe(duplex=False)
        self._process = CONTEXT.Process(target=_work, args=(module, request, sender), name="keyseg job")
        self._process.start()
        sender.close()
        self.pid = self._process.pid

    def next_event(self, seconds: float) -> tuple[str, Any] | None:
        """What it sends next: a report, a part, or how it ended; None if there is nothing for so many seconds."""
        try:
            if not self._receiver.poll(seconds):
                return None
            event = cast(tuple[str, Any], self._receiver.recv())
        except (EOFError, OSError, pickle.UnpicklingError):
            self._process.join()
            return "failed", _ending(self._process.exitcode)
        if event[0] in ("done", "failed"):
            self._process.join(10)
            self.kill()
        return event

    def kill(self) -> None:
        """End the process and all that it started, at once."""
        end_group(self._process)


def _work(module: str, request: dict[str, Any], sender: Connection) -> None:
    """The whole life of the process."""
    lead_group()
    begin()

    def report(done: float, message: str, *, part: dict[str, Any] | None = None, **more: Any) -> None:
        if part is not None:
            sender.send(("part", part))
        sender.send(("report", {"done": done, "message": message, **({"result": more} if more else {})}))

    try:
        sender.send(("done", kind_module(module).work(request, report)))
    except KeysegError as error:
        sender.send(("failed", str(error)))
    except MemoryError:
        sender.send(("failed", "not enough memory; close other programs, or try fewer or smaller videos"))
    except Exception as error:
        log = write_log(traceback.format_exc())
        sender.send(
            ("failed", f"{type(error).__name__}: {error}. This is a bug in keyseg; please report it with {log}")
        )


def _ending(code: int | None) -> str:
    """Why a process ended that did not say it."""
    if code == -9:
        return "its process was killed, as the system does when memory runs out; free memory, and start it again"
    if code is not None and code < 0:
        return f"its process crashed ({signal.Signals(-code).name}); start it again, and report it if it stays so"
    return f"its process ended with code {code} before it was done; start it again"
