"""Signals that end a program end a verb as Ctrl-C does: with a message, whole files and no process left over."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = ("SIGTERM", "SIGHUP", "SIGBREAK")  # SIGHUP: the terminal is closed; SIGBREAK: Ctrl-Break on Windows


@contextmanager
def ending_as_interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt on the first signal that asks this process to end; later ones change nothing.

    A signal that is ignored, as SIGHUP below nohup, stays ignored. Elsewhere than in the main thread nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in _ENDING if hasattr(signal, name)]
    former = {number: signal.getsignal(number) for number in numbers}
    changed = {number: handler for number, handler in former.items() if handler is signal.SIG_DFL}

    def end(number: int, frame: FrameType | None) -> None:
        for each in changed:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in changed:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in changed.items():
            signal.signal(number, handler)
