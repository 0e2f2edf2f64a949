"""A training in several processes that torchrun started: which of them writes, and how they end together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from keyseg.timeline import TrainingError


def is_launched() -> bool:
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def process_count() -> int:
    """Number of processes that torchrun started for this training, on all nodes, or 1."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main_process() -> bool:
    """Whether this process writes the files of a run: the only process, or the first that torchrun started."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def ending_together() -> Iterator[None]:
    """Raise the error of a lost connection, which a process has when another one ends, as a TrainingError."""
    try:
        yield
    except RuntimeError as error:
        if process_count() == 1 or not _is_lost_connection(error):
            raise
        raise TrainingError(
            f"process {os.environ['RANK']}: another of the {process_count()} processes ended; its own message says why."
            " Progress is saved: repair it, then run the same command with --resume"
        ) from error


def _is_lost_connection(error: RuntimeError) -> bool:
    """NCCL and the store of torchrun have a class of errors; those of gloo only have its name."""
    from torch.distributed import DistError

    return isinstance(error, DistError) or "gloo" in str(error)
