"""The journal of a tuning: a line of JSON for each change of its trials, appended and never rewritten."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock
from optuna.storages.journal import BaseJournalBackend

from keyseg.timeline import DataError
from keyseg.timeline.files import naming
from keyseg.timeline.json_text import from_json


class Journal(BaseJournalBackend):
    """The changes in a file, for any number of processes.

    Optuna's own backend refuses a journal whose last line was cut by a kill, and its lock outlives a kill by half a
    minute.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._starts = [0]  # of each line that was read, and of the next one

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """The changes from a number on. Raises DataError, with the line, on one that is not an object of JSON."""
        if not self._path.exists():
            return
        with naming(self._path), self._path.open("rb") as file:
            for number, line in self._whole_lines(file, min(log_number_from, len(self._starts) - 1)):
                if number >= log_number_from:
                    yield self._change(line, number)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Bring changes to disk, in place of a last line that was cut. Raises OSError that names the file."""
        text = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with naming(self._path), FileLock(self._path.with_name(".journal.lock")), self._path.open("ab+") as file:
            deque(self._whole_lines(file, len(self._starts) - 1), 0)
            file.truncate(self._starts[-1])
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())

    def _whole_lines(self, file: BinaryIO, first: int) -> Iterator[tuple[int, bytes]]:
        """Number and content of each line from a number on, but of one that was cut or is not yet whole."""
        file.seek(self._starts[first])
        for number, line in enumerate(file, first):
            if not line.endswith(b"\n"):
                return
            if number + 1 == len(self._starts):
                self._starts.append(self._starts[number] + len(line))
            yield number, line

    def _change(self, line: bytes, number: int) -> dict[str, Any]:
        source, holds = f"{self._path}: line {number + 1}", "a change of a trial of keyseg tune"
        change = from_json(line.decode("utf-8", "replace"), source, holds, nan=True)
        if not isinstance(change, dict):
            raise DataError(f"{source}: expected an object, got {repr(change)[:80]}; it should hold {holds}")
        return change
