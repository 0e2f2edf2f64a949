"""Time of the forward pass of every system in onnxruntime, compared with torch in the same process.

python benchmarks/onnx_forward.py [--models rtk bcn ...] [--lengths 1000 6000 20000] [--dimension 2048] [--repeats 3]
One CPU thread each; the two take turns. Networks have the published sizes and random weights. The ratio is what counts:
above 1, onnxruntime is faster. Writes benchmarks/results/onnx_forward.md and onnx_forward.json.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from provenance import provenance, write_results

CLASSES = 19
MODELS = ("rtk", "ms-tcn++", "asformer", "bcn")


def seconds_in_turns(calls: list[Callable[[], Any]], repeats: int) -> list[float]:
    """Median seconds of each call, after one that is not counted."""
    times: list[list[float]] = [[] for _ in calls]
    for turn in range(repeats + 1):
        for call, taken in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            if turn:
                taken.append(time.perf_counter() - start)
    return [median(taken) for taken in times]


def measure(model: str, lengths: list[int], dimension: int, repeats: int) -> list[dict[str, Any]]:
    """Rows of one system."""
    import torch

    from keyseg.inference.bundle import load, save_bundle
    from keyseg.inference.export import export
    from keyseg.inference.predictor import Predictor
    from keyseg.inference.systems import SYSTEMS
    from keyseg.timeline import LabelMap, TimeBase

    torch.set_num_threads(1)
    torch.manual_seed(0)
    system, labels = SYSTEMS[model], LabelMap(tuple(f"action{i}" for i in range(CLASSES)))
    network = system.network(system.config(), dimension, CLASSES).eval()
    predictor = Predictor(system=model, model=network, labels=labels, timebase=TimeBase(), decoder=system.decoder())
    rows = []
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        bundle = save_bundle(predictor, Path(folder) / "bundle", {})
        opened = load(export(bundle, out=Path(folder) / "onnx", report=print)).model
        for length in lengths:
            features = torch.randn(1, dimension, length)
            ours, theirs = seconds_in_turns([lambda f=features: network(f), lambda f=features: opened(f)], repeats)
            rows.append({"model": model, "steps": length, "torch": ours, "onnxruntime": theirs, "ratio": ours / theirs})
    return rows


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--lengths", type=int, nargs="+", default=[1000, 6000, 20_000])
    parser.add_argument("--dimension", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "onnx_forward")
    options = parser.parse_args()
    import onnxruntime

    rows = [
        row for model in options.models for row in measure(model, options.lengths, options.dimension, options.repeats)
    ]
    table = ["| system | steps | torch, s | onnxruntime, s | torch / onnxruntime |", "|---|---|---|---|---|"]
    table += [
        f"| {r['model']} | {r['steps']:,} | {r['torch']:.3f} | {r['onnxruntime']:.3f} | {r['ratio']:.2f} |"
        for r in rows
    ]
    origin = provenance() | {"onnxruntime": onnxruntime.__version__}
    note = f"Median of {options.repeats} forward passes, D = {options.dimension}, {CLASSES} classes, one CPU thread."
    write_results(options.out, "Forward pass in onnxruntime and in torch", table, rows, origin, note)


if __name__ == "__main__":
    main()
