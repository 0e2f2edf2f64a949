"""Training without the messages of the libraries; keyseg reports what matters itself."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGERS = ("lightning.pytorch", "lightning.fabric")


@contextmanager
def quiet() -> Iterator[None]:
    """Inside this context Lightning neither logs nor warns, on import too; afterwards it is as it was.

    Nor does the thread in which TensorBoard writes print why it cannot: it raises that at the next number.
    """
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    uncaught = threading.excepthook
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning\..*")
        warnings.filterwarnings("ignore", message="IProgress not found")  # of tqdm, which nothing here uses
        warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            threading.excepthook = lambda thread: None if isinstance(thread.exc_value, OSError) else uncaught(thread)
            yield
        finally:
            threading.excepthook = uncaught
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
