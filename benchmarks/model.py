"""Forward and training-step time and peak memory of RTK by video length; each length in a process of its own.

python benchmarks/model.py [--lengths 1000 6000 20000] [--dimension 2048] [--repeats 3]
Writes benchmarks/results/model.md and model.json. One thread; the growth column is the ratio that counts: a system that
is linear in T takes 6 times as long for 6 times the steps.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from provenance import provenance, write_results

CLASSES = 19
MEASURES = ("forward", "step", "joined step")


def measure(length: int, dimension: int, what: str, repeats: int) -> dict[str, float]:
    """Median seconds of one call and the process's peak memory in MiB."""
    import torch

    from keyseg.data.batches import Batch
    from keyseg.timeline import LabelMap, Segmentation, TimeBase
    from keyseg.training.module import RTKModule
    from keyseg.training.recipe import load_recipe

    torch.set_num_threads(1)
    torch.manual_seed(0)
    labels = LabelMap(tuple(f"action{i}" for i in range(CLASSES)))
    module = RTKModule(load_recipe(), labels, TimeBase(), dimension, seed=0)
    frames = (torch.arange(length) // 50) % CLASSES
    mask = torch.ones(1, length, dtype=torch.bool)
    batch = Batch(
        torch.randn(1, dimension, length), mask, frames[None], ("V",), (Segmentation.from_frames(frames.numpy()),)
    )
    parameters = list(module.parameters())

    def forward() -> None:
        with torch.inference_mode():
            module.eval()
            module.model(batch.features, batch.mask)

    def step() -> None:
        module.train()
        losses = module.losses(batch, joined=what == "joined step")
        torch.stack(list(losses.values())).sum().backward()
        for parameter in parameters:
            parameter.grad = None

    call = forward if what == "forward" else step
    before = _peak()
    call()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return {"seconds": median(seconds), "peak_mib": _peak(), "peak_before_mib": before}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure every length in a fresh process and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lengths", type=int, nargs="+", default=[1000, 6000, 20000])
    parser.add_argument("--dimension", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", nargs=2, metavar=("LENGTH", "WHAT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(int(options.one[0]), options.dimension, options.one[1], options.repeats)))
        return
    rows: list[dict[str, Any]] = []
    for what in MEASURES:
        for length in options.lengths:
            command = [sys.executable, __file__, "--one", str(length), what]
            command += ["--dimension", str(options.dimension), "--repeats", str(options.repeats)]
            result = subprocess.run(command, capture_output=True, text=True, check=True)
            rows.append({"what": what, "T": length, **json.loads(result.stdout.splitlines()[-1])})
            print(rows[-1], flush=True)
    first = {row["what"]: row for row in reversed(rows)}
    lines = ["| | T | seconds | growth in time | growth in T | peak memory, MiB |", "|---|---|---|---|---|---|"]
    for row in rows:
        base = first[row["what"]]
        growth = row["seconds"] / base["seconds"]
        steps = row["T"] / base["T"]
        cells = [row["what"], f"{row['T']:,}", f"{row['seconds']:.3f}", f"{growth:.1f}x", f"{steps:.1f}x"]
        lines.append(f"| {' | '.join(cells)} | {row['peak_mib']:.0f} |")
    title = f"RTK by video length, D = {options.dimension}, {CLASSES} classes, one video, one thread"
    note = (
        "forward: inference; step: forward, losses and backward; joined step: the same with matching and refinement,"
        " from untrained heatmaps, which is the dearest case: as many proposals as the limit allows."
    )
    write_results(Path(__file__).parent / "results" / "model", title, lines, rows, provenance(), note)


if __name__ == "__main__":
    main()
