"""A stage of work that processes import: it ends the process that has `ends`, and makes a mistake on `mistake`.

`often` ends its process four times before it is made; it is a file, which gets a byte each time.
"""

from __future__ import annotations

import os
from pathlib import Path

from keyseg.timeline import DataError
from keyseg.video.engines import Event, Notify, WorkStep


class DyingStage:
    gpu = False

    def start(self) -> WorkStep:
        def step(path: Path, passed: object, notify: Notify) -> None:
            assert passed is None
            if path.name == "ends":
                os._exit(1)
            if path.name == "often" and path.stat().st_size < 4:
                with path.open("ab") as file:
                    file.write(b".")
                os._exit(1)
            if path.name == "mistake":
                raise ZeroDivisionError
            if path.name == "bad":
                raise DataError("no good")
            notify(Event(path, "frames", 1))
            notify(Event(path, "made", 5))

        return step
