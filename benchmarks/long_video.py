"""Predicting one very long video: time and peak memory of `Predictor.predict` on a feature file.

python benchmarks/long_video.py [--steps 100000] [--dimension 2048]
The features are a float16 file on disk, as users have them. Writes benchmarks/results/long_video.md and .json.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from keyseg.inference.decoders import KeypointDecoder
from keyseg.inference.predictor import Predictor
from keyseg.models.rtk import RTK, RTKConfig
from keyseg.timeline import LabelMap, TimeBase
from provenance import provenance, write_results

CLASSES = 19


def main() -> None:
    """Write features, predict, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=2048)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    labels = LabelMap(tuple(f"action{i}" for i in range(CLASSES)))
    model = RTK(RTKConfig(), options.dimension, CLASSES).eval()
    predictor = Predictor(system="rtk", model=model, labels=labels, timebase=TimeBase(), decoder=KeypointDecoder())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.npy"
        shape = (options.dimension, options.steps)
        file = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
        rng = np.random.default_rng(0)
        for row in range(options.dimension):
            file[row] = rng.standard_normal(options.steps, dtype=np.float32)
        file.flush()
        del file
        started = time.perf_counter()
        prediction = predictor.predict(path)
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    rows = [{"steps": options.steps, "seconds": seconds, "peak_gib": peak, "segments": len(prediction.segmentation)}]
    table = ["| steps | seconds | steps a second | peak memory, GiB |", "|---|---|---|---|"]
    table.append(f"| {options.steps:,} | {seconds:.1f} | {options.steps / seconds:,.0f} | {peak:.2f} |")
    title = f"One video of {options.steps:,} steps, D = {options.dimension}, float16 file, one thread"
    write_results(Path(__file__).parent / "results" / "long_video", title, table, rows, provenance())


if __name__ == "__main__":
    main()
