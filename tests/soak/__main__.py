"""`python -m soak [COUNT]`: figures of many predictions in one process, and of several processes at once."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from soak.soak import growth, soak, together

_HEAD = "| predictions | timelines | memory, MB | threads | files | children | temporary |"
_RULE = "|---|---|---|---|---|---|---|"


def main(count: int) -> None:
    """Print a table, and what became more after the first fifth."""
    print(_HEAD, _RULE, sep="\n")
    figures = []
    with tempfile.TemporaryDirectory() as place:
        for number, now, written in soak(Path(place), count):
            figures.append(now)
            if number % 100 == 0 or number == count:
                held = f"{now.threads} | {now.files} | {now.children} | {now.temporary}"
                print(f"| {number} | {written} | {now.memory / 1e6:.1f} | {held} |", flush=True)
    print("growth after the first fifth:", growth(figures[len(figures) // 5], figures[-1]))
    for verb in ("predict", "features"):
        for several in (2, 10):
            with tempfile.TemporaryDirectory() as place:
                print(f"{several} {verb} at once in one folder: {together(Path(place), verb, several)} ended right")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
