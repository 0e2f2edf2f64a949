"""Time and peak memory of a forward pass and a training step of every system, by video length.

python benchmarks/model.py [--models rtk bcn ...] [--lengths 1000 6000 20000] [--dimension 2048] [--repeats 3]
Each measurement runs in its own process with one thread. The growth column is what counts: a system that is linear in T
takes 6 times as long for 6 times the steps. Writes benchmarks/results/model.md and model.json.
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
MODELS = ("rtk", "ms-tcn++", "asformer", "bcn")


def measure(model: str, length: int, dimension: int, what: str, repeats: int) -> dict[str, float]:
    """Median seconds of one call and the process's peak memory in MiB."""
    import torch

    from keyseg.data.batches import Batch
    from keyseg.inference.systems import SYSTEMS
    from keyseg.timeline import LabelMap, Segmentation
    from keyseg.training.recipe import load_recipe
    from keyseg.training.systems import trainable

    torch.set_num_threads(1)
    torch.manual_seed(0)
    labels = LabelMap(tuple(f"action{i}" for i in range(CLASSES)))
    joining = ["matching.join_epoch=1"] if model == "rtk" else []  # in no default recipe
    recipe = load_recipe(None, [f"model={model}", "augmentation.mixed_segments=0", *joining])
    network = SYSTEMS[recipe.model].network(recipe.network, dimension, CLASSES)
    objective = trainable(recipe.model).objective(recipe, labels)
    frames = (torch.arange(length) // 50) % CLASSES
    mask = torch.ones(1, length, dtype=torch.bool)
    batch = Batch(
        torch.randn(1, dimension, length),
        mask,
        frames[None],
        ("V",),
        (Segmentation.from_frames(frames.numpy()),),
        False,
    )
    parameters = [*network.parameters(), *objective.parameters()]
    epoch = 0 if model == "rtk" and what == "step" else recipe.epochs - 1  # in the last one every part is trained

    def forward() -> None:
        with torch.inference_mode():
            network.eval()
            network(batch.features, batch.padding)

    def step() -> None:
        network.train()
        losses = objective.losses(network, batch, epoch)
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
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--one", nargs=3, metavar=("MODEL", "LENGTH", "WHAT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        model, length, what = options.one
        print(json.dumps(measure(model, int(length), options.dimension, what, options.repeats)))
        return
    rows: list[dict[str, Any]] = []
    for model in options.models:
        for what in ("forward", "step", *(["joined step"] if model == "rtk" else [])):
            for length in options.lengths:
                command = [sys.executable, __file__, "--one", model, str(length), what]
                command += ["--dimension", str(options.dimension), "--repeats", str(options.repeats)]
                result = subprocess.run(command, capture_output=True, text=True, check=True)
                found = json.loads(result.stdout.splitlines()[-1])
                rows.append({"model": model, "what": what, "T": length, **found})
                print(rows[-1], flush=True)
    first = {(row["model"], row["what"]): row for row in reversed(rows)}
    lines = ["| | | T | seconds | growth in time | growth in T | peak memory, MiB |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        base = first[row["model"], row["what"]]
        growth = row["seconds"] / base["seconds"]
        steps = row["T"] / base["T"]
        cells = [row["model"], row["what"], f"{row['T']:,}", f"{row['seconds']:.3f}", f"{growth:.1f}x", f"{steps:.1f}x"]
        lines.append(f"| {' | '.join(cells)} | {row['peak_mib']:.0f} |")
    title = f"Systems by video length, D = {options.dimension}, {CLASSES} classes, one video, one thread"
    note = (
        "forward: inference; step: forward, losses and backward; joined step: the same with RTK's matching and"
        " refinement, from untrained heatmaps, which is the most expensive case: as many proposals as the limit allows."
    )
    write_results(Path(__file__).parent / "results" / "model", title, lines, rows, provenance(), note)


if __name__ == "__main__":
    main()
